/**
 * What nodes ask the origin for because nobody else has it.
 *
 * The idea: where several nodes fail together, those that are left lack the same, and all ask. Each
 * byte is sent to the first of those who know each other; the others wait until it is there, and
 * are told to have it from that one. So it leaves the origin once, and is dealt on among them.
 * Whoever waited for somebody that has left, or for too long, is sent it after all.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Dealer } from '../dealing/dealer.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { OutgoingCount } from '../messages/facts.js'
import { detourFrames } from './frames.js'
import type { OriginOutbox } from './outbox.js'

/** Counters that were read before something was listed say nothing of it; and it is to land. */
const settleMs = 50

interface Sent {
  readonly ranges: RangeSet
  atMs: number
  /** All is there once so much was sent to it; null: no count has come since it was listed. */
  dueBytes: number | null
  /** Those who lack it as well, and since when they wait. */
  readonly waiting: Map<Peer, { readonly ranges: RangeSet; readonly sinceMs: number }>
}

type Answer = (peer: Peer, ranges: readonly RangePair[], nowMs: number) => void

export class OriginNeeds {
  readonly #dealer: Dealer
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  readonly #answer: Answer
  /** What was sent to each node that has asked, until it is there. */
  readonly #sent = new Map<number, Sent>()

  /** `answer`: has it sent. */
  constructor(dealer: Dealer, peers: Peers, outbox: OriginOutbox, answer: Answer) {
    this.#dealer = dealer
    this.#peers = peers
    this.#outbox = outbox
    this.#answer = answer
  }

  /** No repairs: who asks for one has bytes that are wrong. */
  asked(peer: Peer, ranges: readonly RangePair[], nowMs: number): void {
    const wanted = RangeSet.of(ranges)
    const { chain, shape } = this.#dealer
    if (this.#sent.size > 0 && shape !== 'unicast')
      for (const other of chain.neighbours(peer.node)) this.#wait(peer, other, wanted, nowMs)
    if (wanted.isEmpty) return
    const sent = this.#sent.get(peer.node) ?? fresh()
    this.#sent.set(peer.node, sent)
    sent.atMs = nowMs
    sent.dueBytes = null
    for (const range of wanted) sent.ranges.add(...range)
    this.#answer(peer, wanted.toArray(), nowMs)
  }

  /** Where all that was sent to it has come the others have it from there. */
  counted(count: OutgoingCount, nowMs: number): void {
    const { member, sentBytes, queuedBytes, unackedBytes } = count
    const sent = this.#sent.get(member)
    if (sent === undefined) return
    const isDrained = queuedBytes + unackedBytes === 0 && nowMs >= sent.atMs + settleMs
    sent.dueBytes ??= sentBytes + queuedBytes + sent.ranges.bytes
    if (isDrained || sentBytes - unackedBytes >= sent.dueBytes) this.#settle(member, sent)
  }

  /** It has all. */
  completed({ node }: Peer): void {
    const sent = this.#sent.get(node)
    if (sent !== undefined) this.#settle(node, sent)
  }

  /** It has left, or is silent. */
  left({ node }: Peer, nowMs: number): void {
    const sent = this.#sent.get(node)
    this.#sent.delete(node)
    for (const { waiting } of this.#sent.values()) waiting.delete(this.#peers.of(node))
    for (const [peer, { ranges }] of sent?.waiting ?? [])
      if (peer.phase === 'running') this.asked(peer, ranges.toArray(), nowMs)
  }

  /** What is on its way to the other one already is taken out of what is wanted. */
  #wait(peer: Peer, other: number, wanted: RangeSet, nowMs: number): void {
    const sent = this.#sent.get(other)
    if (sent === undefined || wanted.isEmpty) return
    const known = sent.waiting.get(peer)
    if (known !== undefined && nowMs >= known.sinceMs + limits.awayMs) return
    const rest = RangeSet.of(wanted)
    rest.subtract(sent.ranges)
    const common = RangeSet.of(wanted)
    common.subtract(rest)
    if (common.isEmpty) return
    const { ranges, sinceMs } = known ?? { ranges: new RangeSet(), sinceMs: nowMs }
    for (const range of common) ranges.add(...range)
    sent.waiting.set(peer, { ranges, sinceMs })
    wanted.subtract(common)
  }

  #settle(node: number, { waiting }: Sent): void {
    this.#sent.delete(node)
    for (const [peer, { ranges }] of waiting) {
      if (peer.phase !== 'running') continue
      for (const frame of detourFrames(this.#peers.of(node), 'held', ranges.toArray()))
        this.#outbox.say(peer, frame)
    }
  }
}

function fresh(): Sent {
  return { ranges: new RangeSet(), atMs: 0, dueBytes: null, waiting: new Map() }
}
