/**
 * Which members that feed this node are missed: mates of its group, and whoever of the group above
 * hands a column over to it.
 *
 * The idea: the bytes of a member are its heartbeat, which costs nothing. Of whom none come for as
 * long as makes a node suspected this node asks for a word (`beat`). Most often it answers: it had
 * nothing to pass on. Who does not is missed, which the coordinator is told: it judges alone by its
 * own link, and sooner with a second observer. A few are asked at a time, from this node's own
 * number upwards, so those of a group ask about different ones where all stands still.
 */
import type { Detection } from '../../base/detection.js'
import { limits } from '../../base/limits.js'

interface Feeder {
  bytes: number
  /** When bytes of it came, and when those or a word of it did. */
  movedMs: number
  heardMs: number
  /** Since when it is asked, and when it is asked again; undefined: it is not asked. */
  asked: { readonly sinceMs: number; nextMs: number } | undefined
  isMissed: boolean
}

export interface FeederNews {
  /** To be asked for a word now. */
  readonly ask: readonly number[]
  /** Missed since now. */
  readonly missed: readonly number[]
}

const never = Number.POSITIVE_INFINITY
const noNews: FeederNews = { ask: [], missed: [] }

export class Feeders {
  readonly #suspectMs: number
  readonly #answerMs: number
  readonly #feeders = new Map<number, Feeder>()
  /** This node's own number. */
  you = 0
  /** When to look at the latest; earlier costs nothing. */
  dueMs = never

  constructor({ suspectMs, failMs }: Detection) {
    this.#suspectMs = suspectMs
    this.#answerMs = (failMs - suspectMs) / 2
  }

  /** Payload of the member that has come in all; whose first comes is watched from now on. */
  received(member: number, bytes: number, nowMs: number): void {
    const feeder = this.#feeders.get(member)
    if (feeder?.bytes === bytes || bytes === 0) return
    const asked = undefined
    this.#feeders.set(member, { bytes, movedMs: nowMs, heardMs: nowMs, asked, isMissed: false })
    this.#look(nowMs + this.#suspectMs)
  }

  /** A word of it. */
  said(member: number, nowMs: number): void {
    const feeder = this.#feeders.get(member)
    if (feeder === undefined) return
    Object.assign(feeder, { heardMs: nowMs, asked: undefined, isMissed: false })
    this.#look(nowMs + this.#suspectMs)
  }

  /** Its data connection has ended, or the member is gone: others have noticed, or will. */
  unfed(member: number): void {
    this.#feeders.delete(member)
  }

  /** It is to be asked once a link to it is open. */
  isAsked(member: number): boolean {
    return this.#feeders.get(member)?.asked !== undefined
  }

  /** Those who are asked or missed, ascending. */
  get silent(): number[] {
    const all = [...this.#feeders].filter(([, { asked, isMissed }]) => asked || isMissed)
    return all.map(([member]) => member).sort((a, b) => a - b)
  }

  advance(nowMs: number): FeederNews {
    if (nowMs < this.dueMs) return noNews
    this.dueMs = never
    const [ask, missed]: [number[], number[]] = [[], []]
    let room: number = limits.askedFeeders
    for (const [member, feeder] of this.#inTurn) {
      const quietMs = feeder.movedMs + this.#suspectMs
      if (feeder.isMissed) continue
      if (nowMs < quietMs) this.#look(quietMs)
      else if (room-- > 0) this.#judge(member, feeder, nowMs, ask, missed)
    }
    return { ask, missed }
  }

  #judge(member: number, feeder: Feeder, nowMs: number, ask: number[], missed: number[]): void {
    const askMs = feeder.heardMs + this.#suspectMs
    if (nowMs < askMs) return this.#look(askMs)
    feeder.asked ??= { sinceMs: nowMs, nextMs: nowMs }
    const { asked } = feeder
    if (nowMs >= asked.sinceMs + this.#answerMs) {
      feeder.isMissed = true
      missed.push(member)
      // The next one has its turn.
      return this.#look(nowMs)
    }
    if (nowMs >= asked.nextMs) {
      asked.nextMs = nowMs + limits.progressMs
      ask.push(member)
    }
    this.#look(Math.min(asked.nextMs, asked.sinceMs + this.#answerMs))
  }

  /** From this node's own number upwards, and round. */
  get #inTurn(): [number, Feeder][] {
    const all = [...this.#feeders].sort(([a], [b]) => a - b)
    return [...all.filter(([n]) => n > this.you), ...all.filter(([n]) => n < this.you)]
  }

  #look(atMs: number): void {
    this.dueMs = Math.min(this.dueMs, atMs)
  }
}
