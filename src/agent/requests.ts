/**
 * Every request that a node answers, and the right that it needs: the one table. A request that is
 * not in it is not answered, so a new one without a right can reach nobody.
 */
import { utf8 } from '../base/bytes.js'
import type { Wanted } from '../base/rights.js'
import type { Frame, StreamEntry } from '../control/messages/types.js'
import { decodeName } from '../protocol/manifest.js'
import type { Offer } from './offers.js'

type Of<T extends Frame['type']> = Extract<Frame, { readonly type: T }>

/** Questions of a status link. */
const questions = {
  statusRequest: () => [{ right: 'status' }],
  list: () => [{ right: 'status' }],
  versions: () => [{ right: 'status' }],
  lacks: () => [{ right: 'status' }],
  disks: () => [{ right: 'status' }],
  where: () => [{ right: 'status' }],
  follow: () => [{ right: 'status' }],
  add: () => [{ right: 'add' }],
  limit: () => [{ right: 'limit' }],
  verify: (frame: Of<'verify'>) => [{ right: 'get', name: decodeName(frame) }],
  copy: ({ name }: Of<'copy'>) => [
    { right: 'be-origin' },
    // By its content it could be a file of any name.
    { right: 'get', name: name && decodeName(name) },
  ],
  remove: (frame: Of<'remove'>) => [{ right: 'rm', name: decodeName(frame), isGlob: frame.isGlob }],
  rollback: (frame: Of<'rollback'>) => [{ right: 'push', name: decodeName(frame) }],
  prepare: ({ decree }: Of<'prepare'>) => [{ right: 'push', name: decodeName(decree) }],
  // Of its author or of a member: the decree says who that is.
  consult: () => [{ right: 'relay', or: 'push' }],
  force: () => [{ right: 'admin' }],
  describe: () => [{ right: 'admin' }],
  publishing: () => [{ right: 'status' }],
  announce: (frame: Of<'announce'>) => [
    { right: frame.withdraws ? 'rm' : 'push', name: decodeName(frame) },
  ],
  swarm: ({ name }: Of<'swarm'>) => [{ right: 'get', name: utf8(name) }],
} as const satisfies {
  readonly [T in Frame['type']]?: (frame: Of<T>) => readonly Wanted[]
}

export type QuestionType = keyof typeof questions
export type Question = Of<QuestionType>

export const questionTypes = Object.keys(questions) as QuestionType[]

/** Questions that come again and again, and change nothing: lines about them say little. */
export const readsOnly: ReadonlySet<QuestionType> = new Set<QuestionType>([
  ...(['statusRequest', 'list', 'versions', 'lacks', 'disks', 'follow', 'consult'] as const),
  ...(['publishing', 'swarm', 'where'] as const),
])

/** What logs and the status call each request: the words of those who use the product. */
const words = {
  statusRequest: 'status',
  list: 'list',
  versions: 'versions',
  lacks: 'compare',
  disks: 'disks',
  where: 'where',
  follow: 'wait',
  add: 'add',
  limit: 'limit',
  verify: 'verify',
  copy: 'copy',
  remove: 'remove',
  rollback: 'rollback',
  prepare: 'commit',
  consult: 'commit: decide',
  force: 'commit: force',
  describe: 'change attributes',
  publishing: 'published',
  announce: 'publish',
  swarm: 'pull',
  fetch: 'get',
  receiver: 'push',
  mirror: 'mirror',
  gateway: 'relay',
  pull: 'ask as a mate',
  bridge: 'connect through',
  succeed: 'take over',
  enlist: 'join as a node',
  enroll: 'be a child',
  mate: 'be a neighbour',
  askMaster: 'ask the master',
  giveSets: 'apply sets',
  drain: 'drain',
} as const satisfies Record<QuestionType | Offer['role'], string> & Record<string, string>

/** A question by its frame, an offer by its role, a link by its channel. */
export type RequestName = keyof typeof words

export function wordOf(request: RequestName): string {
  return words[request]
}

export function isQuestion(frame: Frame): frame is Question {
  return Object.hasOwn(questions, frame.type)
}

export function wantedBy(frame: Question): readonly Wanted[] {
  return (questions[frame.type] as (frame: Question) => readonly Wanted[])(frame)
}

/** An offer: the content is to be taken, sent to others, or passed on. */
export function wantedByOffer(offer: Offer, entry: StreamEntry): readonly Wanted[] {
  switch (offer.role) {
    case 'receiver':
      return [{ right: 'push', name: decodeName(entry) }]
    case 'mirror':
      return [{ right: 'be-origin' }, { right: 'get', name: null }]
    case 'gateway':
      return memberRights
    default:
      return offer.role satisfies never
  }
}

/** To fetch a file, or a part of a tree. */
export function wantedByFetch(frame: Of<'fetch'>): readonly Wanted[] {
  return [{ right: 'get', name: decodeName(frame) }]
}

/** To ask for bytes as a mate, to take over, to have connections passed on, to have a master. */
export const memberRights: readonly Wanted[] = [{ right: 'relay' }]
