/** What one member may say, and what follows from the answers of several. */
import { expect, it } from 'vitest'
import { blankRecord } from '../../../../src/control/commit/decree.js'
import { CommitDesk, nothingSettled } from '../../../../src/control/commit/desk.js'
import { CommitMachine } from '../../../../src/control/commit/member.js'
import { Proposal } from '../../../../src/control/commit/proposal.js'
import type {
  CommitFact,
  CommitFrame,
  CommitRecord,
  Decree,
  Verdict,
} from '../../../../src/control/messages/commit.js'

const members = [0, 1, 2].map((i) => ({ nodeId: `${i}`, address: `10.0.0.${i}:7400` }))
const decree: Decree = {
  ...{ id: 'd', mode: 'all', members, fileDigest: 'f', name: 'model', nameIsBase64: false },
}
const nothing = nothingSettled()
const commit: Verdict = { type: 'commit', order: 1 }
const abort: Verdict = { type: 'abort' }

/** Member 0 from this record: what it says to a fact once all is written, and its record then. */
function heard(record: CommitRecord, fact: CommitFact): [CommitFrame[], CommitRecord] {
  const machine = new CommitMachine(record, true, 0)
  const wishes = machine.handle(fact, 0)
  expect(wishes.filter(({ type }) => type === 'say')).toEqual(
    wishes.some(({ type }) => type === 'store') ? [] : wishes,
  )
  for (const wish of [...wishes])
    if (wish.type === 'store')
      wishes.push(...machine.handle({ type: 'stored', write: wish.write }, 0))
  const written = wishes.findLast((wish) => wish.type === 'store')
  const frames = wishes.flatMap((wish) => (wish.type === 'say' ? [wish.frame] : []))
  return [frames, written?.record ?? record]
}

function said(frame: CommitFrame): CommitFact {
  return { type: 'said', member: 1, frame }
}

const [low, high] = [
  { round: 1, by: 2 },
  { round: 2, by: 1 },
]

it('a promise and a vote outlast the process that gave them', () => {
  const [[first], promised] = heard(
    blankRecord(decree, 0),
    said({ type: 'ballot', decree, ballot: high }),
  )
  expect(first).toMatchObject({ type: 'promised', prepared: null, accepted: null })
  const [[refused]] = heard(
    promised,
    said({ type: 'propose', decree, ballot: low, verdict: abort }),
  )
  expect(refused).toEqual({ type: 'outbid', id: 'd', promised: high })
  const propose = { type: 'propose', decree, ballot: high, verdict: commit } as const
  const [[vote], voted] = heard(promised, said(propose))
  expect(vote).toEqual({ type: 'accepted', id: 'd', ballot: high })
  const ballot = { round: 3, by: 2 }
  const [[again]] = heard(voted, said({ type: 'ballot', decree, ballot }))
  expect(again).toMatchObject({ ballot, accepted: { ballot: high, verdict: commit } })
})

it('an operator decides: what was accepted if that is a commit, and an abort at will', () => {
  const forced = (record: CommitRecord, verdict: 'commit' | 'abort'): Verdict | null =>
    heard(record, { type: 'forced', verdict })[1].verdict
  const prepared = { ...blankRecord(decree, 0), prepared: 4 }
  expect(forced(prepared, 'abort')).toEqual(abort)
  expect(forced(prepared, 'commit')).toEqual({ type: 'commit', order: 5 })
  const accepted = { ballot: low, verdict: { type: 'commit', order: 7 } } as const
  expect(forced({ ...prepared, accepted }, 'commit')).toEqual({ type: 'commit', order: 7 })
  // What is decided stays.
  expect(forced({ ...prepared, verdict: commit }, 'abort')).toEqual(commit)
})

it('whoever was never met has no vote, and is told what was decided', () => {
  const unmet: Decree = {
    ...decree,
    members: members.map((member, at) => (at === 0 ? { ...member, nodeId: '' } : member)),
  }
  const desk = new CommitDesk('somebody', nothing, 0)
  const ballot = { type: 'ballot', decree: unmet, ballot: low } as const
  expect(desk.said(1, ballot, 0, 0)).toEqual([])
  expect(desk.size).toBe(0)
  const decided = { type: 'decided', decree: unmet, verdict: commit, applied: [1] } as const
  desk.said(1, decided, 0, 1)
  expect(desk.size).toBe(0)
  desk.said(1, decided, 0, 0)
  expect(desk.recordOf('d')).toMatchObject({ you: 0, verdict: commit, prepared: null })
})

it('what was accepted in the highest ballot is proposed, in whichever order it is heard', () => {
  const votes = [
    { ballot: high, verdict: commit },
    { ballot: low, verdict: abort },
  ]
  for (const order of [votes, [...votes].reverse()]) {
    const ballot = { round: 3, by: 2 }
    const proposal = new Proposal(decree, ballot)
    for (const [member, accepted] of order.entries())
      proposal.promised(member, { type: 'promised', id: 'd', ballot, prepared: null, accepted })
    proposal.choose(true)
    expect(proposal.verdict).toEqual(commit)
  }
})
