/**
 * The stock of the strategy `classic`: FastReplica's equal, contiguous, block-aligned shares, one
 * for each node (Cherkasova & Lee, USITS 2003). A node is dealt its own share and nothing else, so
 * all is as fast as the slowest relay, by design. A node that joins later has no share and relays
 * nothing. When a node cannot relay any more, the origin brings everybody what its share has left.
 *
 * Equal shares are only as fast as the last of them. So the node with most left comes first, and
 * nobody is dealt more than a window ahead of it: a relay that runs ahead would take the origin's
 * uplink from the others, and idle in the end. A window is of the origin's feed alone: what a relay
 * has not forwarded holds up only those who lack it, because nobody else could forward it sooner.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { equalShares } from '../plan/plan.js'
import type { DealtRelay } from './relay-queue.js'
import { type CanRelay, type Stock, takeFirst } from './stock.js'

/** Whose everything is before the shares are made. */
const nobody = -1

export class Quotas implements Stock {
  readonly strategy = 'classic'
  readonly isSpareOwed = true
  /** A sign of life: no unit waits for a report. */
  readonly reportMs = limits.sameReportMs
  readonly #bytes: number
  readonly #blockBytes: number
  /** What is left of the share of each node that has one, also of nodes that are gone. */
  readonly #open = new Map<number, RangeSet>()
  /** The first piece of each share. */
  readonly #shares = new Map<number, RangePair>()

  constructor(bytes: number, blockBytes: number) {
    this.#bytes = bytes
    this.#blockBytes = blockBytes
    this.#open.set(nobody, RangeSet.of([[0, bytes]]))
  }

  get openBytes(): number {
    let sum = 0
    for (const open of this.#open.values()) sum += open.bytes
    return sum
  }

  start(nodes: readonly number[], held: Iterable<RangeSet>, holes: Iterable<RangePair>): void {
    const all = RangeSet.of([[0, this.#bytes]])
    for (const ranges of held) all.subtract(ranges)
    const lengths = equalShares(all.bytes, this.#blockBytes, nodes.length)
    this.#open.clear()
    for (const [i, node] of nodes.entries()) {
      const ranges = takeBytes(all, lengths[i]?.[1] ?? 0)
      if (ranges.length === 0) continue
      this.#shares.set(node, ranges[0] as RangePair)
      const open = RangeSet.of(ranges)
      for (const [offset, length] of holes) open.remove(offset, length)
      this.#open.set(node, open)
    }
  }

  grow(): never {
    throw new RangeError('equal shares of what grows cannot be dealt')
  }

  forget(): never {
    throw new RangeError('equal shares are dealt once')
  }

  mayRelay(node: number): boolean {
    return this.#open.has(node)
  }

  share(node: number): RangePair {
    return this.#shares.get(node) ?? [0, 0]
  }

  chooser(
    relays: readonly DealtRelay[],
    isBehind: (node: number) => boolean,
  ): () => DealtRelay | undefined {
    const level = relays.filter(({ node }) => !isBehind(node))
    return () => {
      const most = this.#left(this.#last(level))
      const hasRoom = (relay: DealtRelay): boolean =>
        this.#left(relay) + relay.window >= most && relay.isFeedOpen
      return this.#last(relays.filter(hasRoom))
    }
  }

  take(node: number, bytesMax: number): RangePair {
    return takeFirst(this.#open.get(node) as RangeSet, bytesMax)
  }

  hasSpare(canRelay: CanRelay): boolean {
    return this.#orphan(canRelay) !== undefined
  }

  takeSpare(bytesMax: number, canRelay: CanRelay): RangePair {
    return takeFirst(this.#orphan(canRelay) as RangeSet, bytesMax)
  }

  /** What it was dealt stays dealt: mates ask each other for it, and then the origin. */
  takeBack(): void {}

  takeLast(): undefined {
    return undefined
  }

  claimedBytes(): null {
    return null
  }

  takeBackClaims(): void {}

  subtractFrom(set: RangeSet): void {
    for (const open of this.#open.values()) set.subtract(open)
  }

  #left(relay: DealtRelay | undefined): number {
    return relay === undefined ? 0 : (this.#open.get(relay.node)?.bytes ?? 0)
  }

  /** The one of them with most left, if anything. */
  #last(relays: readonly DealtRelay[]): DealtRelay | undefined {
    let last: DealtRelay | undefined
    for (const relay of relays) if (this.#left(relay) > this.#left(last)) last = relay
    return last
  }

  /** What is left of a share that its node cannot relay. */
  #orphan(canRelay: CanRelay): RangeSet | undefined {
    for (const [node, open] of this.#open) if (!open.isEmpty && !canRelay(node)) return open
    return undefined
  }
}

/** Takes out the first bytes of the set, which has as many. */
function takeBytes(set: RangeSet, bytes: number): RangePair[] {
  const taken: RangePair[] = []
  for (let left = bytes; left > 0; ) {
    const part = takeFirst(set, left)
    taken.push(part)
    left -= part[1]
  }
  return taken
}
