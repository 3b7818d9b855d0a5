/**
 * A repository: a tree that is an OCI image layout (OCI Image Specification 1.1), as `skopeo copy
 * ... oci:DIR:TAG` writes it. Tags are annotations of `index.json`, and a blob is the file
 * `blobs/sha256/HEX`, which is served only where that is the digest of its bytes.
 */
import { createHash } from 'node:crypto'
import type { OpenContent } from '../../api/open-types.js'
import { doorLimits } from '../../base/door-limits.js'
import { openArrived, sha256Within, type Waiting, wholeOf } from '../files/arrived.js'
import type { Sums, SumsOfTree } from '../files/sums.js'
import { isTag, sha256In } from './asked.js'
import { isNotHeld, Refusal } from './refusal.js'

export interface Manifest {
  readonly bytes: Buffer
  readonly mediaType: string
  /** `sha256:HEX`. */
  readonly digest: string
}

/** As `referrers` tells them. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

type Json = Readonly<Record<string, unknown>>

const refName = 'org.opencontainers.image.ref.name'
export const indexType = 'application/vnd.oci.image.index.v1+json'
const manifestType = 'application/vnd.oci.image.manifest.v1+json'

export class Repository {
  readonly #waiting: Waiting
  readonly #name: string
  readonly #listed: readonly Json[]
  readonly #sums: SumsOfTree

  private constructor(waiting: Waiting, name: string, listed: readonly Json[], sums: SumsOfTree) {
    this.#waiting = waiting
    this.#sums = sums
    this.#name = name
    this.#listed = listed
  }

  /** Rejects with NAME_UNKNOWN for what is no tree with an `index.json`. */
  static async open(waiting: Waiting, name: string, sums: Sums): Promise<Repository> {
    const content = await openArrived(waiting, name, 'index.json').catch((error: unknown) => {
      throw isNotHeld(error) ? new Refusal(404, 'NAME_UNKNOWN', 'no such repository') : error
    })
    try {
      const { manifests } = jsonIn(await wholeOf(content, doorLimits.manifestBytes)) ?? {}
      if (!Array.isArray(manifests))
        throw new Refusal(404, 'NAME_UNKNOWN', 'the tree is no OCI image layout')
      const known = await sums.of(waiting.node, waiting.asker, name)
      return new Repository(waiting, name, manifests.filter(isObject), known)
    } finally {
      content.close()
    }
  }

  /** In the order of their bytes. */
  get tags(): string[] {
    const names = this.#listed.flatMap((one) => tagOf(one) ?? [])
    return [...new Set(names)].sort((a, b) => (a < b ? -1 : 1))
  }

  /** By tag or digest. Rejects with MANIFEST_UNKNOWN. */
  async manifest(reference: string): Promise<Manifest> {
    const found = isTag(reference)
      ? this.#listed.findLast((one) => tagOf(one) === reference)
      : this.#listed.find(({ digest }) => digest === reference)
    const digest = isTag(reference) ? found?.['digest'] : reference
    if (typeof digest !== 'string') throw new Refusal(404, 'MANIFEST_UNKNOWN', 'no such tag')
    const bytes = await this.#manifestBytes(digest)
    const mediaType = mediaTypeOf(jsonIn(bytes), found)
    if (mediaType === null) throw new Refusal(404, 'MANIFEST_UNKNOWN', 'this blob is no manifest')
    return { bytes, mediaType, digest }
  }

  /** What is all there, and is what the digest says; the caller closes it. */
  async blob(digest: string): Promise<OpenContent> {
    const hex = sha256In(digest)
    if (hex === null) throw new Refusal(404, 'BLOB_UNKNOWN', 'blobs are called by their SHA-256')
    const content = await this.#open(hex, 'BLOB_UNKNOWN')
    try {
      const known = this.#sums.get(content.digest ?? '')
      const sha256 = known ?? (await sha256Within(content, this.#waiting.signal))
      if (sha256 === hex) return content
      throw new Refusal(404, 'BLOB_UNKNOWN', 'the bytes of this blob have another digest')
    } catch (error) {
      content.close()
      throw error
    }
  }

  /** Manifests that `index.json` names and whose subject this is. */
  async referrers(digest: string): Promise<Descriptor[]> {
    const found = new Map<string, Descriptor>()
    for (const listed of this.#listed.slice(0, doorLimits.referringManifests)) {
      const own = listed['digest']
      if (typeof own !== 'string' || found.has(own)) continue
      const bytes = await this.#manifestBytes(own).catch((error: unknown) => {
        if (error instanceof Refusal) return null
        throw error
      })
      const said = bytes && jsonIn(bytes)
      if (!isObject(said?.['subject']) || said['subject']['digest'] !== digest) continue
      found.set(own, descriptorOf(own, (bytes as Buffer).length, said, listed))
    }
    return [...found.values()]
  }

  async #open(hex: string, told: 'BLOB_UNKNOWN' | 'MANIFEST_UNKNOWN'): Promise<OpenContent> {
    const name = `blobs/sha256/${hex}`
    return openArrived(this.#waiting, this.#name, name).catch((error: unknown) => {
      throw isNotHeld(error) ? new Refusal(404, told, 'the repository has no such blob') : error
    })
  }

  async #manifestBytes(digest: string): Promise<Buffer> {
    const told = 'MANIFEST_UNKNOWN'
    const hex = sha256In(digest)
    if (hex === null) throw new Refusal(404, told, 'manifests are called by their SHA-256')
    const content = await this.#open(hex, told)
    try {
      if ((content.size ?? 0) > doorLimits.manifestBytes)
        throw new Refusal(404, told, 'a blob of this size is no manifest')
      const bytes = await wholeOf(content, doorLimits.manifestBytes)
      if (createHash('sha256').update(bytes).digest('hex') === hex) return bytes
      throw new Refusal(404, told, 'the bytes of this manifest have another digest')
    } finally {
      content.close()
    }
  }
}

function tagOf({ annotations }: Json): string | null {
  const name = isObject(annotations) ? annotations[refName] : undefined
  return typeof name === 'string' && isTag(name) ? name : null
}

/** By what the manifest says of itself, or whoever names it, or what is in it; null: it is none. */
function mediaTypeOf(said: Json | null, listed: Json | undefined): string | null {
  if (said === null) return null
  for (const type of [said['mediaType'], listed?.['mediaType']]) if (isMediaType(type)) return type
  if (Array.isArray(said['manifests'])) return indexType
  return isObject(said['config']) && Array.isArray(said['layers']) ? manifestType : null
}

function isMediaType(type: unknown): type is string {
  return typeof type === 'string' && /^[a-z0-9.+-]{1,127}\/[a-z0-9.+_-]{1,127}$/i.test(type)
}

function descriptorOf(digest: string, size: number, said: Json, listed: Json): Descriptor {
  const mediaType = mediaTypeOf(said, listed) ?? manifestType
  const { config, annotations } = said
  const ofConfig = isObject(config) ? config['mediaType'] : undefined
  const artifactType = [said['artifactType'], ofConfig].find(isMediaType)
  return {
    ...{ mediaType, digest, size },
    ...(artifactType !== undefined && { artifactType }),
    ...(isObject(annotations) && { annotations: annotations as Record<string, string> }),
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Null: it is no object of JSON. */
function jsonIn(bytes: Buffer): Json | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return isObject(value) ? value : null
  } catch {
    return null
  }
}
