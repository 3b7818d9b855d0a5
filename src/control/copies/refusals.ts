/**
 * Copies that their targets refuse, or that come to nothing there through no fault of a component:
 * the name is taken or cannot be, nothing may be written, somebody said no.
 *
 * The idea: nothing else is held against anybody, so the same order would be given again at once,
 * and for ever. So the file is not wanted there for a while, twice as long each time.
 */
import { LeastFirst } from '../../base/least-first.js'
import { limits } from '../../base/limits.js'
import type { Ended } from '../messages/mastering.js'
import type { FileId } from './demand.js'
import { forgotten } from './endings.js'
import type { Member } from './member.js'
import type { NodeId } from './network.js'

interface Refused {
  readonly member: Member
  readonly cause: string
  readonly times: number
  readonly untilMs: number
}

export class Refusals {
  /** The last one of each file at each node. */
  readonly #all = new Map<string, Refused>()
  readonly #due = new LeastFirst<string>()

  /** When the next one may be tried again. */
  get dueMs(): number {
    return this.#due.least
  }

  /** Why the file is not to be ordered there now; null: it may be. */
  causeOf(file: FileId, { id }: Pick<Member, 'id'>, nowMs: number): string | null {
    const refused = this.#all.get(keyOf(file, id))
    return refused !== undefined && nowMs < refused.untilMs ? refused.cause : null
  }

  /** A copy into the node has ended. True: it was refused, and the next one waits. */
  ended(file: FileId, member: Member, { bytes, cause, blames }: Ended, nowMs: number): boolean {
    const key = keyOf(file, member.id)
    if (cause === null || blames.length > 0 || bytes > 0 || cause === forgotten.cause) {
      this.#all.delete(key)
      this.#due.delete(key)
      return false
    }
    const times = this.#all.get(key)?.times ?? 0
    const waitMs = Math.min(limits.refusedMsMax, limits.refusedMs * 2 ** times)
    this.#all.set(key, { member, cause, times: times + 1, untilMs: nowMs + waitMs })
    this.#due.set(key, nowMs + waitMs)
    return true
  }

  /** Whoever begins anew may well take what it has refused. */
  forget(member: Member): void {
    for (const [key, refused] of this.#all) {
      if (refused.member !== member) continue
      this.#all.delete(key)
      this.#due.delete(key)
    }
  }

  /** Those that may be asked again. */
  over(nowMs: number): Member[] {
    const keys = this.#due.upTo(nowMs)
    for (const key of keys) this.#due.delete(key)
    return keys.flatMap((key) => this.#all.get(key)?.member ?? [])
  }
}

function keyOf(file: FileId, node: NodeId): string {
  return `${file} ${node}`
}
