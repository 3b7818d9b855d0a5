/**
 * What is still to be dealt of a file, and to whom: here strategies differ, and nowhere else. The
 * dealer (group.ts) takes units from it as relays have room, and gives back what a relay that is
 * out has not passed on.
 */
import type { RangePair, RangeSet } from '../../base/ranges.js'
import type { Strategy } from '../messages/types.js'
import type { DealtRelay } from './relay-queue.js'

export type CanRelay = (node: number) => boolean

export interface Stock {
  readonly strategy: Strategy
  /** How often nodes report their backlog while it changes. */
  readonly reportMs: number
  /** Bytes that are not dealt. */
  readonly openBytes: number
  /** These nodes take part from the start; nobody is dealt what is in `held`, or a hole. */
  start(nodes: readonly number[], held: Iterable<RangeSet>, holes: Iterable<RangePair>): void
  /** There is more of the content. Throws RangeError where all was divided at the start. */
  grow(range: RangePair): void
  /** Nothing before this is to be dealt any more. */
  forget(before: number): void
  /** Whether this node is ever dealt anything to relay. */
  mayRelay(node: number): boolean
  /** The part of the file that is this node's to relay; null: whatever it has room for. */
  share(node: number): RangePair | null
  /**
   * Chooses, unit after unit, which of these relays is dealt the next; undefined: none has room.
   * The others do not wait for a relay that is behind.
   */
  chooser(
    relays: readonly DealtRelay[],
    isBehind: (node: number) => boolean,
  ): () => DealtRelay | undefined
  /** Takes out the next unit for this relay, which was chosen. */
  take(node: number, bytesMax: number): RangePair
  /** Whether there is something for everybody, for when the origin would run dry. */
  hasSpare(canRelay: CanRelay): boolean
  /** Nobody but the origin can bring what is spare. */
  readonly isSpareOwed: boolean
  /** Takes out the next unit for everybody; there is one. */
  takeSpare(bytesMax: number, canRelay: CanRelay): RangePair
  /** The relay is out or gone: what it has not passed on is open again if others can relay it. */
  takeBack(relay: DealtRelay): void
  /** The last unit that this relay has not passed on, for everybody; undefined: nobody may. */
  takeLast(relay: DealtRelay): RangePair | undefined
  /** Bytes that this relay says it has passed on; null: nothing is dealt on its word. */
  claimedBytes(relay: DealtRelay): number | null
  /** What it falsely says it has passed on is open again, too. */
  takeBackClaims(relay: DealtRelay): void
  /** Removes from the set all that is open. */
  subtractFrom(set: RangeSet): void
}

/** Takes out the first bytes of a set that is not empty, in one piece. */
export function takeFirst(set: RangeSet, bytesMax: number): RangePair {
  const [offset, available] = set.first() as RangePair
  const length = Math.min(available, bytesMax)
  set.remove(offset, length)
  return [offset, length]
}
