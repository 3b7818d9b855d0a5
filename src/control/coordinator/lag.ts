/**
 * How far the verified prefix of each member is behind what there is at the origin, in time and in
 * bytes, while a content grows.
 *
 * The idea: how much there was at which time is kept as marks. Each word of a member that it has
 * reached more settles those marks that it has passed: each of them is one observation, from when
 * the last of these bytes was there to when the word of them came. So the time that the word takes
 * counts as well, and a pause of the producer does not.
 *
 * Memory: so many marks at most; of those that are close together one is kept, the later one, and
 * observations are counted in steps of a tenth.
 */
import { limits } from '../../base/limits.js'
import type { LagFigures } from '../messages/outcomes.js'

interface Mark {
  readonly bytes: number
  readonly atMs: number
}

export class Lag {
  readonly #marks: Mark[] = []
  readonly #members = new Map<number, Member>()

  /** There is so much now. */
  grew(bytes: number, nowMs: number): void {
    const last = this.#marks.at(-1)
    if (last !== undefined && last.atMs === nowMs) this.#marks.pop()
    this.#marks.push({ bytes, atMs: nowMs })
    if (this.#marks.length <= limits.lagMarks) return
    // Whoever is so far behind is measured by every second of them.
    const kept = this.#marks.filter((_, i) => i % 2 === 1 || i === this.#marks.length - 1)
    this.#marks.splice(0, this.#marks.length, ...kept)
  }

  /** Everything before `bytes` is verified at the member. */
  reached(member: number, bytes: number, nowMs: number): void {
    const known = this.#members.get(member) ?? new Member()
    this.#members.set(member, known)
    if (bytes <= known.bytes) return
    const frontierBytes = this.#marks.at(-1)?.bytes ?? 0
    const from = Math.max(known.bytes, known.fromBytes)
    for (let i = this.#firstBehind(from); i < this.#marks.length; i++) {
      const mark = this.#marks[i] as Mark
      if (mark.bytes > bytes) break
      known.ms.add(nowMs - mark.atMs)
    }
    // What it was behind a moment ago, when the word had not come.
    if (known.bytes >= known.fromBytes) known.behind.add(frontierBytes - known.bytes)
    known.bytes = bytes
  }

  /** It joins with so many bytes; that it lacks the others before `frontierBytes` is no lag. */
  joins(member: number, bytes: number, frontierBytes: number): void {
    const known = new Member()
    known.bytes = bytes
    known.fromBytes = frontierBytes
    this.#members.set(member, known)
  }

  /** Null: it has said nothing yet. */
  of(member: number): LagFigures | null {
    const known = this.#members.get(member)
    if (known === undefined) return null
    const { ms, behind, bytes } = known
    return {
      p50Ms: ms.at(0.5),
      p99Ms: ms.at(0.99),
      p50Bytes: Math.round(behind.at(0.5)),
      p99Bytes: Math.round(behind.at(0.99)),
      behindBytes: Math.max(0, (this.#marks.at(-1)?.bytes ?? 0) - bytes),
    }
  }

  /** The first mark that names more. */
  #firstBehind(bytes: number): number {
    let [low, high] = [0, this.#marks.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#marks[middle] as Mark).bytes <= bytes) low = middle + 1
      else high = middle
    }
    return low
  }
}

class Member {
  bytes = 0
  fromBytes = 0
  readonly ms = new Steps()
  readonly behind = new Steps()
}

/** Values counted in steps, each a tenth above the last. */
class Steps {
  readonly #counts = new Map<number, number>()
  #all = 0

  add(value: number): void {
    const step = value < least ? 0 : 1 + Math.floor(Math.log(value / least) / Math.log(1.1))
    this.#counts.set(step, (this.#counts.get(step) ?? 0) + 1)
    this.#all++
  }

  /** At most a tenth above the value that this part of all is not above. */
  at(part: number): number {
    let left = Math.ceil(part * this.#all)
    for (const [step, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      left -= count
      if (left <= 0) return step === 0 ? 0 : least * 1.1 ** step
    }
    return 0
  }
}

/** What is below this is nothing: milliseconds, or bytes. */
const least = 0.1
