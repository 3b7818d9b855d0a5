/**
 * The contents that the nodes of a master hold, as versions of names.
 *
 * Which of two versions is the later one the master says itself, by the order in which it heard of
 * them: clocks of nodes may be hours apart.
 */
import { limits } from '../../base/limits.js'
import type { Said } from '../messages/mastering.js'
import type { FileId } from './demand.js'

export interface Version {
  readonly id: FileId
  readonly name: string
  readonly contentId: string
  /** Null as long as it grows. */
  digest: string | null
  size: number
  isGrowing: boolean
}

export class Versions {
  readonly #all: Version[] = []
  readonly #byContent = new Map<string, Version>()
  /** Of each name, in the order in which they were heard of. */
  readonly #byName = new Map<string, Version[]>()

  /** In the order in which they were heard of. */
  get all(): readonly Version[] {
    return this.#all
  }

  get count(): number {
    return this.#all.length
  }

  /** Null: there are too many, or what is said contradicts what is known of the content. */
  learn(said: Said): Version | null {
    const key = `${said.contentId} ${said.name}`
    const known = this.#byContent.get(key)
    if (known !== undefined) return agrees(known, said) ? known : null
    if (this.#all.length >= limits.masterFiles) return null
    const { name, contentId, digest, size, isGrowing } = said
    const version: Version = { id: this.#all.length, name, contentId, digest, size, isGrowing }
    this.#all.push(version)
    this.#byContent.set(key, version)
    const versions = this.#byName.get(said.name)
    if (versions === undefined) this.#byName.set(said.name, [version])
    else versions.push(version)
    return version
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
