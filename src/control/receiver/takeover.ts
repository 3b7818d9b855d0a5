/**
 * A node whose coordinator is gone: when it takes over itself, and whom it follows then.
 *
 * The idea: the first standby that lives takes the next term. Each waits the longer the later it
 * comes in the plan, so that most often one does; where two do, the higher term holds: terms
 * are ordered. Nothing is dealt that is not verified and signed, so two coordinators can differ in
 * nothing that is published.
 *
 * A node whose coordinator is there follows nobody who takes over from the origin: a standby that
 * alone has lost the origin must not take the others along. It gives way then, and tries again
 * after each standby has had its turn: the others may only not have noticed yet.
 */
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { RangeSet } from '../../base/ranges.js'
import { toldOf } from '../holdings/have.js'
import type { Ledger } from '../holdings/ledger.js'
import type { Frame, Term } from '../messages/types.js'
import { compareTerms } from '../plan/check.js'
import type { Neighbourhood } from './neighbourhood.js'

export class Takeover {
  readonly #neighbours: Neighbourhood
  readonly #isRuledOut: boolean
  /** Since when there is no coordinator; undefined: there is one. */
  #lostMs: number | undefined
  /** The link to the coordinator has no connection: with a standby that says so it is gone. */
  isDoubtful = false
  /** Of whoever took over and is followed here. */
  #followed: Term | undefined
  /** The counter of the term that this node took last, and when. */
  #taken = 0
  #takenMs = Number.NEGATIVE_INFINITY
  /** What the coordinator that took over was told last, and when it is told again. */
  #toldBytes = 0
  #tellMs = 0

  /** `isRuledOut`: nobody but who writes the content can say where it ends. */
  constructor(neighbours: Neighbourhood, isRuledOut = false) {
    this.#neighbours = neighbours
    this.#isRuledOut = isRuledOut
  }

  /** Whoever coordinates has taken over. */
  get isFollowing(): boolean {
    return this.#followed !== undefined
  }

  /** The term of whoever took over and is followed; undefined: nobody is. */
  get succession(): Term | undefined {
    return this.isFollowing ? this.term : undefined
  }

  /** The highest that is known here; undefined before the first plan. */
  get term(): Term | undefined {
    const planned = this.#neighbours.plan?.term
    if (planned === undefined || this.#followed === undefined) return planned
    return compareTerms(planned, this.#followed) > 0 ? planned : this.#followed
  }

  lost(nowMs: number): void {
    this.#lostMs ??= nowMs
  }

  /** The coordinator is there again. */
  returned(): void {
    this.#lostMs = undefined
  }

  /** Why the member that takes this term is not followed; null: it is. `nodeId`: who says so. */
  refusal(term: Term, nodeId: string): Failure | null {
    const known = this.term
    if (known === undefined || !this.#neighbours.isRunning)
      return { code: 'ERR_FR_NO_TRANSFER', text: 'this node has no plan of the transfer' }
    if (compareTerms(term, known) <= 0)
      return { code: 'ERR_FR_STALE', text: `member ${known.member} coordinates in ${named(known)}` }
    if (this.#neighbours.member(term.member)?.nodeId !== nodeId)
      return { code: 'ERR_FR_PROTOCOL', text: `the node is not member ${term.member}` }
    if (this.#lostMs === undefined && !this.isDoubtful && known.counter === 1)
      return { code: 'ERR_FR_BUSY', text: 'the origin is there, and coordinates' }
    return null
  }

  follow(term: Term): void {
    this.#followed = term
    this.#lostMs = undefined
  }

  /** The same, where it has changed and it is time to say so. */
  news(ledger: Ledger, fileDigest: string | null, nowMs: number): Frame[] {
    const isNews = this.isFollowing && ledger.verifiedBytes !== this.#toldBytes
    return isNews && nowMs >= this.#tellMs ? [this.holds(ledger, fileDigest, nowMs)] : []
  }

  /** What is held here, for the coordinator that took over. */
  holds(ledger: Ledger, fileDigest: string | null, nowMs: number): Frame {
    this.#toldBytes = ledger.verifiedBytes
    this.#tellMs = nowMs + limits.progressMs
    const have = toldOf(RangeSet.of(ledger.held([[0, ledger.size]])))
    return { type: 'holds', have, fileDigest }
  }

  /** The term that this node is to take now; undefined: none. */
  take(nowMs: number): Term | undefined {
    if (nowMs < this.dueMs) return undefined
    const term = this.#next as Term
    this.#taken = term.counter
    this.#takenMs = nowMs
    return term
  }

  get dueMs(): number {
    const { plan, replica } = this.#neighbours
    const isLost = this.#lostMs !== undefined && !this.#isRuledOut
    if (!isLost || plan === undefined || replica.roster === undefined)
      return Number.POSITIVE_INFINITY
    const rank = plan.standbys.indexOf(plan.you)
    if (rank < 0) return Number.POSITIVE_INFINITY
    const againMs = this.#takenMs + limits.standbys * limits.suspectMs
    return Math.max((this.#lostMs as number) + limits.readyMs + rank * limits.suspectMs, againMs)
  }

  get #next(): Term | undefined {
    const [known, { you }] = [this.term, this.#neighbours]
    if (known === undefined || you === undefined) return undefined
    return { counter: Math.max(known.counter, this.#taken) + 1, member: you }
  }
}

function named({ counter }: Term): string {
  return `term ${counter}`
}
