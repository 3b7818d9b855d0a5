/**
 * The contents that the nodes of a master hold, as versions of names.
 *
 * Which of two versions is the later one the master says itself, by the order in which it heard of
 * them: clocks of nodes may be hours apart. What has the same name and digest is one version,
 * whoever has signed it and under which id; who publishes an earlier one again makes it the latest.
 */
import { limits } from '../../base/limits.js'
import type { Said } from '../messages/mastering.js'
import type { FileId } from './demand.js'

export interface Version {
  readonly id: FileId
  readonly name: string
  /** Under which it was published last, as far as the master heard of that. */
  contentId: string
  /** Null as long as it grows. */
  digest: string | null
  size: number
  isGrowing: boolean
  /** When the master heard of its last byte. */
  grewMs: number
}

export class Versions {
  readonly #all: Version[] = []
  readonly #byContent = new Map<string, Version>()
  readonly #byDigest = new Map<string, Version>()
  /** Those that were published again since they were taken last. */
  #renewed = new Set<Version>()
  /** Of each name, in the order in which they were heard of. */
  readonly #byName = new Map<string, Version[]>()

  /** In the order in which they were heard of. */
  get all(): readonly Version[] {
    return this.#all
  }

  /** The latest of each name behind all others: it may be one that was published again. */
  get inOrder(): readonly Version[] {
    const isLatest = (one: Version) => this.find(one.name, null) === one
    return [...this.#all.filter((one) => !isLatest(one)), ...this.#all.filter(isLatest)]
  }

  get count(): number {
    return this.#all.length
  }

  /** Null: there are too many, or what is said contradicts what is known of the content. */
  learn(said: Said, nowMs: number): Version | null {
    const known = this.byId(said) ?? this.#byDigest.get(digestKey(said))
    if (known !== undefined) {
      const before = known.size
      if (!agrees(known, said)) return null
      if (known.size > before) known.grewMs = nowMs
      this.#told(known, said)
      return known
    }
    if (this.#all.length >= limits.masterFiles) return null
    const { name, contentId, digest, size, isGrowing } = said
    const version: Version = {
      ...{ id: this.#all.length, name, contentId, digest, size, isGrowing },
      grewMs: nowMs,
    }
    this.#all.push(version)
    this.#told(version, said)
    const versions = this.#byName.get(said.name)
    if (versions === undefined) this.#byName.set(said.name, [version])
    else versions.push(version)
    return version
  }

  /** The version that has been heard of under this id. */
  byId(id: Pick<Said, 'name' | 'contentId'>): Version | undefined {
    return this.#byContent.get(idKey(id))
  }

  /** It has been heard of, and not under this id. */
  isOther(said: Said): boolean {
    return this.byId(said) === undefined && this.#byDigest.has(digestKey(said))
  }

  /** Somebody has published it under another id than before: it is the latest of its name. */
  renew(version: Version, contentId: string): void {
    version.contentId = contentId
    const versions = this.#byName.get(version.name) as Version[]
    versions.splice(versions.indexOf(version), 1)
    versions.push(version)
    this.#renewed.add(version)
  }

  /** Versions that were published again since the last call. */
  takeRenewed(): Iterable<Version> {
    const renewed = this.#renewed
    this.#renewed = new Set()
    return renewed
  }

  #told(version: Version, said: Said): void {
    if (this.#byContent.size < 2 * limits.masterFiles) this.#byContent.set(idKey(said), version)
    const key = digestKey(version)
    if (version.digest !== null && !this.#byDigest.has(key)) this.#byDigest.set(key, version)
  }

  of(id: FileId): Version {
    const version = this.#all[id]
    if (version === undefined) throw new RangeError(`no file has the number ${id}`)
    return version
  }

  /** The one with this digest, or the latest. */
  find(name: string, digest: string | null): Version | undefined {
    const versions = this.#byName.get(name) ?? []
    return digest === null ? versions.at(-1) : versions.findLast((one) => one.digest === digest)
  }
}

function idKey({ contentId, name }: Pick<Said, 'contentId' | 'name'>): string {
  return `${contentId} ${name}`
}

function digestKey({ digest, size, name }: Pick<Said, 'digest' | 'size' | 'name'>): string {
  return `${digest} ${size} ${name}`
}

/** A content that grows may become longer, and final once; nothing else of it changes. */
function agrees(known: Version, said: Said): boolean {
  if (known.isGrowing) {
    if (!said.isGrowing && said.size < known.size) return false
    known.size = Math.max(known.size, said.size)
    known.isGrowing = said.isGrowing
    known.digest ??= said.digest
    return true
  }
  if (said.isGrowing) return said.size <= known.size
  return said.size === known.size && (said.digest === null || said.digest === known.digest)
}
