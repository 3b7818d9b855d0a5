/** The rules of a decision that do not depend on who makes it. */

import type { Ballot, CommitRecord, Decree, Verdict } from '../messages/commit.js'
import { originNumber } from '../messages/types.js'

/** The author's. Every member has promised it from the start. */
export const authorBallot: Ballot = { round: 0, by: originNumber }

export const abort: Verdict = { type: 'abort' }

/** When an author began it, by its own clock, in Unix milliseconds: ids begin with that. */
export function begunAtMs(id: string): number {
  return Number.parseInt(id.slice(0, 12), 16)
}

/** Less than 0: `a` comes before `b`. */
export function compareBallots(a: Ballot, b: Ballot): number {
  return a.round - b.round || a.by - b.by
}

/** Any two majorities have a member in common. */
export function majorityOf({ members }: Decree): number {
  return Math.floor(members.length / 2) + 1
}

/** How many must have prepared before a commit may be proposed. */
export function preparedOf(decree: Decree): number {
  return decree.mode === 'all' ? decree.members.length : majorityOf(decree)
}

export function blankRecord(decree: Decree, you: number): CommitRecord {
  const open = { prepared: null, accepted: null, verdict: null, isApplied: false }
  return { decree, you, promised: authorBallot, ...open }
}
