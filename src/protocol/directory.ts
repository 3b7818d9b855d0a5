/** Bodies of frames between nodes of a directory, and of the question of a client to one. */
import { type Attributes, attributesFault, keyFault, valueFault } from '../base/attributes.js'
import { canonical, parseCriteria } from '../base/criteria.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type {
  DirectoryFrame,
  DirectoryPeer,
  FoundNode,
  Room,
} from '../control/messages/directory.js'
import type { Fields } from './fields.js'
import { readAddress } from './plan.js'
import { readAnswer } from './reasons.js'

type BodyOf<T extends DirectoryFrame['type']> = Omit<Extract<DirectoryFrame, { type: T }>, 'type'>

const most = Number.MAX_SAFE_INTEGER
/** Hexadecimal digits of all bits. */
const bitsChars = limits.dictionaryBits / 4

function readPeer(fields: Fields): DirectoryPeer {
  return { nodeId: fields.hex('nodeId', 32), address: readAddress(fields, 'address') }
}

function readEnroll(body: Fields): BodyOf<'enroll'> {
  return {
    address: readAddress(body, 'address'),
    site: body.string('site', limits.attributeValueChars),
    below: body.integer('below', 0, most),
    dictionary: body.hex('dictionary', 32),
    bits: body.integer('bits', 0, limits.dictionaryBits),
    depth: readSteps(body, 'depth'),
  }
}

function readLineage(body: Fields): BodyOf<'lineage'> {
  const address = (name: string) => (body.isNull(name) ? null : readAddress(body, name))
  return {
    path: readIds(body, 'path', limits.treeDepth),
    grandparent: address('grandparent'),
    deputy: address('deputy'),
    room: body.isNull('room') ? null : readRoom(body.object('room')),
  }
}

function readRoom(fields: Fields): Room {
  return {
    depth: fields.integer('depth', 0, limits.treeDepth),
    address: fields.isNull('address') ? null : readAddress(fields, 'address'),
  }
}

function readSteps(fields: Fields, name: string): number | null {
  return fields.isNull(name) ? null : fields.integer(name, 0, limits.treeDepth)
}

function readMayEnroll(body: Fields): BodyOf<'mayEnroll'> {
  return { request: body.integer('request', 0, most), nodeId: body.hex('nodeId', 32) }
}

function readJudged(body: Fields): BodyOf<'enrollJudged'> {
  return { request: body.integer('request', 0, most), ...readAnswer(body) }
}

function readRollUp(body: Fields): BodyOf<'rollUp'> {
  return {
    dictionary: body.hex('dictionary', 32),
    some: readBits(body, 'some'),
    every: readBits(body, 'every'),
    count: body.integer('count', 1, most),
    isWhole: body.boolean('isWhole'),
    room: readSteps(body, 'room'),
  }
}

function readBits(body: Fields, name: string): string {
  const text = body.string(name, bitsChars)
  if (text.length % 8 !== 0 || !/^[0-9a-f]*$/.test(text)) body.refuse(name, 'is no set of bits')
  return text
}

function readDefine(body: Fields): BodyOf<'define'> {
  return { entries: readEntries(body) }
}

function readDictionary(body: Fields): BodyOf<'dictionary'> {
  return {
    id: body.hex('id', 32),
    at: body.integer('at', 0, limits.dictionaryBits),
    entries: readEntries(body),
    isLast: body.boolean('isLast'),
    isFull: body.boolean('isFull'),
  }
}

function readEntries(body: Fields): string[] {
  const longest = limits.attributeKeyChars + 1 + limits.attributeValueChars
  const entries = body.strings('entries', limits.dictionaryPage, longest)
  for (const entry of entries) {
    const at = entry.indexOf('=')
    const fault =
      at < 0 ? 'is none' : (keyFault(entry.slice(0, at)) ?? valueFault(entry.slice(at + 1)))
    if (fault !== null) body.refuse('entries', `has an attribute that ${fault}`)
  }
  return entries
}

function readKin(body: Fields): BodyOf<'kin'> {
  return { mates: body.list('mates', limits.kinKnown, readPeer) }
}

function readFind(body: Fields): BodyOf<'find'> {
  return {
    query: body.integer('query', 0, most),
    criteria: readCriteria(body),
    forMs: body.integer('forMs', 0, limits.findMs),
  }
}

/** In canonical form. */
function readCriteria(body: Fields): string {
  const text = body.string('criteria', limits.criteriaChars)
  try {
    return canonical(parseCriteria(text))
  } catch (error) {
    if (!(error instanceof FrError)) throw error
    return body.refuse('criteria', `cannot be read: ${error.message}`)
  }
}

function readFound(body: Fields): BodyOf<'found'> {
  return {
    query: body.integer('query', 0, most),
    nodes: readNodes(body),
    asked: body.integer('asked', 0, most),
    isLast: body.boolean('isLast'),
    isWhole: body.boolean('isWhole'),
  }
}

function readNodes(body: Fields): FoundNode[] {
  return body.list('nodes', limits.findPage, (one) => {
    return { ...readPeer(one), name: one.string('name', limits.attributeValueChars) }
  })
}

function readMate(body: Fields): BodyOf<'mate'> {
  const site = body.string('site', limits.attributeValueChars)
  return { address: readAddress(body, 'address'), site }
}

function readSpread(body: Fields): BodyOf<'spread'> {
  // In base64url, three bytes are four characters.
  const record = body.string('record', Math.ceil((4 * limits.announcementBytes) / 3))
  return { id: body.hex('id', 32), record }
}

function readIds(body: Fields, name: string, count: number): string[] {
  const ids = body.strings(name, count, 32)
  if (ids.some((id) => !/^[0-9a-f]{32}$/.test(id))) body.refuse(name, 'holds what is no id')
  return ids
}

function readAttributes(body: Fields, name: string): Attributes {
  const attributes = body.map(name, limits.attributes, limits.attributeValueChars)
  const fault = attributesFault(attributes)
  if (fault !== null) body.refuse(name, `cannot be taken: ${fault}`)
  return attributes
}

const nothing = (): Record<never, never> => ({})

/** Number and reader of each. */
export const directoryFrames = {
  enroll: [140, readEnroll],
  passDown: [141, readPeer],
  lineage: [142, readLineage],
  mayEnroll: [143, readMayEnroll],
  enrollJudged: [144, readJudged],
  rollUp: [145, readRollUp],
  define: [146, readDefine],
  dictionary: [147, readDictionary],
  kin: [148, readKin],
  find: [149, readFind],
  found: [150, readFound],
  mate: [151, readMate],
  spread: [152, readSpread],
  known: [153, (body: Fields) => ({ ids: readIds(body, 'ids', limits.historyCount) })],
  askKnown: [154, nothing],
  wanted: [155, (body: Fields) => ({ ids: readIds(body, 'ids', limits.wantedAtOnce) })],
  given: [156, nothing],
  where: [157, (body: Fields) => ({ criteria: readCriteria(body) })],
  whereFound: [158, (body: Fields) => ({ nodes: readNodes(body) })],
  whereTold: [
    159,
    (body: Fields) => ({
      count: body.integer('count', 0, most),
      asked: body.integer('asked', 0, most),
      isWhole: body.boolean('isWhole'),
    }),
  ],
  describe: [
    184,
    (body: Fields) => ({
      set: readAttributes(body, 'set'),
      unset: body.strings('unset', limits.attributes, limits.attributeKeyChars),
    }),
  ],
  described: [185, (body: Fields) => ({ attributes: readAttributes(body, 'attributes') })],
} as const
