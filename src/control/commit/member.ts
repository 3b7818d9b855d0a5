/**
 * One member's part in a decision: it votes, it asks the others where the author is gone, and it
 * tells them what was decided until all have carried it out.
 *
 * The idea: a vote is a durable record before anybody hears of it, so a process that is killed and
 * started again has promised what it had. Whoever is in doubt asks for a decision, each member the
 * later the higher its number, since two who ask at once hinder each other. Words may get lost,
 * come twice, and come in any order.
 *
 * Undecided (votes; asks while the author is gone) -> decided (carries it out; tells) -> forgotten,
 * once all have applied it.
 */
import { limits } from '../../base/limits.js'
import type {
  Ballot,
  CommitFact,
  CommitFrame,
  CommitRecord,
  CommitWish,
  Verdict,
} from '../messages/commit.js'
import { originNumber } from '../messages/types.js'
import { abort, authorBallot, compareBallots } from './decree.js'
import { Proposal } from './proposal.js'
import { Telling } from './telling.js'

interface Waiting {
  readonly write: number
  readonly wish: CommitWish
}

export class CommitMachine {
  #record: CommitRecord
  readonly #telling: Telling
  /** Who has told this member the verdict, and has no answer yet. */
  readonly #tellers = new Set<number>()
  #isDirty = false
  /** Numbers of the last write, and of the last that is durable. */
  #write = 0
  #stored = 0
  /** What waits for writes, by whom it is for and what it is: only the newest counts. */
  readonly #outbox = new Map<string, Waiting>()
  #isAuthorThere: boolean
  #proposal: Proposal | undefined
  /** When this member asks for a decision, or asks again. */
  #askMs: number
  #againMs: number = limits.commitAgainMs
  /** When its proposal has waited for members that had not prepared. */
  #lateMs = Number.POSITIVE_INFINITY
  #attempts = 0
  #highestRound = 0

  /** `isAuthorThere`: there is a link to it, as where the record comes from an offer. */
  constructor(record: CommitRecord, isAuthorThere: boolean, nowMs: number) {
    this.#record = record
    this.#isAuthorThere = isAuthorThere
    this.#telling = new Telling(record.decree)
    this.#askMs = nowMs + this.#graceMs
    if (record.isApplied) this.#telling.add([record.you])
    if (record.verdict !== null) this.#telling.from(nowMs + this.#graceMs)
  }

  get record(): CommitRecord {
    return this.#record
  }

  /** First wishes after a restart: a verdict that may not be carried out yet, or is everywhere. */
  begin(): CommitWish[] {
    if (this.#telling.isOver) this.#wish('forget', { type: 'forget' })
    const { verdict, isApplied } = this.#record
    if (verdict !== null && !isApplied) this.#wish('apply', { type: 'apply', verdict })
    return this.#flush(0)
  }

  deadlineMs(): number | null {
    const isAlone = !this.#isAuthorThere || this.#proposal !== undefined
    const askMs = this.#record.verdict === null && isAlone ? this.#askMs : Number.POSITIVE_INFINITY
    const due = Math.min(askMs, this.#tellMs)
    return Number.isFinite(due) ? due : null
  }

  handle(fact: CommitFact, nowMs: number): CommitWish[] {
    this.#take(fact, nowMs)
    if (this.#record.verdict === null) this.#ask(nowMs)
    if (nowMs >= this.#tellMs) this.#tell(this.#telling.round(nowMs))
    return this.#flush(nowMs)
  }

  #take(fact: CommitFact, nowMs: number): void {
    switch (fact.type) {
      case 'prepared':
        if (this.#record.verdict !== null) return
        this.#save({ prepared: fact.order })
        return this.#promise(originNumber, authorBallot)
      case 'said':
        return this.#said(fact.member, fact.frame, nowMs)
      case 'stored':
        this.#stored = Math.max(this.#stored, fact.write)
        return
      case 'applied':
        this.#save({ isApplied: true })
        this.#heardApplied([])
        return this.#answerTellers()
      case 'forced':
        return this.#learn(this.#forced(fact.verdict), nowMs)
      case 'author':
        return this.#author(fact.isThere, nowMs)
      case 'due':
        return
      default:
        fact satisfies never
    }
  }

  #author(isThere: boolean, nowMs: number): void {
    if (isThere === this.#isAuthorThere) return
    this.#isAuthorThere = isThere
    if (isThere) return
    this.#askMs = nowMs + this.#graceMs
    if (this.#record.verdict !== null) this.#telling.from(this.#askMs)
  }

  #said(member: number, frame: CommitFrame, nowMs: number): void {
    const { verdict } = this.#record
    switch (frame.type) {
      case 'ballot':
      case 'propose':
        if (verdict !== null) return this.#tell([member])
        this.#yield(frame.ballot, nowMs)
        if (frame.type === 'ballot') return this.#promise(member, frame.ballot)
        return this.#accept(member, { ballot: frame.ballot, verdict: frame.verdict })
      case 'promised':
        return this.#proposal?.promised(member, frame)
      case 'accepted':
        return this.#proposal?.accepted(member, frame.ballot)
      case 'outbid':
        return this.#yield(frame.promised, nowMs)
      case 'decided':
        this.#learn(frame.verdict, nowMs)
        this.#add(frame.applied)
        if (this.#telling.isOver) return this.#wish('forget', { type: 'forget' })
        this.#tellers.add(member)
        return this.#answerTellers()
      case 'applied':
        return this.#heardApplied(frame.members)
      default:
        frame satisfies never
    }
  }

  // --- votes ---

  #promise(member: number, ballot: Ballot): void {
    const { decree, promised, prepared, accepted } = this.#record
    const { id } = decree
    if (compareBallots(ballot, promised) < 0)
      return this.#say(member, { type: 'outbid', id, promised })
    if (compareBallots(ballot, promised) > 0) this.#save({ promised: ballot })
    this.#say(member, { type: 'promised', id, ballot, prepared, accepted })
  }

  #accept(member: number, accepted: { readonly ballot: Ballot; readonly verdict: Verdict }): void {
    const { decree, promised } = this.#record
    const { id } = decree
    const { ballot } = accepted
    if (compareBallots(ballot, promised) < 0)
      return this.#say(member, { type: 'outbid', id, promised })
    this.#save({ promised: ballot, accepted })
    this.#say(member, { type: 'accepted', id, ballot })
  }

  // --- proposals ---

  /** Somebody asks in this ballot: a lower one of this member is over, and it keeps quiet. */
  #yield(ballot: Ballot, nowMs: number): void {
    const { you } = this.#record
    this.#highestRound = Math.max(this.#highestRound, ballot.round)
    const order = compareBallots(ballot, this.#proposal?.ballot ?? this.#record.promised)
    if (ballot.by === you || order < 0) return
    this.#proposal = undefined
    if (order > 0) this.#attempts++
    const backoffMs = limits.commitAgainMs * 2 ** Math.min(this.#attempts, mostDoublings)
    this.#askMs = nowMs + backoffMs + limits.commitGraceMs + this.#graceMs
  }

  #ask(nowMs: number): void {
    const proposal = this.#proposal
    if (proposal === undefined) {
      if (this.#isAuthorThere || nowMs < this.#askMs) return
      return this.#propose(nowMs)
    }
    const isFree = proposal.verdict === undefined
    proposal.choose(nowMs >= this.#lateMs)
    if (proposal.isDecided) {
      this.#learn(proposal.verdict as Verdict, nowMs)
      return this.#telling.from(nowMs)
    }
    if (nowMs < this.#askMs && isFree === (proposal.verdict === undefined)) return
    this.#request(proposal, nowMs)
  }

  #propose(nowMs: number): void {
    const { decree, you, promised } = this.#record
    this.#highestRound = Math.max(this.#highestRound, promised.round) + 1
    const ballot = { round: this.#highestRound, by: you }
    // Nobody hears of a ballot before it is durable here: it is never used twice.
    this.#save({ promised: ballot })
    const proposal = new Proposal(decree, ballot)
    this.#proposal = proposal
    this.#againMs = limits.commitAgainMs
    this.#lateMs = nowMs + limits.commitPatienceMs
    this.#request(proposal, nowMs)
  }

  #request(proposal: Proposal, nowMs: number): void {
    for (const member of this.#record.decree.members.keys()) {
      const frame = proposal.requestFor(member)
      if (frame !== undefined) this.#say(member, frame)
    }
    this.#askMs = nowMs + this.#againMs
    // Others keep quiet as long as they are asked often.
    const mostMs = nowMs < this.#lateMs ? limits.commitGraceMs : limits.commitAgainMsMax
    this.#againMs = Math.min(2 * this.#againMs, mostMs)
  }

  // --- the verdict ---

  #learn(verdict: Verdict, nowMs: number): void {
    if (this.#record.verdict !== null) return
    this.#proposal = undefined
    if (!this.#isAuthorThere) this.#telling.from(nowMs + this.#graceMs)
    this.#save({ verdict })
    this.#wish('apply', { type: 'apply', verdict })
  }

  #forced(verdict: 'commit' | 'abort'): Verdict {
    const { accepted, prepared } = this.#record
    if (verdict === 'abort') return abort
    if (accepted?.verdict.type === 'commit') return accepted.verdict
    return { type: 'commit', order: (prepared ?? 0) + 1 }
  }

  get #tellMs(): number {
    return this.#record.verdict === null ? Number.POSITIVE_INFINITY : this.#telling.dueMs
  }

  #add(members: readonly number[]): void {
    const { you, isApplied } = this.#record
    this.#telling.add(members.filter((member) => member !== you))
    if (isApplied) this.#telling.add([you])
  }

  #heardApplied(members: readonly number[]): void {
    const wasOver = this.#telling.isOver
    this.#add(members)
    if (wasOver || !this.#telling.isOver) return
    // So that the others forget it, too.
    this.#tell([...this.#record.decree.members.keys()])
    this.#wish('forget', { type: 'forget' })
  }

  #tell(members: readonly number[]): void {
    const { decree, verdict } = this.#record
    if (verdict === null) return
    const { applied } = this.#telling
    for (const member of members)
      if (member !== this.#record.you)
        this.#say(member, { type: 'decided', decree, verdict, applied })
  }

  /** They are told once it is carried out here. */
  #answerTellers(): void {
    const { decree, isApplied } = this.#record
    if (!isApplied) return
    const { applied: members } = this.#telling
    for (const teller of this.#tellers)
      this.#say(teller, { type: 'applied', id: decree.id, members })
    this.#tellers.clear()
  }

  // --- writes, and what waits for them ---

  get #graceMs(): number {
    return limits.commitGraceMs + this.#record.you * limits.commitStaggerMs
  }

  #save(change: Partial<CommitRecord>): void {
    this.#record = { ...this.#record, ...change }
    this.#isDirty = true
  }

  #say(member: number, frame: CommitFrame): void {
    this.#wish(`${frame.type} ${member}`, { type: 'say', member, frame })
  }

  #wish(key: string, wish: CommitWish): void {
    this.#outbox.delete(key)
    this.#outbox.set(key, { write: this.#write + (this.#isDirty ? 1 : 0), wish })
  }

  #flush(nowMs: number): CommitWish[] {
    const wishes: CommitWish[] = []
    for (let isSettled = false; !isSettled; ) {
      isSettled = true
      if (this.#isDirty) {
        this.#isDirty = false
        wishes.push({ type: 'store', write: ++this.#write, record: this.#record })
      }
      for (const [key, { write, wish }] of this.#outbox) {
        if (write > this.#stored) continue
        this.#outbox.delete(key)
        if (wish.type !== 'say' || wish.member !== this.#record.you) wishes.push(wish)
        else {
          // A member votes in its own ballots like in those of others.
          this.#said(wish.member, wish.frame, nowMs)
          if (this.#record.verdict === null) this.#ask(nowMs)
          isSettled = false
        }
      }
    }
    return wishes
  }
}

/** Of the wait after a ballot of somebody else: 500 ms to 32 s. */
const mostDoublings = 6
