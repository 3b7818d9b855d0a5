/** The holders of one content that a node knows: what each has, how near it is, when to ask it. */
import { limits } from '../../base/limits.js'
import type { SwarmAnswer, SwarmPeer } from '../messages/swarming.js'
import { lot, seedOf, UnitSet } from './units.js'

export interface Holder {
  peer: SwarmPeer
  readonly seed: number
  /** Of the node's own site. */
  isNear: boolean
  readonly isInitiator: boolean
  /** Undefined: it has said nothing yet. */
  have: UnitSet | undefined
  coming: UnitSet
  /** Milliseconds, the least that was seen of what waited for nothing. */
  rttMs: number
  open: number
  serviceMs: number
  heardMs: number
  /** When it may be asked again. */
  nextMs: number
  /** Units that the question under way may bring. */
  asked: number | null
  /** Units under way from it. */
  orders: number
  /** Something came from it, of which it was not told yet. */
  isOwed: boolean
  failures: number
  /** Answers in a row that gave nothing. */
  misses: number
}

export class Holders {
  readonly #all = new Map<string, Holder>()
  readonly #self: SwarmPeer
  readonly #initiatorId: string
  readonly #count: number

  constructor(self: SwarmPeer, initiator: SwarmPeer, count: number) {
    this.#self = self
    this.#initiatorId = initiator.nodeId
    this.#count = count
    this.meet(initiator, 0)
  }

  get size(): number {
    return this.#all.size
  }

  [Symbol.iterator](): IterableIterator<Holder> {
    return this.#all.values()
  }

  get(nodeId: string): Holder | undefined {
    return this.#all.get(nodeId)
  }

  /** Undefined: there is no place for it. */
  meet(peer: SwarmPeer, nowMs: number): Holder | undefined {
    if (peer.nodeId === this.#self.nodeId || peer.address === '') return undefined
    const isNear = peer.site === this.#self.site
    const known = this.#all.get(peer.nodeId)
    if (known !== undefined) {
      // Where it is reached it says best by being reached.
      if (known.failures > 0) known.peer = peer
      return known
    }
    if (this.#all.size >= limits.swarmPeers && !this.#makeRoom(isNear)) return undefined
    const holder: Holder = {
      ...{ peer, seed: seedOf(peer.nodeId), isNear },
      isInitiator: peer.nodeId === this.#initiatorId,
      ...{ have: undefined, coming: new UnitSet(this.#count), rttMs: 0, open: 0, serviceMs: 0 },
      ...{ heardMs: Number.NEGATIVE_INFINITY, nextMs: nowMs, asked: null },
      ...{ orders: 0, isOwed: false, failures: 0, misses: 0 },
    }
    this.#all.set(peer.nodeId, holder)
    return holder
  }

  /** The initiator stays, whatever it does. */
  failed(holder: Holder, nowMs: number): void {
    holder.failures++
    holder.have = undefined
    holder.coming = new UnitSet(this.#count)
    holder.nextMs = nowMs + Math.min(8, 2 ** (holder.failures - 1)) * limits.swarmAgainMs * 2
    const isOver = holder.failures >= limits.swarmFailures && holder.orders === 0
    if (isOver && !holder.isInitiator) this.#all.delete(holder.peer.nodeId)
  }

  answered(holder: Holder, answer: SwarmAnswer, rttMs: number, nowMs: number): void {
    holder.have = UnitSet.ofRuns(this.#count, answer.have)
    holder.coming = UnitSet.ofRuns(this.#count, answer.coming)
    holder.open = answer.open
    holder.serviceMs = answer.serviceMs
    holder.heardMs = nowMs
    holder.failures = 0
    holder.rttMs = holder.rttMs === 0 ? rttMs : Math.min(holder.rttMs, rttMs)
    holder.misses = answer.grants.length > 0 ? 0 : holder.misses + 1
  }

  /**
   * Those that may be asked now, nearest first, least busy among them; `seed` of who asks decides
   * between equal ones.
   */
  ranked(seed: number, nowMs: number): Holder[] {
    const free: { readonly holder: Holder; readonly rank: number }[] = []
    for (const holder of this.#all.values()) {
      if (holder.asked !== null || holder.nextMs > nowMs) continue
      const near = holder.isNear ? 0 : 1
      const doublings = Math.min(31, Math.ceil(Math.log2(Math.max(1, holder.rttMs))))
      const load = Math.min(63, holder.open + holder.orders)
      const rank = (near * 32 + doublings) * 64 + load + lot(seed, holder.seed) / 2 ** 32
      free.push({ holder, rank })
    }
    return free.sort((a, b) => a.rank - b.rank).map(({ holder }) => holder)
  }

  /** Who has failed goes, then one that is far for one that is near. */
  #makeRoom(isNear: boolean): boolean {
    const spare = [...this.#all.values()].filter(
      (holder) => holder.orders === 0 && holder.asked === null && !holder.isInitiator,
    )
    const out =
      spare.find(({ failures }) => failures > 0) ??
      (isNear ? spare.find((holder) => !holder.isNear) : undefined)
    if (out === undefined) return false
    return this.#all.delete(out.peer.nodeId)
  }
}
