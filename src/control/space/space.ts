/**
 * The address space of a transfer: every content has a span of it, so that whoever deals, asks and
 * counts handles one line of bytes, however many contents there are.
 *
 * Spans ascend in the order of the manifest, begin at a block of their content and never overlap.
 * What lies between the end of a content and the next span is padding: nobody has it, sends it or
 * waits for it.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'

/** Where a content lies in the space. */
export interface Span {
  readonly stream: number
  /** First byte in the space. */
  readonly base: number
  readonly size: number
}

/** A run of bytes of one content, `offset` within it. */
export interface StreamRun {
  readonly stream: number
  readonly offset: number
  readonly length: number
}

export class Space {
  readonly #spans: readonly Span[]
  readonly #byStream: ReadonlyMap<number, Span>

  /** `spans`: ascending, as a manifest has them. */
  constructor(spans: readonly Span[]) {
    this.#spans = spans
    this.#byStream = new Map(spans.map((span) => [span.stream, span]))
  }

  /** The parts of a range that lie in contents, in order; padding is left out. */
  runs([offset, length]: RangePair): StreamRun[] {
    const end = offset + length
    const runs: StreamRun[] = []
    for (let i = this.#indexOf(offset); i < this.#spans.length; i++) {
      const { stream, base, size } = this.#spans[i] as Span
      if (base >= end) break
      const from = Math.max(offset, base)
      const until = Math.min(end, base + size)
      if (from < until) runs.push({ stream, offset: from - base, length: until - from })
    }
    return runs
  }

  /** Where a run of a content lies in the space; null: no content has these bytes. */
  offsetOf({ stream, offset, length }: StreamRun): number | null {
    const span = this.#byStream.get(stream)
    return span === undefined || offset + length > span.size ? null : span.base + offset
  }

  /** The last span that begins at this offset or before it; 0 when none does. */
  #indexOf(offset: number): number {
    let [low, high] = [0, this.#spans.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.#spans[middle] as Span).base <= offset) low = middle
      else high = middle - 1
    }
    return Math.max(0, low)
  }
}

/** What of the space a content takes: whole blocks, so that the next one begins at a block. */
export function spanBytes(size: number, blockBytes: number): number {
  return Math.min(Math.ceil(size / blockBytes) * blockBytes, limits.spaceBytes)
}
