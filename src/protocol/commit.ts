/** Bodies of frames about decisions: which nodes switch a name together. */
import { limits } from '../base/limits.js'
import {
  type Accepted,
  type Ballot,
  type CommitCall,
  type CommitFrame,
  commitModes,
  type Decree,
  type Verdict,
} from '../control/messages/commit.js'
import type { Fields } from './fields.js'
import { readFileDigest } from './file-digest.js'
import { readName } from './manifest.js'
import { numberMax, readAddress, readNumber, readNumbers } from './plan.js'
import { readReason } from './reasons.js'

type BodyOf<T extends CommitCall['type']> = Omit<Extract<CommitCall, { type: T }>, 'type'>

const most = Number.MAX_SAFE_INTEGER
const verdicts = ['commit', 'abort'] as const
const votes = ['ballot', 'promised', 'propose', 'accepted', 'outbid'] as const
const words = [...votes, 'decided', 'applied'] as const

export function readPrepare(body: Fields): BodyOf<'prepare'> {
  return { decree: readDecree(body.object('decree')), isNew: body.boolean('isNew') }
}

export function readConsult(body: Fields): BodyOf<'consult'> {
  return {
    id: body.hex('id', 32),
    by: readNumber(body, 'by'),
    to: body.integer('to', 0, limits.commitMembers - 1),
    frame: readWord(body),
  }
}

export function readVoted(body: Fields): BodyOf<'voted'> {
  const never = body.isNull('never') ? null : readReason(body.object('never'))
  return { frame: readWord(body), never }
}

export function readForce(body: Fields): BodyOf<'force'> {
  return { ...readName(body), verdict: body.oneOf('verdict', verdicts) }
}

export function readForced(body: Fields): BodyOf<'forced'> {
  return {
    fileDigest: readFileDigest(body, 'fileDigest'),
    verdict: body.oneOf('verdict', verdicts),
  }
}

function readWord(body: Fields): CommitFrame | null {
  return body.isNull('frame') ? null : readCommitFrame(body.object('frame'))
}

function readCommitFrame(body: Fields): CommitFrame {
  const type = body.oneOf('type', words)
  switch (type) {
    case 'ballot':
      return { type, decree: readDecree(body.object('decree')), ballot: readBallot(body, 'ballot') }
    case 'promised':
      return {
        type,
        id: body.hex('id', 32),
        ballot: readBallot(body, 'ballot'),
        prepared: body.isNull('prepared') ? null : body.integer('prepared', 0, most - 1),
        accepted: body.isNull('accepted') ? null : readAccepted(body.object('accepted')),
      }
    case 'propose':
      return {
        type,
        decree: readDecree(body.object('decree')),
        ballot: readBallot(body, 'ballot'),
        verdict: readVerdict(body),
      }
    case 'accepted':
      return { type, id: body.hex('id', 32), ballot: readBallot(body, 'ballot') }
    case 'outbid':
      return { type, id: body.hex('id', 32), promised: readBallot(body, 'promised') }
    case 'decided': {
      const decree = readDecree(body.object('decree'))
      const applied = readMembers(body, 'applied', decree.members.length)
      return { type, decree, verdict: readVerdict(body), applied }
    }
    case 'applied':
      return {
        type,
        id: body.hex('id', 32),
        members: readMembers(body, 'members', limits.commitMembers),
      }
    default:
      return type satisfies never
  }
}

/** Of a record on the disk as well: what is there was once on the wire. */
export function readDecree(fields: Fields): Decree {
  const members = fields.list('members', limits.commitMembers, (member) => ({
    nodeId: member.string('nodeId', 32) === '' ? '' : member.hex('nodeId', 32),
    address: readAddress(member, 'address'),
  }))
  if (members.length === 0) fields.refuse('members', 'is empty')
  const met = members.flatMap(({ nodeId }) => (nodeId === '' ? [] : [nodeId]))
  if (new Set(met).size < met.length) fields.refuse('members', 'names a node twice')
  return {
    id: fields.hex('id', 32),
    ...readName(fields),
    mode: fields.oneOf('mode', commitModes),
    fileDigest: readFileDigest(fields, 'fileDigest'),
    members,
  }
}

export function readBallot(fields: Fields, name: string): Ballot {
  const ballot = fields.object(name)
  return { round: ballot.integer('round', 0, most), by: ballot.integer('by', 0, numberMax) }
}

export function readVerdict(fields: Fields): Verdict {
  const verdict = fields.object('verdict')
  const type = verdict.oneOf('type', verdicts)
  return type === 'abort' ? { type } : { type, order: verdict.integer('order', 1, most) }
}

export function readAccepted(fields: Fields): Accepted {
  return { ballot: readBallot(fields, 'ballot'), verdict: readVerdict(fields) }
}

/** Numbers of members. */
function readMembers(fields: Fields, name: string, count: number): number[] {
  return readNumbers(fields, name, count, count - 1)
}
