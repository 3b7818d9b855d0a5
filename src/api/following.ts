/** A push of a content that is still written: its options, and what it needs beside any push. */
import { stat } from 'node:fs/promises'
import type { DigestAlgorithm } from '../base/digests.js'
import { FrError, type FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { randomId } from '../net/crypto.js'
import type { DataEngine, HashPool, SourceFile } from '../ports.js'
import { comesAgain, type GrowingOrigin, stillHolds } from '../session/coordinator/growing-work.js'
import { FollowedFile } from '../store/growing/followed.js'
import { Growth } from '../store/growing/growth.js'
import { KeptGrowth } from '../store/growing/kept-growth.js'
import { ReadAhead } from '../store/growing/read-ahead.js'
import type { GrowingSource } from '../store/growing/source.js'
import { SpooledStream } from '../store/growing/spooled.js'
import { optionalInteger, requireBoolean } from './checks.js'
import { type CheckedSource, contentMode } from './source.js'
import type { TreeWishes } from './tree-options.js'
import type { PushOptions, PushResult } from './types.js'

export interface FollowWish {
  readonly finalAfterMs: number | undefined
  /** What is short is pushed as any other content. */
  readonly unlessShort?: boolean
  /** What has the path is a stream as it comes. */
  readonly isSpool?: boolean
}

/**
 * Undefined: the content is all there. `usualDigest` is that of this key. Throws TypeError
 * for options that exclude each other, and ERR_FR_UNSUPPORTED for those that this version cannot
 * combine.
 */
export function checkFollow(
  source: CheckedSource,
  options: PushOptions,
  tree: TreeWishes,
  usualDigest: DigestAlgorithm,
): FollowWish | undefined {
  const { follow } = options
  if (follow !== 'auto') requireBoolean('follow', follow)
  const { timeoutMsMax } = limits
  const finalAfterMs = optionalInteger('finalAfterMs', options.finalAfterMs, 1, timeoutMsMax)
  if (follow === 'auto' && finalAfterMs === undefined) {
    const isMeant = (options.digest ?? usualDigest) === 'blake3'
    if (!isMeant || !isFollowable(source, options, tree)) return undefined
    return { finalAfterMs, unlessShort: true }
  }
  if (follow !== true) {
    if (finalAfterMs !== undefined) throw new TypeError('finalAfterMs needs follow')
    return undefined
  }
  if (source.kind !== 'path' && source.kind !== 'content')
    throw new TypeError('follow needs one path, or a stream')
  if (finalAfterMs !== undefined && source.kind !== 'path')
    throw new TypeError('finalAfterMs is for a file: a stream has an end of its own')
  if (options.strategy === 'classic')
    throw new TypeError('strategy classic deals equal parts, and nobody knows of how much')
  if (options.digest !== undefined && options.digest !== 'blake3')
    throw new TypeError(`follow needs digest blake3, and not ${options.digest}`)
  const [first] = foreignOf(options, tree)
  const text = `this version follows no content with ${first}`
  if (first !== undefined) throw new FrError('ERR_FR_UNSUPPORTED', text)
  return { finalAfterMs }
}

/** The options that were given and that no push of a growing content has, by name. */
function foreignOf(options: PushOptions, tree: TreeWishes): string[] {
  const { compress = 'off', mirrors = [], relays = [] } = options
  return [
    ...tree.given,
    ...(compress === 'off' ? [] : ['compress']),
    ...(mirrors.length > 0 ? ['mirrors'] : []),
    ...(relays.length > 0 ? ['relays'] : []),
    ...(['base', 'commit'] as const).filter((name) => options[name] !== undefined),
    ...(['descriptors', 'spareOrigin', 'dryRun'] as const).filter((name) => options[name]),
  ]
}

/** It is a stream, and no option wants all of it first. */
function isFollowable(source: CheckedSource, options: PushOptions, tree: TreeWishes): boolean {
  const isStream = source.kind === 'content' && Symbol.asyncIterator in source.chunks
  return isStream && options.strategy !== 'classic' && foreignOf(options, tree).length === 0
}

/** What a node has and what was signed now are not the same content. */
const spoilt = new Set<FrErrorCode>(['ERR_FR_BAD_BLOCK', 'ERR_FR_DIGEST', 'ERR_FR_PROTOCOL'])

interface Followable {
  readonly source: CheckedSource
  readonly follow: FollowWish | undefined
}

/** How it is pushed, once it is known whether a stream is short. */
export async function settleFollow<T extends Followable>(checked: T): Promise<T> {
  const { source, follow } = checked
  if (follow?.unlessShort !== true || source.kind !== 'content') return checked
  const chunks = new ReadAhead(source.chunks as AsyncIterable<Uint8Array | string>)
  const isShort = await chunks.isShort()
  return {
    ...checked,
    source: { ...source, chunks },
    follow: isShort ? undefined : follow,
  }
}

export interface GrowingParts {
  readonly engine: DataEngine
  readonly pool: HashPool
  readonly source: CheckedSource
  readonly follow: FollowWish
  /** Public key of whoever signs, 64 hex digits. */
  readonly author: string
  /** Tells a stream from others: who has brought the same before goes on with it. */
  readonly stream: string
  readonly signal: AbortSignal
  /** Is given what ends the content, once. */
  readonly finishes: (finish: () => void) => void
  readonly pushing: (
    source: SourceFile,
    content: { readonly contentId: string; readonly growing: GrowingOrigin },
  ) => Promise<PushResult>
}

/** Once every node has it nobody goes on with it. */
export async function pushGrowing(parts: GrowingParts): Promise<PushResult> {
  const { storage } = parts.engine
  const growth = new Growth(await openGrowing(parts))
  let file: SourceFile | undefined
  let kept: KeptGrowth | undefined
  try {
    parts.finishes(() => growth.source.finish())
    await growth.begun()
    kept = await keptOf(parts, growth)
    // As long as it is now: nodes may have all that was compared.
    const opened = await storage.openSource(growth.source.path)
    file = parts.source.kind === 'path' ? opened : { ...opened, mode: contentMode }
    const { contentId } = kept
    const result = await parts.pushing(file, { contentId, growing: { growth, kept } })
    const isComplete = result.nodes.every(({ status }) => status === 'complete')
    const isSpoilt = result.nodes.some(({ code }) => spoilt.has(code as FrErrorCode))
    if (isComplete || isSpoilt) await kept.forget()
    return result
  } finally {
    await growth.close()
    await kept?.close()
    if (file !== undefined) storage.closeFile(file.file)
  }
}

function openGrowing({ source, follow }: GrowingParts): Promise<GrowingSource> {
  if (source.kind === 'path') return FollowedFile.open(source.path, follow)
  if (source.kind === 'content') return SpooledStream.open(source.chunks)
  throw new TypeError('follow needs one path, or a stream')
}

/** What another push has sent of the same file, or of a stream that begins with the same. */
async function keptOf(
  { engine, pool, source, follow, author, stream, signal }: GrowingParts,
  growth: Growth,
): Promise<KeptGrowth> {
  const { file } = await engine.storage.openSource(growth.source.path)
  try {
    if (source.kind !== 'path' || follow.isSpool === true)
      return await KeptGrowth.open({ stream, author }, randomId(), (runs, end) =>
        comesAgain(engine, pool, file, growth, { runs, end, signal }),
      )
    const { dev } = await stat(source.path, { bigint: true })
    const { inode } = await engine.storage.identityOf(file)
    const device = String(dev)
    return await KeptGrowth.open({ inode, device, author }, randomId(), (runs, end) =>
      stillHolds(engine, pool, file, runs, end),
    )
  } finally {
    engine.storage.closeFile(file)
  }
}
