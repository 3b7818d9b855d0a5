/**
 * Which receivers lag, by the votes of those who send to them.
 *
 * The idea: a relay's window is held by its worst feed, so a receiver that cannot keep up would
 * slow everybody down to its own pace. One relay's opinion is not enough, since feeds drift apart
 * for many reasons; a receiver lags when most relays say so for a while *and* it has landed clearly
 * less, more slowly, than the median. Rules on landed bytes alone would feed on themselves. It
 * comes back when few relays still find it behind.
 *
 * A receiver that joined later lacks what the others had before. It is catching up until it has
 * landed about as much as their median: till then it is no measure for them and has no vote.
 */
import { KIB } from '../../base/limits.js'
import { SmoothedRate } from '../../base/rate.js'

const voteShare = 0.6
const voteShareBack = 0.4
const voteMs = 30
const backMs = 100
/** Clearly less than others have landed: what they land in this time, and some segments. */
const gapSeconds = 0.025
const gapBytesMin = 16 * KIB
/** Whoever joined is level with them when no more is between: reports are as old as that. */
const levelSeconds = 0.15
const slowShare = 0.6
const rateMs = 200

interface Receiver {
  landed: number
  readonly rate: SmoothedRate
  /** Since when the votes have been on the other side of the rule; undefined: they are not. */
  sinceMs: number | undefined
}

export class LagVotes {
  readonly lagging = new Set<number>()
  /** Joined later and not level with the others yet. */
  readonly catchingUp = new Set<number>()
  readonly #receivers = new Map<number, Receiver>()
  /** Whom each relay finds behind, by its last report. */
  readonly #behind = new Map<number, ReadonlySet<number>>()
  /** How many relays that have a vote find this receiver behind. */
  readonly #votes = new Map<number, number>()
  #voters = 0

  started(nodes: readonly number[]): void {
    for (const node of nodes) {
      this.#receivers.set(node, {
        landed: 0,
        rate: new SmoothedRate(rateMs),
        sinceMs: undefined,
      })
    }
  }

  joined(node: number): void {
    this.started([node])
    this.catchingUp.add(node)
  }

  /** `atMs`: when, by the node's own clock. */
  reported(node: number, landedBytes: number, behind: readonly number[], atMs: number): void {
    const receiver = this.#receivers.get(node)
    if (receiver === undefined) return
    receiver.landed = landedBytes
    this.#withdraw(node)
    this.#behind.set(node, new Set(behind))
    this.#cast(node)
    receiver.rate.add(landedBytes, atMs)
  }

  left(node: number): void {
    this.#withdraw(node)
    this.#receivers.delete(node)
    this.#behind.delete(node)
    this.lagging.delete(node)
    this.catchingUp.delete(node)
  }

  ticked(nowMs: number): void {
    const level = [...this.#receivers].filter(([node]) => !this.catchingUp.has(node))
    const landed = median(level.map(([, receiver]) => receiver.landed))
    const rate = median(level.map(([, receiver]) => receiver.rate.value))
    const gap = Math.max(gapBytesMin, gapSeconds * rate)
    for (const node of this.catchingUp) {
      const joined = this.#receivers.get(node) as Receiver
      if (joined.landed < landed - Math.max(gapBytesMin, levelSeconds * rate)) continue
      this.catchingUp.delete(node)
      this.#cast(node)
    }
    for (const [node, receiver] of level) {
      const share = this.#voteShare(node)
      const isLagging = this.lagging.has(node)
      const crosses = isLagging
        ? share < voteShareBack
        : share >= voteShare &&
          receiver.landed < landed - gap &&
          receiver.rate.value < slowShare * rate
      if (!crosses) {
        receiver.sinceMs = undefined
        continue
      }
      receiver.sinceMs ??= nowMs
      if (nowMs - receiver.sinceMs < (isLagging ? backMs : voteMs)) continue
      receiver.sinceMs = undefined
      if (isLagging) this.lagging.delete(node)
      else this.lagging.add(node)
    }
  }

  /** The part of the other relays that finds this receiver behind. */
  #voteShare(node: number): number {
    const own = this.#behind.get(node)
    const voters = this.#voters - (own === undefined ? 0 : 1)
    const votes = (this.#votes.get(node) ?? 0) - (own?.has(node) === true ? 1 : 0)
    return voters === 0 ? 0 : votes / voters
  }

  #cast(relay: number): void {
    this.#count(relay, 1)
  }

  #withdraw(relay: number): void {
    this.#count(relay, -1)
  }

  /** Adds the votes of this relay, or takes them back; who is catching up has none. */
  #count(relay: number, by: 1 | -1): void {
    const behind = this.#behind.get(relay)
    if (behind === undefined || this.catchingUp.has(relay)) return
    this.#voters += by
    for (const node of behind) this.#votes.set(node, (this.#votes.get(node) ?? 0) + by)
  }
}

function median(values: number[]): number {
  values.sort((a, b) => a - b)
  return values[Math.floor(values.length / 2)] ?? 0
}
