/**
 * One ballot: who asks the members for a decision, and what follows from their answers.
 *
 * The idea is Paxos Commit (Gray and Lamport, 2006) with one value for all: members promise to
 * refuse lower ballots and say what they have accepted; the verdict is what was accepted in the
 * highest ballot, and where nothing was, it is free. What a majority accepts is decided, because
 * every later ballot hears of it from one of them.
 */
import type { Ballot, CommitFrame, Decree, Verdict } from '../messages/commit.js'
import { abort, compareBallots, majorityOf, preparedOf } from './decree.js'

type Promised = Extract<CommitFrame, { type: 'promised' }>

export class Proposal {
  readonly ballot: Ballot
  readonly #decree: Decree
  readonly #promises = new Map<number, Promised>()
  readonly #accepted = new Set<number>()
  #verdict: Verdict | undefined

  constructor(decree: Decree, ballot: Ballot) {
    this.#decree = decree
    this.ballot = ballot
  }

  /** What is proposed; undefined: members are still asked what they know. */
  get verdict(): Verdict | undefined {
    return this.#verdict
  }

  get isDecided(): boolean {
    return this.#accepted.size >= majorityOf(this.#decree)
  }

  promised(member: number, frame: Promised): void {
    if (this.#verdict === undefined && compareBallots(frame.ballot, this.ballot) === 0)
      this.#promises.set(member, frame)
  }

  accepted(member: number, ballot: Ballot): void {
    if (this.#verdict !== undefined && compareBallots(ballot, this.ballot) === 0)
      this.#accepted.add(member)
  }

  /**
   * Proposes what follows from the answers so far, if anything does. `isLate`: who has not prepared
   * will not, or was waited for, so a free verdict becomes an abort.
   */
  choose(isLate = false): void {
    if (this.#verdict !== undefined) return
    const promises = [...this.#promises.values()]
    // Before round 0 nothing can have been accepted, so nobody need be heard for that.
    const needed = this.ballot.round === 0 ? 0 : majorityOf(this.#decree)
    if (promises.length < needed) return
    let highest: Promised['accepted'] = null
    for (const { accepted } of promises) {
      if (accepted !== null && compareBallots(accepted.ballot, highest?.ballot ?? lowest) > 0)
        highest = accepted
    }
    const orders = promises.flatMap(({ prepared }) => prepared ?? [])
    if (highest !== null) this.#verdict = highest.verdict
    else if (orders.length >= preparedOf(this.#decree))
      this.#verdict = { type: 'commit', order: Math.max(...orders) + 1 }
    else if (isLate) this.#verdict = abort
  }

  /** What this member has not answered yet, or may answer otherwise now; undefined: nothing. */
  requestFor(member: number): CommitFrame | undefined {
    const { ballot } = this
    const decree = this.#decree
    const verdict = this.#verdict
    if (verdict !== undefined)
      return this.#accepted.has(member) ? undefined : { type: 'propose', decree, ballot, verdict }
    const isReady = (this.#promises.get(member)?.prepared ?? null) !== null
    return isReady ? undefined : { type: 'ballot', decree, ballot }
  }
}

const lowest: Ballot = { round: -1, by: 0 }
