/** The contents of a transfer, each with its place in the address space. */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { BlockBytes } from '../../base/sections.js'
import { Space, type Span } from '../../control/space/space.js'
import type { FeedHandle, SendSpec, TransferHandle } from '../../ports.js'
import type { SignedContent } from '../../protocol/digest-record.js'
import type { FeedEngine } from './ports.js'

export interface Content extends SignedContent, Span {
  /** Public key of whoever signs its digests, 64 hex digits. */
  readonly author: string
  /** Of one that is still written `size` is its span: the most that it may come to. */
  readonly blockBytes: BlockBytes
}

export class Contents {
  readonly space: Space
  readonly #byStream: ReadonlyMap<number, Content>

  /** In the order of the manifest. */
  constructor(contents: readonly Content[]) {
    this.space = new Space(contents)
    this.#byStream = new Map(contents.map((content) => [content.stream, content]))
  }

  of(stream: number): Content | undefined {
    return this.#byStream.get(stream)
  }

  /** Lists what of a range of the space is no padding. Throws FrError when the feed is full. */
  send(
    engine: FeedEngine,
    feed: FeedHandle,
    range: RangePair,
    how: Omit<SendSpec, 'stream' | 'offset' | 'length'>,
  ): void {
    for (const run of this.space.runs(range)) engine.send(feed, { ...run, ...how })
  }

  /** These bytes are passed on with the route, when they are there. */
  assign(engine: FeedEngine, transfer: TransferHandle, range: RangePair, route: number): void {
    for (const run of this.space.runs(range)) engine.assign(transfer, { ...run, route })
  }

  /** Who is at the other end of the feed lacks nothing before `end` but these. */
  skip(
    engine: FeedEngine,
    feed: FeedHandle,
    lacks: Iterable<RangePair>,
    end = Number.POSITIVE_INFINITY,
  ): void {
    const lacking = RangeSet.of(lacks)
    for (const { base, size } of this.#byStream.values())
      for (const range of lacking.missing(base, Math.min(size, end)))
        for (const run of this.space.runs(range)) engine.skip(feed, run)
  }

  /** These bytes are in the files already. */
  hold(engine: FeedEngine, transfer: TransferHandle, range: RangePair): void {
    for (const run of this.space.runs(range)) engine.hold(transfer, run)
  }
}
