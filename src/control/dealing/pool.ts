/**
 * The stock of the strategy `adaptive`: one pool, dealt front to back. The next unit goes to the
 * relay whose queue is emptiest in windows, so that shares settle at what each uplink can carry,
 * without anybody measuring first. What no relay has room for goes to everybody directly.
 *
 * With `first` all is dealt to one relay: this node, or while it cannot relay the next one in
 * number. Nothing goes to everybody then as long as somebody can relay: other pushes of the same
 * set have relays of their own to feed meanwhile.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { DealtRelay } from './relay-queue.js'
import { type CanRelay, type Stock, takeFirst } from './stock.js'

export class Pool implements Stock {
  readonly strategy = 'adaptive'
  readonly isSpareOwed = false
  readonly reportMs = 25
  readonly #open = new RangeSet()
  readonly #first: number | undefined
  /** Those that took part at the start. */
  #nodes: readonly number[] = []

  constructor(bytes: number, first?: number) {
    this.#open.add(0, bytes)
    this.#first = first
  }

  get openBytes(): number {
    return this.#open.bytes
  }

  start(nodes: readonly number[], held: Iterable<RangeSet>, holes: Iterable<RangePair>): void {
    this.#nodes = nodes
    for (const ranges of held) this.#open.subtract(ranges)
    for (const [offset, length] of holes) this.#open.remove(offset, length)
  }

  /** Also a node that is alone: its units are its history for a node that joins. */
  grow([offset, length]: RangePair): void {
    this.#open.add(offset, length)
  }

  forget(before: number): void {
    this.#open.remove(0, before)
  }

  mayRelay(): boolean {
    return true
  }

  share(): null {
    return null
  }

  chooser(
    relays: readonly DealtRelay[],
    isBehind: (node: number) => boolean,
  ): () => DealtRelay | undefined {
    const level = relays.filter(({ node }) => !isBehind(node))
    const able = this.#inTurn(level.length > 0 ? level : relays)
    const leftSeconds = this.#secondsLeft(able)
    return () => (this.#open.isEmpty ? undefined : emptiest(able, leftSeconds))
  }

  take(_: number, bytesMax: number): RangePair {
    return takeFirst(this.#open, bytesMax)
  }

  hasSpare(canRelay: CanRelay): boolean {
    if (this.#open.isEmpty) return false
    return this.#first === undefined || !this.#nodes.some(canRelay)
  }

  takeSpare(bytesMax: number): RangePair {
    return takeFirst(this.#open, bytesMax)
  }

  takeBack(relay: DealtRelay): void {
    for (const range of relay.takeBack()) this.#open.add(...range)
  }

  takeLast(relay: DealtRelay): RangePair | undefined {
    return this.#first === undefined ? relay.takeBackLast() : undefined
  }

  claimedBytes(relay: DealtRelay): number {
    return relay.claimedBytes
  }

  takeBackClaims(relay: DealtRelay): void {
    for (const range of relay.takeBackClaims()) this.#open.add(...range)
  }

  subtractFrom(set: RangeSet): void {
    set.subtract(this.#open)
  }

  /** Those of these relays that are dealt anything, in the order of their numbers as they come. */
  #inTurn(relays: readonly DealtRelay[]): readonly DealtRelay[] {
    const first = this.#first
    if (first === undefined) return relays
    const next = relays.find(({ node }) => node >= first) ?? relays[0]
    return next === undefined ? [] : [next]
  }

  /**
   * How long the pool will last: near the end nobody is dealt what it could not forward in time.
   */
  #secondsLeft(relays: readonly DealtRelay[]): number {
    let rate = 0
    let bytes = this.#open.bytes
    for (const relay of relays) {
      rate += relay.rate
      bytes += Math.max(0, relay.queue)
    }
    return rate === 0 ? Number.POSITIVE_INFINITY : bytes / rate
  }
}

/** The relay whose queue is emptiest in windows and still has room for a unit. */
function emptiest(relays: readonly DealtRelay[], leftSeconds: number): DealtRelay | undefined {
  let best: DealtRelay | undefined
  let least = Number.POSITIVE_INFINITY
  for (const relay of relays) {
    const fill = relay.fill
    if (fill >= least || !relay.hasRoom(leftSeconds)) continue
    best = relay
    least = fill
  }
  return best
}
