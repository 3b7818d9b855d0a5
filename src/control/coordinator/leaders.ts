/**
 * Who sums the reports of a group, so that the coordinator of many hears each group and not each
 * node.
 *
 * The idea: a leader passes on the words of its mates and its own; nothing is decided by it. The
 * first group of several reports for itself, because the deal is steered by it, and so does a
 * single group. A leader that is not heard of for a while is none any more: another one is named in
 * the next epoch, long before anybody would be suspected, and until it is linked to its mates these
 * report for themselves. It is a member like the others, and its own silence is its own matter.
 */
import { LeastFirst } from '../../base/least-first.js'
import { limits } from '../../base/limits.js'
import { isPossible } from '../members/counts.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { Frame } from '../messages/types.js'
import type { Chain } from '../plan/chain.js'

export class Leaders {
  readonly #chain: Chain
  readonly #peers: Peers
  readonly #bytes: number
  /** By node, the leader of its group. */
  readonly #leaders = new Map<number, number>()
  /** When each of them is to have been heard of. */
  readonly #times = new LeastFirst<number>()
  /** Those that have just been named. */
  readonly #named = new Set<number>()
  readonly #everNamed = new Set<number>()
  /** Those that were not. */
  readonly #dropped = new Set<number>()

  /** `bytes`: of the file. */
  constructor(chain: Chain, peers: Peers, bytes: number) {
    this.#bytes = bytes
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
        : group.find((one) => this.#isAble(one))
    if (leader !== before && before !== undefined) this.#times.delete(before)
    if (leader !== undefined && leader !== before) {
      this.#named.add(leader)
      this.#everNamed.add(leader)
    }
    for (const one of group)
      if (leader === undefined) this.#leaders.delete(one)
      else this.#leaders.set(one, leader)
    return leader === undefined || leader === node ? null : leader
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
    if (this.#leaders.get(node) === node) this.#times.set(node, nowMs + limits.leaderMs)
    const mates = new Set([node, ...(this.#everNamed.has(node) ? this.#chain.mates(node) : [])])
    const words: [Peer, Frame][] = []
    for (const { member, progress, backlog } of of) {
      const peer = member < this.#peers.length ? this.#peers.of(member) : undefined
      // One that is out since then may still be named.
      if (peer?.isServing !== true || !mates.has(member)) continue
      if (member !== node && progress !== null && !isPossible(progress, this.#bytes)) continue
      for (const report of [progress, backlog]) if (report !== null) words.push([peer, report])
    }
    return words
  }

  /** When the next leader is to have been heard of. */
  get dueMs(): number {
    return this.#times.least
  }

  /** Drops those that were not heard of; returns the nodes that report elsewhere now. */
  advance(nowMs: number): number[] {
    for (const leader of this.#named) this.#times.set(leader, nowMs + limits.leaderFirstMs)
    this.#named.clear()
    return this.#times.upTo(nowMs).flatMap((leader) => {
      this.#times.delete(leader)
      this.#dropped.add(leader)
      return this.#groupOf(leader) ?? []
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
