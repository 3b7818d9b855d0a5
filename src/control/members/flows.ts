/**
 * How many connections (flows) carry the bytes of one feed.
 *
 * The idea: one flow does not fill a long way with loss, since it halves what it has under way at a
 * loss and needs round trips to have it back (Mathis et al., 1997: 1.22 segments / (round trip *
 * sqrt(loss))); nor one that holds more than a receiver's window. Several carry several times as
 * much. It shows: bytes wait, segments were sent again, and yet no queue stands on the way, which
 * whoever fills a way has filled; or windows as large as they get hold the flows back.
 *
 * More flows than fill a way only take from others who use it. So each step is a doubling, and has
 * to bring something: else the next one comes 2 s later, then 4, .. On a short way, a round trip
 * under limits.flowsFarMs, one flow is enough, and none is ever added.
 */
import { limits } from '../../base/limits.js'

/** Counters of a feed out (FeedStats of the ports) at one moment. */
export interface FlowLook {
  readonly nowMs: number
  /** Payload that sockets have taken. */
  readonly payloadBytes: number
  /** Payload that waits for them. */
  readonly queuedBytes: number
  /** The shortest round trip; 0: not known. */
  readonly rttMs: number
  /** Connections that it has. */
  readonly flows: number
  /** Absent: the system tells nothing. */
  readonly path?: FlowPath | undefined
}

export interface FlowPath {
  /** What queues add to the shortest round trip now. */
  readonly queueMs: number
  /** Segments sent again so far. */
  readonly retransmits: number
  /** How long windows have held flows back so far, in sum. */
  readonly windowLimitedMs: number
}

/** What may be `some` of all looks to count as all. */
const mostLooks = 0.75
const lookTrips = 8
/** A queue of less than this part of the round trip is none. */
const queuePart = 1 / 8
/** A step has brought something when it brings this part of what it would where nothing fills. */
const gainPart = 0.25
const windowPart = 0.5
/** A receiver that is slow, or limited, closes its window: only one that is larger counts. */
const windowLeastBytes = 512 * 1024

interface Looking {
  readonly from: FlowLook
  looks: number
  /** Of them, those that found bytes waiting, and no queue. */
  waited: number
  clear: number
}

export class FlowCount {
  #looking: Looking | undefined
  /** What the flows carried before the last step; undefined: it has been judged. */
  #before: { readonly rate: number; readonly flows: number } | undefined
  #againMs: number = limits.flowsAgainMs
  #restUntilMs = Number.NEGATIVE_INFINITY

  /** How many the feed should have; `fixed`: as somebody has said. */
  wanted(look: FlowLook, fixed: number | undefined): number {
    const { flows, path, rttMs } = look
    if (fixed !== undefined) return look.queuedBytes > 0 ? Math.max(flows, fixed) : flows
    if (path === undefined || rttMs < limits.flowsFarMs) return flows
    const looking = this.#looking
    if (looking?.from.flows !== flows) {
      this.#begin(look)
      return flows
    }
    looking.looks++
    if (look.queuedBytes > 0) looking.waited++
    if (path.queueMs <= rttMs * queuePart) looking.clear++
    if (look.nowMs - looking.from.nowMs < Math.max(limits.flowsLookMs, lookTrips * rttMs))
      return flows
    this.#begin(look)
    return this.#judged(look, path, looking)
  }

  #begin(from: FlowLook): void {
    this.#looking = { from, looks: 0, waited: 0, clear: 0 }
  }

  #judged(look: FlowLook, path: FlowPath, { from, looks, waited, clear }: Looking): number {
    const { flows, nowMs, rttMs } = look
    // Who has nothing to send learns nothing of the way.
    if (waited < mostLooks * looks) return flows
    const tookMs = nowMs - from.nowMs
    const rate = (look.payloadBytes - from.payloadBytes) / tookMs
    this.#learn(rate, flows, nowMs)
    if (nowMs < this.#restUntilMs) return flows
    const hasLost = path.retransmits > 0 && clear >= mostLooks * looks
    const limitedMs = path.windowLimitedMs - (from.path?.windowLimitedMs ?? 0)
    const hasFullWindow =
      limitedMs > windowPart * tookMs * flows && rate * rttMs > windowLeastBytes * flows
    if (!hasLost && !hasFullWindow) return flows
    this.#before = { rate, flows }
    return Math.min(limits.flowsPerFeed, 2 * flows)
  }

  /** Whether the last step has brought what it should. */
  #learn(rate: number, flows: number, nowMs: number): void {
    const before = this.#before
    if (before === undefined || before.flows >= flows) return
    this.#before = undefined
    const hasGained = rate >= before.rate * (1 + gainPart * (flows / before.flows - 1))
    if (hasGained) {
      this.#againMs = limits.flowsAgainMs
      return
    }
    this.#restUntilMs = nowMs + this.#againMs
    this.#againMs *= 2
  }
}
