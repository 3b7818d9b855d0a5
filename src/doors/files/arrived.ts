/**
 * Files of a tree that others read by their SHA-256: they are told once they are whole and right.
 *
 * What a push that still runs will bring is waited for, as long as answers wait for what comes;
 * then whoever asks is to come again. Never: bytes whose SHA-256 is another one than was said.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { OpenContent } from '../../api/open-types.js'
import type { FrNode } from '../../api/types.js'
import { doorLimits } from '../../base/door-limits.js'
import { FrError } from '../../base/errors.js'
import { HttpError } from '../problem.js'
import { type Asker, openFor } from './handler.js'

const lookMs = 250

export interface Waiting {
  readonly node: Pick<FrNode, 'open' | 'openTree'>
  readonly asker: Asker
  /** Whoever asks has gone, or the door closes. */
  readonly signal: AbortSignal
}

/**
 * A file of this tree that is all there; the caller closes it. Rejects as openFor: ERR_FR_NOT_HELD
 * where no push can bring it, and 503 where it does not come in time.
 */
export async function openArrived(
  { node, asker, signal }: Waiting,
  tree: string,
  name: string,
): Promise<OpenContent> {
  return awaited(signal, 'it still comes', async () => {
    // What the tree lacks is looked at first: it may become whole between the two.
    const isComing = await comes(node, tree)
    const content = await openFor(node, `${tree}/${name}`, asker).catch((error: unknown) => {
      if (isComing && error instanceof FrError && error.code === 'ERR_FR_NOT_HELD') return null
      throw error
    })
    if (content?.state === 'held') return content
    content?.close()
    return null
  })
}

/** What a look finds, once it is not null. Rejects with 503 where that takes too long. */
export async function awaited<T>(
  signal: AbortSignal,
  still: string,
  look: () => Promise<T | null>,
): Promise<T> {
  const untilMs = performance.now() + doorLimits.arriveMs
  for (;;) {
    const found = await look()
    if (found !== null) return found
    if (performance.now() >= untilMs) throw later(still)
    await delay(lookMs, null, { signal, ref: false })
  }
}

/** A push of the tree has not come to its end. */
async function comes(node: Waiting['node'], name: string): Promise<boolean> {
  const tree = await node.openTree(name).catch(() => null)
  await tree?.close()
  return tree !== null && tree.wholeAtMs === null
}

/** SHA-256 of what is held, 64 hex digits. Rejects with 503 where it takes too long. */
export async function sha256Within(content: OpenContent, signal: AbortSignal): Promise<string> {
  const found = await sha256By(content, performance.now() + doorLimits.arriveMs, signal)
  if (found === null) throw later('its SHA-256 is still worked out')
  return found
}

/** Null: it is still worked out at that time of `performance.now()`. */
export async function sha256By(
  content: OpenContent,
  untilMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  const known = content.knownSha256
  const leftMs = untilMs - performance.now()
  if (known !== null || leftMs <= 0) return known
  const over = new AbortController()
  const stop = AbortSignal.any([signal, over.signal])
  const late = delay(leftMs, null, { signal: stop, ref: false })
  try {
    return await Promise.race([content.sha256(), late])
  } finally {
    over.abort()
    late.catch(() => {})
  }
}

function later(text: string): HttpError {
  return new HttpError(503, 'ERR_FR_BUSY', text, { 'retry-after': '5' })
}

/** The whole of what is held. Rejects with ERR_FR_LIMIT for more than these bytes. */
export async function wholeOf(content: OpenContent, most: number): Promise<Buffer> {
  const size = content.size ?? 0
  if (size > most) throw new FrError('ERR_FR_LIMIT', `a file of more than ${most} bytes`)
  const parts: Uint8Array[] = []
  for (let at = 0; at < size; ) {
    const part = await content.read(at, size - at)
    if (part.length === 0) throw new FrError('ERR_FR_SOURCE_CHANGED')
    parts.push(part)
    at += part.length
  }
  return Buffer.concat(parts)
}
