/**
 * Pulls at a node's machine, both ways: what this node lacks is asked of mates (puller.ts), and of
 * the origin where they fail; what mates ask for is answered from the ledger (holder.ts). Turns
 * facts about pulls into wishes and decides nothing itself. It must never promise bytes that are
 * not verified.
 */
import { type Detection, detectionOf } from '../../base/detection.js'
import type { FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { type RangeSet, slicesOf } from '../../base/ranges.js'
import { type BlockBytes, blockBytesAt } from '../../base/sections.js'
import type { Ledger } from '../holdings/ledger.js'
import type { MemberFact, MemberWish } from '../messages/facts.js'
import {
  type Frame,
  type Mate,
  originNumber,
  type PlanFrame,
  type PullReport,
} from '../messages/types.js'
import type { ServeWish } from './events.js'
import { Feeders } from './feeders.js'
import { pullFault } from './holder.js'
import { Puller } from './puller.js'

export type NodePullWish = MemberWish | ServeWish

/** When silence counts; undefined: as usual. */
export interface SilenceWish {
  readonly silenceMs: number
  readonly detection?: Detection | undefined
}

export class NodePulls {
  readonly #ledger: Ledger
  readonly #blockBytes: number
  readonly #puller: Puller
  readonly #feeders: Feeders

  /** Blocks that grow with the content are asked for in parts, where they are larger. */
  constructor(ledger: Ledger, blockBytes: BlockBytes, silence: SilenceWish) {
    this.#ledger = ledger
    this.#blockBytes = blockBytesAt(0, blockBytes)
    this.#puller = new Puller(this.#blockBytes)
    this.#feeders = new Feeders(silence.detection ?? detectionOf({}, silence.silenceMs))
  }

  /** Landed after mates had promised them. */
  get pulledBytes(): number {
    return this.#puller.pulledBytes
  }

  /** The same by mate. */
  get pulled(): PullReport[] {
    return this.#puller.pulled
  }

  isLinked(member: number): boolean {
    return this.#puller.isLinked(member)
  }

  /** Has a link opened to the mate, unless there is one or one is being opened. */
  link(member: number, nowMs: number): NodePullWish[] {
    return this.#puller.link(member, nowMs) ? [{ type: 'connect', member }] : []
  }

  /** Mates that were not known before, and the plan that names them. */
  met(mates: readonly Mate[], { members, you }: PlanFrame): void {
    this.#feeders.you = you
    this.#puller.introduce(mates, you, members.find(({ number }) => number === you)?.site)
  }

  /** These are asked for nothing for now, and nobody else is avoided. */
  avoid(members: readonly number[], nowMs: number): void {
    this.#puller.avoid(new Set(members), nowMs)
  }

  /** Whole blocks that this node lacks. */
  want(ranges: RangeSet, nowMs: number): void {
    this.#puller.want(ranges, nowMs)
  }

  landed(offset: number, length: number, nowMs: number): void {
    this.#puller.landed(offset, length, nowMs)
  }

  /** A data connection from the mate has ended. */
  unfed(member: number, code: FrErrorCode | null, nowMs: number): void {
    this.#feeders.unfed(member)
    this.#puller.unfed(member, code, nowMs)
  }

  /** The mate takes no part any more. */
  gone(member: number, nowMs: number): NodePullWish {
    this.#feeders.unfed(member)
    this.#puller.gone(member, nowMs)
    return { type: 'hangUp', member }
  }

  /** Payload that has come on the feed of a mate, in all. */
  received(member: number, bytes: number, nowMs: number): void {
    // The origin is heard on its own link, and judged there.
    if (member !== originNumber) this.#feeders.received(member, bytes, nowMs)
    this.#puller.received(member, bytes, nowMs)
  }

  /** Members that bring nothing and have been asked for a word. */
  get silent(): readonly number[] {
    return this.#feeders.silent
  }

  /** Mates that have been asked for bytes. */
  get asked(): readonly number[] {
    return this.#puller.asked
  }

  /** The link to a mate is open. */
  linked({ member, rttMs = Number.POSITIVE_INFINITY }: MemberFact & { type: 'linked' }): void {
    this.#puller.linked(member, rttMs)
  }

  /** The link to a mate could not be opened, or is gone. */
  unlinked({ member, code }: MemberFact & { type: 'unlinked' }, nowMs: number): void {
    this.#puller.unlinked(member, code, nowMs)
  }

  /** A mate asks, or answers. */
  said(member: number, frame: Frame, nowMs: number): NodePullWish[] {
    this.#feeders.said(member, nowMs)
    if (frame.type === 'pull') return [this.#asked(member, frame)]
    if (frame.type === 'needDigests') return [{ type: 'prove', member, ranges: frame.ranges }]
    if (frame.type === 'holding' || frame.type === 'pullRefused')
      this.#puller.answered(member, frame, nowMs)
    return []
  }

  /** Whatever follows from the state and the time. */
  advance(nowMs: number): NodePullWish[] {
    const { ask, missed } = this.#ledger.isVerified ? nobody : this.#feeders.advance(nowMs)
    const words = ask.flatMap((member): NodePullWish[] => [
      ...this.link(member, nowMs),
      { type: 'say', member, frame: { type: 'beat' } },
    ])
    const told = missed.map((member): NodePullWish => {
      return { type: 'say', member: originNumber, frame: { type: 'missed', member } }
    })
    return [...words, ...told, ...this.#pulled(nowMs)]
  }

  #pulled(nowMs: number): NodePullWish[] {
    return this.#puller.advance(nowMs).flatMap((wish): NodePullWish[] => {
      if (wish.type !== 'need') return [wish]
      const frames = needFrames(false, wish.ranges)
      return frames.map((frame) => ({ type: 'say', member: originNumber, frame }))
    })
  }

  deadlineMs(): number | null {
    const at = this.#puller.deadlineMs()
    const { dueMs } = this.#feeders
    if (this.#ledger.isVerified || dueMs === Number.POSITIVE_INFINITY) return at
    return Math.min(at ?? dueMs, dueMs)
  }

  #asked(member: number, frame: Frame & { type: 'pull' }): ServeWish {
    const { request, ranges } = frame
    const failure = pullFault(frame, this.#ledger.mostBytes, this.#blockBytes)
    if (failure !== null) return { type: 'reject', member, request, failure }
    return { type: 'serve', member, request, ranges: this.#ledger.held(ranges) }
  }
}

const nobody = { ask: [], missed: [] }

/** What the origin is asked for. `scratch`: repairs. */
export function needFrames(scratch: boolean, ranges: RangeSet): Frame[] {
  // Repairs name exact blocks, so they are cut into frames; other needs may cover too much.
  const list = scratch ? ranges.toArray() : ranges.compacted(limits.needRanges)
  return slicesOf(list, limits.needRanges).map((ranges) => ({ type: 'need', scratch, ranges }))
}
