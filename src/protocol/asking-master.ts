/** Bodies of questions to a master and of its answers. */
import { limits } from '../base/limits.js'
import {
  type MasterAnswer,
  type MasterAsked,
  masterSubjects,
} from '../control/messages/asking-master.js'
import type { Fields } from './fields.js'

type Word = MasterAsked | MasterAnswer
type BodyOf<T extends Word['type']> = Omit<Extract<Word, { type: T }>, 'type'>

const most = Number.MAX_SAFE_INTEGER

function readAsk(body: Fields): BodyOf<'askMaster'> {
  const text = (name: string, longest: number) =>
    body.isNull(name) ? null : body.string(name, longest)
  return {
    about: body.oneOf('about', masterSubjects),
    node: text('node', limits.attributeValueChars),
    name: text('name', limits.nameBytes),
    at: body.integer('at', 0, most),
  }
}

function readGiven(body: Fields): BodyOf<'giveSets'> {
  return {
    upload: body.hex('upload', 32),
    at: body.integer('at', 0, limits.stateEntryBytes),
    json: body.string('json', limits.setsPartChars),
    isLast: body.boolean('isLast'),
    isPruned: body.boolean('isPruned'),
    isDry: body.boolean('isDry'),
  }
}

function readDrain(body: Fields): BodyOf<'drain'> {
  const node = body.string('node', limits.attributeValueChars)
  return { node, isDrained: body.boolean('isDrained') }
}

function readRows(body: Fields): BodyOf<'masterRows'> {
  return {
    rows: body.strings('rows', limits.masterRows, limits.masterRowsBytes),
    next: body.isNull('next') ? null : body.integer('next', 1, most),
  }
}

function readSetsGiven(body: Fields): BodyOf<'setsGiven'> {
  return { at: body.integer('at', 0, most), isKept: body.boolean('isKept') }
}

function readDrained(body: Fields): BodyOf<'drained'> {
  return { copies: body.integer('copies', 0, most), isKept: body.boolean('isKept') }
}

/** Number and reader of each. */
export const askingMasterFrames = {
  askMaster: [130, readAsk],
  masterRows: [131, readRows],
  giveSets: [132, readGiven],
  setsGiven: [133, readSetsGiven],
  drain: [134, readDrain],
  drained: [135, readDrained],
} as const
