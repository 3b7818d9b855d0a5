/** What pushes of several contents, of a tree or of descriptors, have in common. */
import { blockBytesFor } from '../base/limits.js'
import { limited } from '../control/plan/limited.js'
import type { LinkSpeeds, NodeLink } from '../control/plan/plan.js'
import type { DataEngine, HashPool, SourceFile } from '../ports.js'
import type { PushAudience } from '../session/coordinator/attempt.js'
import type { PushSpec } from '../session/coordinator/push-spec.js'
import type { ContentAudience } from '../session/trees/tree-push.js'
import type { SeenRates } from '../store/seen-rates.js'
import { KnownSource } from './known-source.js'
import type { CheckedPush } from './options.js'
import type { PushResult } from './types.js'

/** What of a push differs from content to content. */
export type OneContent = Pick<PushSpec, 'transfer' | 'contentId' | 'known'>

export interface ContentParts {
  readonly checked: CheckedPush
  /** Of the push as a whole. */
  readonly transfer: string
  readonly specOf: (content: OneContent) => PushSpec
  readonly engine: DataEngine
  readonly pool: HashPool
  readonly rates: SeenRates
  /** Public key of whoever signs, 64 hex digits. */
  readonly author: string
  /** Pushes one file; `known` hears what reading it found out. */
  readonly pushing: (
    file: { readonly source: SourceFile; readonly known: KnownSource | undefined },
    spec: PushSpec,
    audience: PushAudience,
    applied: ContentAudience['applied'],
    signal: AbortSignal,
  ) => Promise<PushResult>
  readonly audience: PushAudience
  readonly signal: AbortSignal
}

/** An open file, and what earlier pushes have found out about it. */
export interface OpenContent {
  readonly source: SourceFile
  readonly known: KnownSource
}

export async function openContent(
  { checked, engine, author }: Pick<ContentParts, 'checked' | 'engine' | 'author'>,
  path: string,
): Promise<OpenContent> {
  const { storage } = engine
  const source = await storage.openSource(path)
  const known = await KnownSource.of({
    storage,
    source: { kind: 'path', path },
    file: source,
    algorithm: checked.algorithm,
    author,
    blockBytes: blockBytesFor(source.size),
    isToRead: checked.verify,
  })
  return { source, known }
}

/** What the push may use of the links that its caller knows. */
export function linksOf({ nodes, uplinkBytesPerSecond, share }: CheckedPush): {
  readonly origin: LinkSpeeds
  readonly nodes: readonly NodeLink[]
} {
  const origin: LinkSpeeds = uplinkBytesPerSecond === undefined ? {} : { uplinkBytesPerSecond }
  return { origin: limited(origin, share), nodes: nodes.map((link) => limited(link, share)) }
}
