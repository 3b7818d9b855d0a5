/**
 * How digests reach the nodes: with the heads of columns, who pass them on by turns, or directly,
 * where a relay or a feed that would have brought them is lost.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { Reach } from '../members/reach.js'
import type { Chain } from '../plan/chain.js'
import type { Beyond } from './beyond.js'
import type { Extent } from './extent.js'
import type { OriginOutbox } from './outbox.js'
import type { OriginSource } from './source.js'
import type { Verdicts } from './verdicts.js'

export class OriginDigestSends {
  readonly #chain: Chain
  readonly #source: OriginSource
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  readonly #reach: Reach
  readonly #verdicts: Verdicts
  readonly #extent: Extent
  readonly #beyond: Beyond
  /** Those to whom digests come directly, of some ranges. */
  readonly #direct = new Set<Peer>()
  #turn = 0

  constructor(
    chain: Chain,
    source: OriginSource,
    peers: Peers,
    outbox: OriginOutbox,
    { reach, beyond }: { readonly reach: Reach; readonly beyond: Beyond },
    verdicts: Verdicts,
    extent: Extent,
  ) {
    this.#extent = extent
    this.#beyond = beyond
    this.#chain = chain
    this.#source = source
    this.#peers = peers
    this.#outbox = outbox
    this.#reach = reach
    this.#verdicts = verdicts
  }

  /** The digests of a run are known. A complete node relays none: it needed all of them. */
  spread(offset: number, length: number): void {
    for (const other of this.#relayed(offset, length)) this.owes(other, [[offset, length]])
    for (const peer of this.#direct) {
      if (peer.phase === 'running') this.send(peer, peer.directDigests.present(offset, length))
      else this.#direct.delete(peer)
    }
  }

  /** What these heads were to pass on is brought again, once, by columns that are whole. */
  again(heads: Iterable<number>): void {
    for (const [offset, length] of this.#relayedBy(heads))
      for (const other of this.#relayed(offset, length)) this.direct(other, [[offset, length]])
  }

  /** A node has no feed any more from one that lives: what came to it that way comes directly. */
  edgeLost(from: number, to: Peer): void {
    const heads = this.#chain.columnsOver(from).flatMap((column) => {
      return this.#chain.headOf(column) ?? []
    })
    this.direct(to, this.#relayedBy(heads).toArray())
  }

  #relayedBy(heads: Iterable<number>): RangeSet {
    const ranges = new RangeSet()
    for (const head of new Set(heads))
      for (const range of this.#peers.of(head).relayedDigests) ranges.add(...range)
    return ranges
  }

  /** By one head to everybody. Returns those whom its column does not reach. */
  #relayed(offset: number, length: number): Peer[] {
    const relay = this.#relay()
    // All who relayed are gone: from here on everybody is told by the origin itself.
    if (relay === undefined) return [...this.#peers.serving].filter(isRunning)
    this.send(relay, [[offset, length]], this.#chain.routeFrom(relay.node))
    relay.relayedDigests.add(offset, length)
    const [column] = this.#chain.columnsFrom(relay.node)
    const beyond = column === undefined ? [] : this.#beyond.of(column)
    const others = beyond.map((node) => this.#peers.of(node))
    return [...new Set([...this.#reach.cutOff(relay), ...others])].filter(isRunning)
  }

  /** All that the node was to be told, because some of it may be lost. */
  resend(peer: Peer): void {
    this.send(peer, peer.relayedDigests, this.#chain.routeFrom(peer.node))
    this.send(peer, peer.directDigests)
    this.end(peer)
  }

  /** From here on this node is told of these ranges by the origin itself, and now. */
  direct(to: Peer, ranges: readonly RangePair[]): void {
    const { digests } = this.#source
    const blocks = RangeSet.of(ranges.map((range) => digests.blocksOf(range)))
    this.owes(to, blocks)
    this.send(to, blocks)
  }

  /** The same of all that there is, and that will be. */
  directAll(to: Peer): void {
    this.owesAll(to)
    this.send(to, [this.#extent.whole])
  }

  /** Whole runs, of which a part may be what is wanted. */
  send(to: Peer, ranges: Iterable<RangePair>, route = 0): void {
    for (const run of this.#source.digests.runs(ranges))
      this.#outbox.send(to, { type: 'sendDigests', member: to.node, ...run, route })
  }

  /** Who brings the digests of a run to everybody: relays take turns. */
  #relay(): Peer | undefined {
    const heads = this.#chain.heads.map((node) => this.#peers.of(node))
    const relays = heads.filter(({ phase, relay }) => phase === 'running' && relay === 'relays')
    const able = relays.filter((peer) => !this.#verdicts.excluded.has(peer.node))
    return able[this.#turn++ % able.length] ?? relays[0]
  }

  /** Where the content ends, as far as that is known. */
  end(to: Peer): void {
    this.send(to, [[this.#extent.bytes, 0]])
  }

  owesAll(to: Peer): void {
    this.owes(to, [this.#extent.everything])
  }

  /** The same for digests that are not known yet. */
  owes(to: Peer, ranges: Iterable<RangePair>): void {
    for (const [offset, length] of ranges) to.directDigests.add(offset, length)
    this.#direct.add(to)
  }
}

function isRunning({ phase }: Peer): boolean {
  return phase === 'running'
}
