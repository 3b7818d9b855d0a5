/**
 * What simulated hosts do for a content that is still written: the origin's file becomes longer
 * step by step, and a node's engine takes nothing beyond what it was told may come.
 */
import { limits } from '../base/limits.js'
import type { RangePair } from '../base/ranges.js'
import type { CutSpec, GrowSpec } from '../ports.js'
import type { SimFile } from './content.js'
import type { SimChunk } from './feed.js'

/** There are so many bytes from this time on. */
export interface Step {
  readonly atMs: number
  readonly bytes: number
}

/** What an engine does not look at yet; `take` lets it land. */
interface Beyond {
  readonly chunk: SimChunk
  readonly sinceMs: number
  readonly take: () => void
}

export class GrowingStream {
  readonly #file: SimFile
  readonly #nowMs: () => number
  #size = 0
  #isFinal = false
  #cut: CutSpec | undefined
  /** In the order in which they came, by the feed that waits for them. */
  readonly #beyond = new Map<unknown, Beyond[]>()

  constructor(file: SimFile, nowMs: () => number) {
    this.#file = file
    this.#nowMs = nowMs
  }

  /** When everything before so many bytes was verified here: as readers are told it. */
  readonly reaches: { readonly atMs: number; readonly bytes: number }[] = []

  reached(bytes: number, frontierBytes: number): void {
    if (bytes > frontierBytes) throw new Error('a node has verified what there is not')
    if (!this.#file.landed.contains(0, bytes)) throw new Error('a node lacks what is read of it')
    this.reaches.push({ atMs: this.#nowMs(), bytes })
  }

  /** Milliseconds from when bytes were written to when they could be read here, by step. */
  lagsMs(steps: readonly Step[]): number[] {
    return steps.map(({ atMs, bytes }) => {
      const there = this.reaches.find((reach) => reach.bytes >= bytes)
      return (there?.atMs ?? Number.POSITIVE_INFINITY) - atMs
    })
  }

  /** Returns what may be told of by that: the short last block, where all of it is here. */
  grow({ size, isFinal = false }: GrowSpec): RangePair[] {
    if (this.#isFinal) throw new TypeError('the stream has its final size')
    this.#size = isFinal ? size : Math.max(this.#size, size)
    this.#isFinal = isFinal
    for (const [feed, waiting] of [...this.#beyond]) {
      this.#beyond.delete(feed)
      for (const one of waiting) if (!this.#waits(feed, one)) one.take()
    }
    const { bytes, blockBytes, landed } = this.#file
    const start = Math.floor(bytes / blockBytes) * blockBytes
    if (!isFinal || start === bytes || !landed.contains(start, bytes - start)) return []
    return [[start, bytes - start]]
  }

  /** True: the feed stands until more may come. */
  beyond(feed: unknown, chunk: SimChunk, take: () => void): boolean {
    return this.#waits(feed, { chunk, take, sinceMs: this.#nowMs() })
  }

  #waits(feed: unknown, one: Beyond): boolean {
    const { chunk, sinceMs } = one
    const waiting = this.#beyond.get(feed)
    const isBeyond = chunk.offset + chunk.length > this.#size
    if (waiting === undefined && !isBeyond) {
      if (this.#nowMs() - sinceMs >= limits.beyondMs)
        throw new Error('what a node may have came long before it was told so')
      return false
    }
    if (isBeyond && this.#isFinal) throw new Error('bytes came from behind the end')
    this.#beyond.set(feed, [...(waiting ?? []), one])
    return true
  }

  /** At the origin. */
  checkSend(offset: number, length: number): void {
    if (offset + length > this.#size) throw new TypeError('a range beyond what there is is sent')
  }

  /** Blocks that are whole before anybody knows where the content ends. */
  told(whole: readonly RangePair[]): RangePair[] {
    if (this.#isFinal) return [...whole]
    const { blockBytes } = this.#file
    return whole.filter(([offset, length]) => (offset + length) % blockBytes === 0)
  }

  cut(spec: CutSpec): void {
    this.#cut = spec
  }

  /** The cut that all of is here, once. */
  takeCut(): CutSpec | undefined {
    const cut = this.#cut
    if (cut === undefined || !this.#file.landed.contains(cut.offset, cut.length)) return undefined
    this.#cut = undefined
    return cut
  }

  /** As far as all before is here. */
  floorAt(before: number): number {
    const [first] = this.#file.landed.present(0, before)
    return first?.[0] === 0 ? first[1] : 0
  }
}
