/**
 * Who sums the reports of a group, so that the coordinator of many hears each group and not each
 * node.
 *
 * The idea: a leader passes on the words of its mates and its own; nothing is decided by it. The
 * first group of several reports for itself, because the deal is steered by it, and so does a
 * single group. A leader that is not heard of for a while is none any more: another one is named in
 * the next epoch, long before anybody would be suspected, and until it is linked to its mates these
 * report for themselves. A mate of whom its leader says nothing new for a while reports for itself,
 * until there is another leader: the path between the two may be cut, or the leader is no honest
 * one. Silence that goes on after that is the silence of the node.
 */
import { LeastFirst } from '../../base/least-first.js'
import { limits } from '../../base/limits.js'
import { isPossible } from '../members/counts.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { Frame } from '../messages/types.js'
import type { Chain } from '../plan/chain.js'
import type { Extent } from './extent.js'

/** Round trips by which the times of a far node are longer: a lost word costs about two. */
const roundTrips = 4

export class Leaders {
  readonly #chain: Chain
  readonly #peers: Peers
  readonly #extent: Extent
  /** By node, the leader of its group. */
  readonly #leaders = new Map<number, number>()
  /** When each node of such a group is to have been heard of. */
  readonly #times = new LeastFirst<number>()
  /** Nodes that have just been given another leader. */
  readonly #moved = new Set<number>()
  readonly #everNamed = new Set<number>()
  /** Leaders that were not heard of in time. */
  readonly #dropped = new Set<number>()
  /** Nodes that were not heard of by way of their leader. */
  readonly #alone = new Set<number>()

  constructor(chain: Chain, peers: Peers, extent: Extent) {
    this.#extent = extent
    this.#chain = chain
    this.#peers = peers
  }

  /** Whom this node reports to; null: the coordinator itself. */
  of({ node }: Peer): number | null {
    const group = this.#groupOf(node)
    if (group === undefined) return null
    const before = this.#leaders.get(node)
    const leader =
      before !== undefined && group.includes(before) && this.#isAble(before)
        ? before
        : group.find((one) => this.#isAble(one) && !this.#alone.has(one))
    if (leader !== undefined && leader !== before) this.#everNamed.add(leader)
    for (const one of group) if (this.#leaders.get(one) !== leader) this.#follow(one, leader)
    return leader === undefined || leader === node || this.#alone.has(node) ? null : leader
  }

  #follow(node: number, leader: number | undefined): void {
    this.#alone.delete(node)
    this.#times.delete(node)
    if (leader === undefined) {
      this.#leaders.delete(node)
      return
    }
    this.#leaders.set(node, leader)
    this.#moved.add(node)
  }

  /** Whether reports of this node, or those that it sums, come less often. */
  isLed(node: number): boolean {
    return this.#leaders.has(node)
  }

  /**
   * A leader is heard: its own words, and of those of its mates what can be true. What others have
   * it say that are none is left out: it only passes on what it is sent.
   */
  heard({ node }: Peer, { of }: Frame & { type: 'reports' }, nowMs: number): [Peer, Frame][] {
    if (this.#leaders.get(node) === node) this.spoke(this.#peers.of(node), nowMs)
    const mates = new Set([node, ...(this.#everNamed.has(node) ? this.#chain.mates(node) : [])])
    const words: [Peer, Frame][] = []
    for (const { member, progress, backlog } of of) {
      const peer = member < this.#peers.length ? this.#peers.of(member) : undefined
      // One that is out since then may still be named.
      if (peer?.isServing !== true || !mates.has(member) || this.#alone.has(member)) continue
      if (member !== node && progress !== null && !isPossible(progress, this.#extent.bytes))
        continue
      for (const report of [progress, backlog]) if (report !== null) words.push([peer, report])
    }
    return words
  }

  /** A node has reported something new, itself or by way of its leader. */
  spoke({ node, rttMs }: Peer, nowMs: number): void {
    const leader = this.#leaders.get(node)
    if (leader === undefined || this.#alone.has(node)) return
    const withinMs = leader === node ? limits.leaderMs : limits.ledMs
    this.#times.set(node, nowMs + withinMs + roundTrips * rttMs)
  }

  /** When the next node is to have been heard of. */
  get dueMs(): number {
    return this.#times.least
  }

  /** Drops those that were not heard of; returns the nodes that report elsewhere now. */
  advance(nowMs: number): number[] {
    for (const node of this.#moved)
      this.#times.set(node, nowMs + limits.leaderFirstMs + roundTrips * this.#peers.of(node).rttMs)
    this.#moved.clear()
    const silent = this.#times.upTo(nowMs).filter((node) => {
      this.#times.delete(node)
      return this.#peers.of(node).isServing
    })
    for (const node of silent) if (this.#leaders.get(node) === node) this.#dropped.add(node)
    return silent.flatMap((node) => {
      if (this.#dropped.has(this.#leaders.get(node) as number)) return this.#groupOf(node) ?? []
      this.#alone.add(node)
      return [node]
    })
  }

  /** In a fixed order; undefined: nobody sums for this node. */
  #groupOf(node: number): number[] | undefined {
    if (this.#chain.isOne || this.#chain.isHead(node)) return undefined
    const group = [node, ...this.#chain.mates(node)].sort((a, b) => a - b)
    return group.length === 1 ? undefined : group
  }

  #isAble(node: number): boolean {
    const { isServing, presence, hasLink, isReceiver } = this.#peers.of(node)
    return isServing && hasLink && presence === 'alive' && isReceiver && !this.#dropped.has(node)
  }
}
