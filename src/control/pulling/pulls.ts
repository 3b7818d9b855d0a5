/**
 * Pulls at a node's machine, both ways: what this node lacks is asked of mates (puller.ts), and of
 * the origin where they fail; what mates ask for is answered from the ledger (holder.ts). Turns
 * facts about pulls into commands and decides nothing itself. It must never promise bytes that are
 * not verified.
 */
import type { FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { RangeSet } from '../../base/ranges.js'
import type { StreamLedger } from '../holdings/ledger.js'
import type { Frame, Mate, PlanFrame, PullReport } from '../messages/types.js'
import type { PullCommand, PullEvent } from './events.js'
import { pullFault } from './holder.js'
import { Puller } from './puller.js'

/** Requests to the origin (`send`), and looks at counters, come beside those to mates. */
export type PullWish =
  | PullCommand
  | { readonly type: 'send'; readonly frame: Frame }
  | { readonly type: 'sample' }

export class NodePulls {
  readonly #ledger: StreamLedger
  readonly #puller: Puller

  constructor(ledger: StreamLedger) {
    this.#ledger = ledger
    this.#puller = new Puller(ledger.blockBytes)
  }

  /** Landed after mates had promised them. */
  get pulledBytes(): number {
    return this.#puller.pulledBytes
  }

  /** The same by mate. */
  get pulled(): PullReport[] {
    return this.#puller.pulled
  }

  /** Whether something is asked of this mate: it may open a data connection for it. */
  isAsking(index: number): boolean {
    return this.#puller.isAsking(index)
  }

  /** Mates that were not known before, and the plan that names them. */
  met(mates: readonly Mate[], { members, you }: PlanFrame): void {
    this.#puller.introduce(mates, you, members.find(({ number }) => number === you)?.site)
  }

  /** Whole blocks that this node lacks. */
  want(ranges: RangeSet, nowMs: number): void {
    this.#puller.want(ranges, nowMs)
  }

  landed(offset: number, length: number, nowMs: number): void {
    this.#puller.landed(offset, length, nowMs)
  }

  feedClosed(index: number, code: FrErrorCode | null, nowMs: number): void {
    this.#puller.feedClosed(index, code, nowMs)
  }

  /** The mate takes no part any more. */
  gone(index: number, nowMs: number): PullWish {
    this.#puller.gone(index, nowMs)
    return { type: 'drop', index }
  }

  /** Payload that has come on the feed of a mate, in all. */
  received(index: number, bytes: number, nowMs: number): void {
    this.#puller.received(index, bytes, nowMs)
  }

  on(event: PullEvent, nowMs: number): PullWish[] {
    switch (event.type) {
      case 'pullOpened':
        this.#puller.opened(event.index, event.rttMs)
        return []
      case 'pullClosed':
        this.#puller.closed(event.index, event.code, nowMs)
        return []
      case 'pullAnswered':
        this.#puller.answered(event.index, event.frame, nowMs)
        return []
      case 'pullAsked':
        return [this.#asked(event.index, event.frame)]
      default:
        return event satisfies never
    }
  }

  /** Whatever follows from the state and the time. */
  advance(nowMs: number): PullWish[] {
    return this.#puller.advance(nowMs).flatMap((wish): PullWish[] => {
      switch (wish.type) {
        case 'dial':
          return [{ type: 'dialPull', mate: wish.mate }]
        case 'ask':
          return [{ type: 'askMate', index: wish.index, frame: wish.frame }]
        case 'origin':
          return needFrames(false, wish.ranges).map((frame) => ({ type: 'send', frame }))
        case 'count':
          return [{ type: 'sample' }]
        default:
          return wish satisfies never
      }
    })
  }

  deadlineMs(): number | null {
    return this.#puller.deadlineMs()
  }

  #asked(index: number, frame: Frame & { type: 'pull' }): PullWish {
    const { size, blockBytes } = this.#ledger
    const { request, ranges } = frame
    const failure = pullFault(frame, size, blockBytes)
    if (failure !== null) return { type: 'rejectPull', index, request, failure }
    return { type: 'serve', index, request, ranges: this.#ledger.held(ranges) }
  }
}

/** What the origin is asked for. `scratch`: repairs. */
export function needFrames(scratch: boolean, ranges: RangeSet): Frame[] {
  // Repairs name exact blocks, so they are cut into frames; other needs may cover too much.
  const list = scratch ? ranges.toArray() : ranges.compacted(limits.needRanges)
  const frames: Frame[] = []
  for (let i = 0; i < list.length; i += limits.needRanges) {
    const part = list.slice(i, i + limits.needRanges)
    frames.push({ type: 'need', scratch, ranges: part })
  }
  return frames
}
