/**
 * One announced content at one node: what is here of it, who asks for it, and the pull of it.
 *
 * The machines decide (control/swarm): the pull what to ask whom for, the deals what others are
 * given. Here are their time, their questions over status links, and their copies by order.
 */
import type { Division } from '../../base/division.js'
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { nowMs } from '../../base/time/awake.js'
import type { Announcement } from '../../control/messages/announcing.js'
import type { CopyOrder } from '../../control/messages/mastering.js'
import type { SwarmAnswer, SwarmAsk, SwarmPeer } from '../../control/messages/swarming.js'
import { Deals } from '../../control/swarm/deals.js'
import { Pull, type PullWish } from '../../control/swarm/pull.js'
import {
  bytesOf,
  type Geometry,
  geometryOf,
  UnitSet,
  unitsTouched,
} from '../../control/swarm/units.js'
import type { Dialler } from '../../net/dial.js'
import { Inquiry } from '../client.js'
import type { Playing } from '../content-progress.js'

/** How far one content is, for the status of the node. */
export interface PullProgress {
  readonly name: string
  readonly contentId: string
  /** That are wanted, in whole units; of these are here. */
  readonly bytes: number
  readonly hereBytes: number
  /** Nodes that send some of it now, and that are known to have some. */
  readonly sources: number
  readonly holders: number
  /** Why nothing comes; null: something does. */
  readonly reason: string | null
}

/** What a player needs before the media. */
function indexOf({ isLinear, tracks }: Division): readonly RangePair[] {
  return isLinear ? [] : (tracks[0]?.ranges ?? [])
}

export interface ContentSpec {
  readonly announcement: Announcement
  /** This node, as others reach it. */
  readonly self: SwarmPeer
  readonly dialler: () => Dialler
  /** Other nodes of its site. */
  readonly mates: () => readonly SwarmPeer[]
  /** Has these bytes copied; `ended` is called once, unless what it returns has stopped it. */
  readonly copy: (order: Omit<CopyOrder, 'copy'>, ended: (isRight: boolean) => void) => () => void
  /** All that is wanted has come. */
  readonly complete: () => void
}

export class PulledContent {
  readonly announcement: Announcement
  readonly geometry: Geometry
  readonly #spec: ContentSpec
  readonly #deals: Deals
  readonly #waiting = new Map<number, (answer: SwarmAnswer) => void>()
  readonly #inquiries = new Map<string, Inquiry>()
  /** Each stops a copy that is under way; by the number of its order. */
  readonly #copies = new Map<number, () => void>()
  readonly #closing = new AbortController()
  /** What others may be sent. */
  #served: UnitSet
  #pull: Pull | undefined
  #isTold = false
  #timer: NodeJS.Timeout | undefined
  #dueMs = Number.POSITIVE_INFINITY
  #nextAsk = 0
  #nextPlayer = 0

  constructor(spec: ContentSpec) {
    const { announcement, self } = spec
    this.#spec = spec
    this.announcement = announcement
    this.geometry = geometryOf(announcement.size, announcement.division.blockBytes)
    const { count } = this.geometry
    const isInitiator = announcement.initiator.nodeId === self.nodeId
    this.#deals = new Deals({ count, isInitiator, site: self.site })
    this.#served = new UnitSet(count)
  }

  /** `contentId` null: whichever of the name is pulled now. */
  isOf(name: string, contentId: string | null): boolean {
    if (this.announcement.name !== name) return false
    return contentId === null ? this.isPulling : this.announcement.contentId === contentId
  }

  /** It is pulled, or was, as far as it is wanted. */
  get isPulled(): boolean {
    return this.#pull !== undefined
  }

  get isPulling(): boolean {
    return this.#pull !== undefined && !this.#pull.isComplete
  }

  /** Null: it is not pulled now. */
  get progress(): PullProgress | null {
    const pull = this.#pull
    if (pull === undefined || pull.isComplete) return null
    const { name, contentId } = this.announcement
    const sum = (units: readonly number[]) =>
      units.reduce((bytes, unit) => bytes + bytesOf(this.geometry, unit, 1)[1], 0)
    const hereBytes = sum(pull.order.filter((unit) => pull.have.has(unit)))
    const { sources, holders } = pull
    const all = [...holders]
    const isReached = all.some(({ failures }) => failures === 0)
    const why = isReached ? 'no node gives any of it yet' : 'no node that has it can be reached'
    return {
      ...{ name, contentId, bytes: sum(pull.order), hereBytes, sources },
      holders: all.filter(({ have }) => have !== undefined && have.size > 0).length,
      reason: sources > 0 ? null : why,
    }
  }

  /** What is here and may be served; null: all of it. */
  held(ranges: readonly RangePair[] | null): void {
    const { geometry } = this
    this.#served =
      ranges === null
        ? UnitSet.ofRuns(geometry.count, [[0, geometry.count]])
        : UnitSet.within(geometry, ranges)
    const pull = this.#pull
    if (pull !== undefined) {
      const have = new UnitSet(geometry.count)
      have.addAll(pull.have)
      have.addAll(this.#served)
      pull.held(have)
    }
    this.#turn()
  }

  gone(): void {
    this.#served = new UnitSet(this.geometry.count)
    this.#pull?.held(new UnitSet(this.geometry.count))
    this.#turn()
  }

  /** Units in order of delivery. */
  pull(order: readonly number[]): void {
    if (this.#pull !== undefined) return
    const { announcement, self, mates } = this.#spec
    const { contentId, initiator } = announcement
    const { count } = this.geometry
    const have = new UnitSet(count)
    have.addAll(this.#served)
    const index = unitsTouched(this.geometry, indexOf(this.announcement.division))
    this.#pull = new Pull({ contentId, count, order, index, self, initiator }, have, nowMs())
    for (const mate of mates()) this.#pull.met(mate, nowMs())
    this.#turn()
  }

  /** Somebody reads it here while it comes: what comes next for them goes before the rest. */
  play(): Playing {
    const player = this.#nextPlayer++
    const { unitBytes, count } = this.geometry
    let first = -1
    return {
      at: (offset) => {
        const unit = Math.floor(offset / unitBytes)
        if (unit === first || this.#pull === undefined) return
        first = unit
        const many = Math.max(0, Math.min(limits.swarmPlayed, count - unit))
        const units = Array.from({ length: many }, (_, next) => unit + next)
        this.#pull.played(player, units, nowMs())
        this.#turn()
      },
      end: () => {
        this.#pull?.left(player)
        if (first >= 0) this.#turn()
      },
    }
  }

  /** What came stays. */
  close(): void {
    this.#pull = undefined
    this.#closing.abort()
    for (const stop of this.#copies.values()) stop()
    this.#copies.clear()
    for (const inquiry of this.#inquiries.values()) inquiry.close()
    this.#inquiries.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#waiting.clear()
  }

  /** Answers somebody who may have the content. */
  asked(peer: SwarmPeer, ask: SwarmAsk): Promise<SwarmAnswer> {
    const number = this.#nextAsk++
    return new Promise((resolve) => {
      this.#deals.asked(number, peer, ask, nowMs())
      for (const earlier of this.#waiting.keys())
        if (!this.#deals.isWaiting(earlier)) this.#waiting.delete(earlier)
      this.#waiting.set(number, resolve)
      this.#pull?.met(peer, nowMs())
      this.#turn()
    })
  }

  #turn(): void {
    const now = nowMs()
    const pull = this.#pull
    const coming = pull?.coming ?? new UnitSet(this.geometry.count)
    for (const { ask, answer } of this.#deals.due({ have: this.#served, coming }, now)) {
      this.#waiting.get(ask)?.(answer)
      this.#waiting.delete(ask)
    }
    for (const wish of pull?.due(now) ?? []) this.#carryOut(pull as Pull, wish)
    if (pull?.isComplete === true && !this.#isTold) {
      this.#isTold = true
      this.#spec.complete()
    }
    this.#wake(Math.min(this.#deals.dueMs, this.#pull?.nextMs(now) ?? Number.POSITIVE_INFINITY))
  }

  /** At this time at the latest. */
  #wake(atMs: number): void {
    if (this.#timer !== undefined && atMs >= this.#dueMs) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (atMs === Number.POSITIVE_INFINITY) return
    this.#dueMs = atMs
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#turn()
      },
      Math.max(1, atMs - nowMs()),
    )
  }

  #carryOut(pull: Pull, wish: PullWish): void {
    if (wish.type === 'ask') return void this.#ask(pull, wish.to, wish.ask)
    if (wish.type === 'stop') {
      this.#copies.get(wish.order)?.()
      this.#copies.delete(wish.order)
      return
    }
    const { order, first, count, from } = wish
    const { name, contentId, digest, size } = this.announcement
    const { nodeId, address } = from
    const source = { name: nodeId, nodeId, address }
    const range = bytesOf(this.geometry, first, count)
    const said = { name, contentId, digest, size, isGrowing: false }
    const bytesPerSecond = Number.POSITIVE_INFINITY
    const stop = this.#spec.copy({ ...said, range, source, bytesPerSecond }, (isRight) => {
      this.#copies.delete(order)
      pull.ended(order, isRight, nowMs())
      this.#turn()
    })
    this.#copies.set(order, stop)
  }

  async #ask(pull: Pull, to: SwarmPeer, ask: SwarmAsk): Promise<void> {
    const { name } = this.announcement
    const askedMs = nowMs()
    const { signal } = this.#closing
    const inquiry = this.#inquiryTo(to)
    let answer: SwarmAnswer | undefined
    try {
      const within = { timeoutMs: limits.swarmAnswerMs, signal }
      answer = await inquiry.ask({ type: 'swarm', name, ...ask }, 'swarmed', within)
    } catch {
      if (this.#inquiries.get(to.nodeId) === inquiry) this.#inquiries.delete(to.nodeId)
      inquiry.close()
    }
    if (this.#pull !== pull) return
    const now = nowMs()
    if (answer === undefined) pull.unanswered(to.nodeId, now)
    else pull.answered(to.nodeId, answer, now - askedMs, now)
    this.#turn()
  }

  #inquiryTo({ nodeId, address }: SwarmPeer): Inquiry {
    const known = this.#inquiries.get(nodeId)
    if (known !== undefined) return known
    const inquiry = new Inquiry(this.#spec.dialler(), address, nodeId)
    this.#inquiries.set(nodeId, inquiry)
    return inquiry
  }
}
