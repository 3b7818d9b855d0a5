/**
 * The line before which nobody keeps who was dealt what of a content that grows.
 *
 * The idea: the floor is the least verified prefix of the members that keep up (they are *level*),
 * by their own word. Who lags, joins or is far behind holds nobody back: it *follows*, and is told
 * to ask mates for what lies between its prefix and the floor, again and again until it is level.
 * The member that is furthest is always level, so the floor never waits for followers alone.
 *
 * It must never go beyond the prefix of a level member, and never back.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'

interface Reached {
  /** Its verified prefix, by its last word. */
  bytes: number
  isLevel: boolean
  isLagging: boolean
  /** A follower was told to ask for all before this. */
  askedBytes: number
}

/** What a follower is to ask its mates for. */
export interface Following {
  readonly member: number
  readonly range: RangePair
}

export class Floor {
  readonly #members = new Map<number, Reached>()
  #bytes = 0
  #saidBytes = 0
  #saidMs = Number.NEGATIVE_INFINITY

  get bytes(): number {
    return this.#bytes
  }

  /** When `advance` has something new to say; infinite: not before somebody reaches more. */
  get dueMs(): number {
    return this.#bytes > this.#saidBytes ? this.#saidMs + limits.floorMs : Number.POSITIVE_INFINITY
  }

  /** It takes part from now on. What lies before the floor it has from mates. */
  joins(member: number): void {
    const isLevel = this.#bytes === 0
    this.#members.set(member, { bytes: 0, isLevel, isLagging: false, askedBytes: 0 })
  }

  leaves(member: number): void {
    this.#members.delete(member)
  }

  lags(member: number, isLagging: boolean): void {
    const reached = this.#members.get(member)
    if (reached === undefined) return
    reached.isLagging = isLagging
    if (isLagging) this.#follows(reached)
  }

  /** Whether the floor waits for it. */
  isLevel(member: number): boolean {
    return this.#members.get(member)?.isLevel === true
  }

  /** Everything before `bytes` is verified at a member, as it says; an older word is void. */
  reached(member: number, bytes: number): void {
    const reached = this.#members.get(member)
    if (reached === undefined || bytes <= reached.bytes) return
    reached.bytes = bytes
    if (!reached.isLagging && bytes >= this.#bytes) reached.isLevel = true
  }

  /** Moves the floor; `frontierBytes`: what there is. Returns what followers are to ask for. */
  advance(frontierBytes: number): Following[] {
    let furthest: Reached | undefined
    for (const reached of this.#members.values())
      if (furthest === undefined || reached.bytes > furthest.bytes) furthest = reached
    if (furthest === undefined) return []
    let least = furthest.bytes
    for (const reached of this.#members.values()) {
      if (reached === furthest || !reached.isLevel) continue
      if (frontierBytes - reached.bytes > limits.growingWindowBytes) this.#follows(reached)
      else least = Math.min(least, reached.bytes)
    }
    this.#bytes = Math.max(this.#bytes, least)
    return this.#followers()
  }

  /** The floor is to be said to everybody now, in bytes; null: it is not. */
  news(nowMs: number): number | null {
    if (nowMs < this.dueMs) return null
    this.#saidBytes = this.#bytes
    this.#saidMs = nowMs
    return this.#bytes
  }

  #follows(reached: Reached): void {
    reached.isLevel = false
    reached.askedBytes = reached.bytes
  }

  /** Each asks once for what lies before the floor, and again once it has that. */
  #followers(): Following[] {
    const following: Following[] = []
    for (const [member, reached] of this.#members) {
      const { bytes, isLevel, askedBytes } = reached
      if (isLevel || bytes >= this.#bytes || bytes < askedBytes) continue
      reached.askedBytes = this.#bytes
      following.push({ member, range: [bytes, this.#bytes - bytes] })
    }
    return following
  }
}
