/** Planted bugs, as in planted.ts, in the machines that decide together. */
import { authorBallot } from '../control/commit/decree.js'
import { CommitDesk } from '../control/commit/desk.js'
import { CommitMachine } from '../control/commit/member.js'
import { Proposal } from '../control/commit/proposal.js'
import { Telling } from '../control/commit/telling.js'
import type { CommitRecord, CommitWish } from '../control/messages/commit.js'
import { replace, replaceGetter, type Undo } from './planted.js'

/** Its records are on the disk like this. */
function written(as: (record: CommitRecord) => CommitRecord): Undo {
  return replace(
    CommitMachine,
    'handle',
    (right) =>
      function (this: CommitMachine, fact, nowMs) {
        const wishes: CommitWish[] = right.call(this, fact, nowMs)
        return wishes.map((wish) =>
          wish.type === 'store' ? { ...wish, record: as(wish.record) } : wish,
        )
      },
  )
}

export const plantedCommits = {
  /** A vote is heard of before it is durable. */
  'unwritten-votes': () =>
    replace(
      CommitMachine,
      'handle',
      (right) =>
        function (this: CommitMachine, fact, nowMs) {
          const wishes: CommitWish[] = right.call(this, fact, nowMs)
          const last = wishes.findLast(({ type }) => type === 'store')
          if (last?.type !== 'store') return wishes
          const { write: number } = last
          return [...wishes, ...right.call(this, { type: 'stored', write: number }, nowMs)]
        },
    ),
  /** What a member has accepted is not on its disk. */
  'lost-votes': () => written((record) => ({ ...record, accepted: null })),
  /** What a member has promised is not on its disk, unless it has accepted something then. */
  'lost-promises': () =>
    written((record) => ({ ...record, promised: record.accepted?.ballot ?? authorBallot })),
  /** A member votes in a ballot that is lower than one that it has promised. */
  'any-vote': () =>
    replace(
      CommitMachine,
      'handle',
      (right) =>
        function (this: CommitMachine, fact, nowMs) {
          const wishes: CommitWish[] = right.call(this, fact, nowMs)
          if (fact.type !== 'said' || fact.frame.type !== 'propose') return wishes
          const { decree, ballot } = fact.frame
          const vote = { type: 'accepted', id: decree.id, ballot } as const
          return wishes.map((wish) => {
            const isRefused = wish.type === 'say' && wish.frame.type === 'outbid'
            return isRefused ? { ...wish, frame: vote } : wish
          })
        },
    ),
  /** Who asks overrules what others have accepted. */
  overruled: () =>
    replace(
      Proposal,
      'promised',
      (right) =>
        function (this: Proposal, member, frame) {
          right.call(this, member, { ...frame, accepted: null })
        },
    ),
  /** One member decides for all. */
  'one-vote': () =>
    replaceGetter(Proposal, 'isDecided', (_, proposal) => {
      const { verdict } = proposal as Proposal
      return verdict !== undefined
    }),
  /** Whoever answers counts as prepared. */
  'unprepared-commit': () =>
    replace(
      Proposal,
      'promised',
      (right) =>
        function (this: Proposal, member, frame) {
          right.call(this, member, { ...frame, prepared: frame.prepared ?? 0 })
        },
    ),
  /** Nobody counts what was committed under the name before. */
  'order-again': () => replace(CommitDesk, 'orderOf', () => () => 0),
  /** Two versions of a name are prepared while both are in doubt. */
  'two-in-doubt': () => replace(CommitDesk, 'holderOf', () => () => undefined),
  /** Members that were away are told nothing. */
  untold: () =>
    replace(
      Telling,
      'round',
      (right) =>
        function (this: Telling, nowMs) {
          return right.call(this, nowMs).slice(1)
        },
    ),
} as const satisfies Record<string, () => Undo>

export type PlantedCommit = keyof typeof plantedCommits
