/**
 * Which of several masters leads: a lease on one stored value, the head, that only one can replace.
 *
 * The idea: whoever leads replaces the head again and again, each time only if nobody else has
 * since. One that sees the same head for its patience, by its own clock, takes it, with the next
 * term. The one before counts its lease from when it *sent* what was stored; others count from when
 * they *saw* it, which is later, and wait for longer: so the lease is over before anybody takes it.
 * No two clocks are compared; they only have to run equally fast, within what lies between the two
 * spans. A write of a leader that was asleep meanwhile is refused, because the head is another one.
 *
 * States: follows -> (a write with the next term was stored in time) leads -> (no write was stored
 * for the length of the lease, or somebody else's was seen, or it was given up) follows.
 *
 * One request at a time, reads and writes alike: `next` says which one.
 */

/** What is stored, as far as the lease goes. */
export interface Stamp {
  /** Grows with each change of leaders. */
  readonly term: number
  /** Null: it was given up. */
  readonly holder: string | null
  /** Number of the write, of all of this holder. */
  readonly beat: number
}

/** `revision` 0: nothing is stored. */
export interface SeenHead extends Stamp {
  readonly revision: number
}

export interface LeaseSpec {
  /** Of this run of this process. */
  readonly id: string
  readonly leaseMs: number
  /** Longer than the lease. */
  readonly patienceMs: number
  /** Between two writes of whoever leads, and between two looks of the others. */
  readonly beatMs: number
  readonly lookMs: number
}

export type LeaseStep =
  | { readonly type: 'read' }
  /** Where what is stored still has this revision. */
  | { readonly type: 'write'; readonly revision: number; readonly stamp: Stamp }
  | { readonly type: 'wait'; readonly untilMs: number }

const nothing: SeenHead = { revision: 0, term: 0, holder: null, beat: 0 }
const never = Number.NEGATIVE_INFINITY

export class Lease {
  readonly #spec: LeaseSpec
  #seen: SeenHead = nothing
  /** When what is stored was seen first. */
  #sinceMs = never
  #lookMs = never
  #beatMs = never
  /** The last write. */
  #sent: { readonly stamp: Stamp; readonly atMs: number } | null = null
  /** What is stored may be another one by now. */
  #isUnsure = true
  #leads = false
  #untilMs = never
  #beats = 0

  constructor(spec: LeaseSpec) {
    this.#spec = spec
  }

  /** To be asked before each thing that only whoever leads may do. Once false, never in a term. */
  mayLead(nowMs: number): boolean {
    return this.#leads && nowMs < this.#untilMs
  }

  /** Of whoever holds it, as it was seen last. */
  get seen(): SeenHead {
    return this.#seen
  }

  /** What was seen last is held by this one. */
  get isOwn(): boolean {
    return this.#seen.holder === this.#spec.id
  }

  /** Milliseconds until which it may lead. */
  get untilMs(): number {
    return this.#leads ? this.#untilMs : never
  }

  /** There is something to write with the next beat, which is due now. */
  hurry(): void {
    this.#beatMs = never
  }

  next(nowMs: number): LeaseStep {
    if (this.#leads && nowMs >= this.#untilMs) this.#lost()
    if (this.#isUnsure) return { type: 'read' }
    if (this.#leads) {
      if (nowMs < this.#beatMs) return { type: 'wait', untilMs: this.#beatMs }
      return this.#write(nowMs, this.#seen.term)
    }
    if (this.#isFree(nowMs)) return this.#write(nowMs, this.#seen.term + 1)
    if (nowMs < this.#lookMs) return { type: 'wait', untilMs: this.#lookMs }
    return { type: 'read' }
  }

  /** What was read is stored, or was a moment ago. True: it is the last write of this one. */
  saw(seen: SeenHead, nowMs: number): boolean {
    if (seen.revision !== this.#seen.revision) this.#sinceMs = nowMs
    const isOwn = seen.holder === this.#spec.id
    this.#seen = seen
    this.#isUnsure = false
    this.#lookMs = nowMs + this.#spec.lookMs
    const isLast = isOwn && isSame(seen, this.#sent?.stamp)
    if (isLast) this.#stored(nowMs)
    else if (!isOwn) this.#leads = false
    return isLast
  }

  /** The write was stored. */
  wrote(revision: number, nowMs: number): void {
    if (this.#sent === null) return
    this.#seen = { ...this.#sent.stamp, revision }
    this.#sinceMs = nowMs
    this.#stored(nowMs)
  }

  /** The last request failed, and nobody knows what has become of it. */
  failed(): void {
    this.#isUnsure = true
  }

  /** It leads no more; what to write, so that others need no patience. Null: it did not lead. */
  release(nowMs: number): LeaseStep | null {
    if (!this.mayLead(nowMs)) return null
    this.#lost()
    const { term, revision } = this.#seen
    this.#beats += 1
    return { type: 'write', revision, stamp: { term, holder: null, beat: this.#beats } }
  }

  #lost(): void {
    this.#leads = false
    this.#isUnsure = true
    this.#sent = null
  }

  #isFree(nowMs: number): boolean {
    // Its own that it lost: nobody else replaces that, and it knows that it does not lead.
    const isNobodys = this.#seen.holder === null || this.#seen.holder === this.#spec.id
    return isNobodys || nowMs - this.#sinceMs >= this.#spec.patienceMs
  }

  #write(nowMs: number, term: number): LeaseStep {
    this.#beats += 1
    const stamp = { term, holder: this.#spec.id, beat: this.#beats }
    this.#sent = { stamp, atMs: nowMs }
    this.#beatMs = nowMs + this.#spec.beatMs
    return { type: 'write', revision: this.#seen.revision, stamp }
  }

  #stored(nowMs: number): void {
    if (this.#sent === null) return
    // It was over for a moment, in which nothing was done: the term is.
    if (this.#leads && nowMs >= this.#untilMs) return this.#lost()
    this.#untilMs = this.#sent.atMs + this.#spec.leaseMs
    this.#leads = nowMs < this.#untilMs
  }
}

function isSame(one: Stamp, other: Stamp | undefined): boolean {
  return one.term === other?.term && one.holder === other.holder && one.beat === other.beat
}
