/**
 * The author's part in a decision: it proposes once, in round 0, and keeps nothing. Where it is
 * gone the members decide without it; where they have begun to, it asks them what came of it.
 *
 * Waits (for who is to prepare) -> proposes -> decided (tells) -> over, once all have applied it.
 */
import { limits } from '../../base/limits.js'
import type { CommitFrame, Decree, Verdict } from '../messages/commit.js'
import { abort, authorBallot, preparedOf } from './decree.js'
import { Proposal } from './proposal.js'
import { Telling } from './telling.js'

export type CommitAuthorFact =
  | { readonly type: 'said'; readonly member: number; readonly frame: CommitFrame }
  /** It will not prepare, as far as can be told: it may have. */
  | { readonly type: 'failed'; readonly member: number }
  /**
   * It never prepares: it was never asked to, or has refused, and will not be asked again. Of a
   * member whose answer was lost this must not be said.
   */
  | { readonly type: 'never'; readonly member: number }
  /** The caller wants to wait no longer for those who have not prepared. */
  | { readonly type: 'give' }
  | { readonly type: 'due' }

export type CommitAuthorWish =
  | { readonly type: 'say'; readonly member: number; readonly frame: CommitFrame }
  | { readonly type: 'decided'; readonly verdict: Verdict }
  | { readonly type: 'applied'; readonly member: number }
  /** All have applied it. */
  | { readonly type: 'over' }

export class CommitAuthor {
  readonly #decree: Decree
  readonly #proposal: Proposal
  readonly #telling: Telling
  readonly #failed = new Set<number>()
  /** Of those that failed: they never prepare, whoever asks for what. */
  readonly #never = new Set<number>()
  #verdict: Verdict | undefined
  #askMs: number
  #againMs: number = limits.commitAgainMs
  #wishes: CommitAuthorWish[] = []

  constructor(decree: Decree, nowMs: number) {
    this.#decree = decree
    this.#proposal = new Proposal(decree, authorBallot)
    this.#telling = new Telling(decree)
    this.#askMs = nowMs + this.#againMs
  }

  get verdict(): Verdict | undefined {
    return this.#verdict
  }

  deadlineMs(): number | null {
    const dueMs = this.#verdict === undefined ? this.#askMs : this.#telling.dueMs
    return Number.isFinite(dueMs) ? dueMs : null
  }

  handle(fact: CommitAuthorFact, nowMs: number): CommitAuthorWish[] {
    const wasFree = this.#proposal.verdict === undefined
    if (fact.type === 'said') this.#said(fact.member, fact.frame, nowMs)
    if (fact.type === 'failed' || fact.type === 'never') this.#failed.add(fact.member)
    if (fact.type === 'never') this.#never.add(fact.member)
    if (this.#isHopeless) this.#learn(abort, nowMs)
    if (this.#verdict === undefined) {
      this.#proposal.choose(fact.type === 'give' || this.#isLost)
      const isNew = wasFree && this.#proposal.verdict !== undefined
      if (this.#proposal.isDecided) this.#learn(this.#proposal.verdict as Verdict, nowMs)
      else if (isNew || nowMs >= this.#askMs) this.#request(nowMs)
    }
    if (nowMs >= this.#telling.dueMs) this.#tell(this.#telling.round(nowMs))
    return this.#wishes.splice(0)
  }

  /** Too few are left that may prepare. */
  get #isLost(): boolean {
    return this.#decree.members.length - this.#failed.size < preparedOf(this.#decree)
  }

  /**
   * Too few are left that ever prepare. Whoever proposes a commit knows as many that have, so in no
   * ballot anybody can: the members decide on an abort, or on nothing, and no vote is needed.
   */
  get #isHopeless(): boolean {
    return this.#decree.members.length - this.#never.size < preparedOf(this.#decree)
  }

  #said(member: number, frame: CommitFrame, nowMs: number): void {
    if (frame.type === 'promised') this.#proposal.promised(member, frame)
    else if (frame.type === 'accepted') this.#proposal.accepted(member, frame.ballot)
    else if (frame.type === 'decided') {
      this.#learn(frame.verdict, nowMs)
      this.#applied(frame.applied)
    } else if (frame.type === 'applied') this.#applied(frame.members)
  }

  /** Whoever has decided already answers with that. */
  #request(nowMs: number): void {
    for (const member of this.#decree.members.keys()) {
      const frame = this.#proposal.requestFor(member)
      if (frame !== undefined) this.#wishes.push({ type: 'say', member, frame })
    }
    this.#askMs = nowMs + this.#againMs
    this.#againMs = Math.min(2 * this.#againMs, limits.commitGraceMs)
  }

  #learn(verdict: Verdict, nowMs: number): void {
    if (this.#verdict !== undefined) return
    this.#verdict = verdict
    this.#wishes.push({ type: 'decided', verdict })
    this.#telling.from(nowMs)
  }

  #applied(members: readonly number[]): void {
    const known = new Set(this.#telling.applied)
    this.#telling.add(members)
    for (const member of this.#telling.applied)
      if (!known.has(member)) this.#wishes.push({ type: 'applied', member })
    if (!this.#telling.isOver || known.size === this.#telling.applied.length) return
    this.#tell([...this.#decree.members.keys()])
    this.#wishes.push({ type: 'over' })
  }

  #tell(members: readonly number[]): void {
    if (this.#verdict === undefined) return
    const { applied } = this.#telling
    const frame = {
      type: 'decided',
      decree: this.#decree,
      verdict: this.#verdict,
      applied,
    } as const
    for (const member of members) this.#wishes.push({ type: 'say', member, frame })
  }
}
