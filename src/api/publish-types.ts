/** Types about contents that are published by criteria. */
import type { ContentFormat } from '../base/division.js'
import type { Credentials } from './credential-types.js'
import type { SealOptions } from './seal.js'
import type { LogLine, Progress } from './types.js'

export interface PublishOptions extends Credentials, SealOptions {
  /** HOST[:PORT] of the node that holds the content first: one of those that may have it. */
  via: string
  /** Criteria: which nodes are to have it, and may. */
  where: string
  /**
   * Who else may have it, and is sent it by nobody: `get CRITERIA`, or `get` for all who have the
   * key. Default: nobody.
   */
  allow?: string
  /** Name at the nodes, as text; by default the file's own name. */
  as?: string
  /** Nodes drop it after so many seconds; default: never. */
  ttlSeconds?: number
  /** Is told again and again how far it is sent to the node. */
  progress?: (progress: Progress) => void
  logger?: (line: LogLine) => void
  signal?: AbortSignal
}

/** A track file: what is delivered one after the other. */
export interface PublishedTrack {
  readonly name: string
  readonly bytes: number
  /** Block files that it is divided into. */
  readonly blocks: number
  /** Bits per second of playback; null where that is not known. */
  readonly bitRate: number | null
}

export interface PublishResult {
  readonly event: 'published'
  readonly name: string
  /** HOST:PORT of the node that holds it first. */
  readonly node: string
  /** Of the announcement, 32 hex digits. */
  readonly announcement: string
  readonly contentId: string
  readonly digest: string
  readonly bytes: number
  /** Criteria in canonical form. */
  readonly where: string
  /** Who else may have it: criteria in canonical form; null: nobody. */
  readonly allow: string | null
  /** Seconds until nodes drop it; null: they keep it. */
  readonly ttlSeconds: number | null
  readonly format: ContentFormat
  /** It can be played from the front while it comes. */
  readonly isLinear: boolean
  /** Bytes of a block file, about. */
  readonly blockBytes: number
  /** In the order of delivery. */
  readonly tracks: readonly PublishedTrack[]
  /** From the call to the announcement. */
  readonly seconds: number
}

export interface UnpublishOptions extends Credentials {
  /** HOST[:PORT] of any node that knows of the publication. */
  via: string
  signal?: AbortSignal
  timeoutMs?: number
}

export interface UnpublishResult {
  readonly event: 'unpublished'
  readonly name: string
  readonly node: string
  /** The contents that were withdrawn: several where the name was published again. */
  readonly contents: readonly { readonly contentId: string; readonly announcement: string }[]
}
