/** What the coordinator says has to come another way: it is asked of mates, and passed on. */
import type { Ledger } from '../holdings/ledger.js'
import type { Frame } from '../messages/types.js'
import type { NodePulls } from '../pulling/pulls.js'
import { clampTo, Detours, type Part } from './detours.js'
import type { MissingDigests } from './missing-digests.js'
import type { NodeOutbox } from './outbox.js'

export class Seeking {
  readonly detours = new Detours()
  readonly #ledger: Ledger
  readonly #pulls: NodePulls
  readonly #missingDigests: MissingDigests
  readonly #outbox: NodeOutbox

  constructor(
    ledger: Ledger,
    pulls: NodePulls,
    missingDigests: MissingDigests,
    outbox: NodeOutbox,
  ) {
    this.#ledger = ledger
    this.#pulls = pulls
    this.#missingDigests = missingDigests
    this.#outbox = outbox
  }

  /** `hasNoOrigin`: the digests come from where the bytes are, too. */
  detour(frame: Frame & { type: 'detour' }, hasNoOrigin: boolean, nowMs: number): void {
    const part = { ranges: clampTo(this.#ledger.mostBytes, frame.ranges), route: frame.route }
    if (frame.why === 'broken') return this.detours.add(frame.member, part, nowMs)
    this.#find(part, nowMs)
    if (!hasNoOrigin) return
    this.#missingDigests.want(frame.member, part.ranges)
    this.#outbox.wish(...this.#pulls.link(frame.member, nowMs))
    this.linked(frame.member)
  }

  /** The mate is asked for digests once there is a link to it. */
  linked(member: number): void {
    if (!this.#pulls.isLinked(member)) return
    for (const frame of this.#missingDigests.wantedOf(member))
      this.#outbox.wish({ type: 'say', member, frame })
  }

  advance(nowMs: number): void {
    for (const { member, parts } of this.detours.due(nowMs)) {
      this.#outbox.wish({ type: 'unfeed', member })
      for (const part of parts) this.#find(part, nowMs)
    }
  }

  /** Nothing moves: all that is missing is asked for, as far as it is known to be there. */
  again(nowMs: number): void {
    const missing = this.#ledger.missing([[0, this.#ledger.size]])
    this.#outbox.warn('asked-again', { bytes: missing.bytes })
    this.#pulls.want(missing, nowMs)
    this.#outbox.say(...this.#missingDigests.all())
  }

  deadlineMs(): number | null {
    return this.detours.deadlineMs()
  }

  /** Has what is missing brought, and passed on: the rest of its blocks may have another route. */
  #find({ ranges, route }: Part, nowMs: number): void {
    const all = [...ranges]
    if (route !== 0 && all.length > 0) this.#outbox.wish({ type: 'assign', ranges: all, route })
    this.#pulls.want(this.#ledger.missing(all), nowMs)
  }
}
