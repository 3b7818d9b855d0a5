/** Bodies of frames between nodes and their master. */
import { limits } from '../base/limits.js'
import type { RangePair } from '../base/ranges.js'
import type {
  Blamed,
  CopyOrder,
  HeldThere,
  MasterToNode,
  NodeToMaster,
  RequiredFile,
  Said,
} from '../control/messages/mastering.js'
import type { Fields } from './fields.js'
import { readFileDigest } from './file-digest.js'
import { decodeName } from './manifest.js'
import { readAddress } from './plan.js'

type Word = NodeToMaster | MasterToNode
type BodyOf<T extends Word['type']> = Omit<Extract<Word, { type: T }>, 'type'>

const most = Number.MAX_SAFE_INTEGER
const blamed: readonly Blamed[] = ['source', 'disk', 'links']
const causePattern = /^[A-Za-z][A-Za-z0-9_-]*$/

function readEnlist(body: Fields): BodyOf<'enlist'> {
  const rate = (name: string) =>
    body.isNull(name) ? null : body.integer(name, limits.rateMin, limits.rateMax)
  return { address: readAddress(body, 'address'), up: rate('up'), down: rate('down') }
}

function readHoldings(body: Fields): BodyOf<'holdings'> {
  return {
    held: body.list('held', limits.masterPageFiles, readHeld),
    gone: body.list('gone', limits.masterPageFiles, (one) => ({
      ...{ name: readPlainName(one), contentId: one.hex('contentId', 32) },
    })),
    carried: body.list('carried', limits.ordersPerNode, (one) => ({
      ...{ copy: one.integer('copy', 0, most), bytes: one.integer('bytes', 0, most) },
    })),
    freeBytes: body.integer('freeBytes', 0, most),
  }
}

function readUnderway(body: Fields): BodyOf<'underway'> {
  return { copies: body.list('copies', limits.masterNodeCopies, readOrder) }
}

function readCopied(body: Fields): BodyOf<'copied'> {
  const cause = body.isNull('cause') ? null : body.string('cause', limits.copyCauseChars)
  if (cause !== null && !causePattern.test(cause)) body.refuse('cause', 'is no cause')
  const blames = body.strings('blames', blamed.length, 8).map((text) => {
    return blamed.find((known) => known === text) ?? body.refuse('blames', 'blames what is unknown')
  })
  if (new Set(blames).size < blames.length) body.refuse('blames', 'blames something twice')
  const bytes = body.integer('bytes', 0, limits.growingSpanBytes)
  return { copy: body.integer('copy', 0, most), bytes, cause, blames }
}

function readOrder(body: Fields): CopyOrder {
  const source = body.object('source')
  const said = readSaid(body)
  return {
    copy: body.integer('copy', 0, most),
    ...said,
    range: readRange(body, said.size),
    source: {
      name: source.string('name', limits.attributeValueChars),
      nodeId: source.hex('nodeId', 32),
      address: readAddress(source, 'address'),
    },
    bytesPerSecond: readRate(body),
  }
}

function readOrderRate(body: Fields): BodyOf<'orderRate'> {
  return { copy: body.integer('copy', 0, most), bytesPerSecond: readRate(body) }
}

function readOrderStop(body: Fields): BodyOf<'orderStop'> {
  return { copy: body.integer('copy', 0, most) }
}

function readLeads(body: Fields): BodyOf<'leads'> {
  return { state: body.hex('state', 32), term: body.integer('term', 1, most) }
}

function readElsewhere(body: Fields): BodyOf<'elsewhere'> {
  return { address: body.isNull('address') ? null : readAddress(body, 'address') }
}

function readRequired(body: Fields): BodyOf<'required'> {
  return {
    files: body.list('files', limits.masterPageFiles, readRequiredFile),
    isFirst: body.boolean('isFirst'),
    isLast: body.boolean('isLast'),
  }
}

/** Of what a node keeps on its disk as well. */
export function readRequiredFile(fields: Fields): RequiredFile {
  return {
    name: readPlainName(fields),
    digest: fields.isNull('digest') ? null : readFileDigest(fields, 'digest'),
    priority: fields.integer('priority', 0, 10),
  }
}

function readHeld(fields: Fields): HeldThere {
  const said = readSaid(fields)
  const ranges = fields.isNull('ranges') ? null : fields.ranges('ranges', limits.masterRanges)
  const [offset, length] = ranges?.at(-1) ?? [0, 0]
  if (offset + length > said.size) fields.refuse('ranges', 'go beyond the end')
  return { ...said, ranges }
}

export function readSaid(fields: Fields): Said {
  const isGrowing = fields.boolean('isGrowing')
  const digest = fields.isNull('digest') ? null : readFileDigest(fields, 'digest')
  if (digest !== null && isGrowing) fields.refuse('digest', 'is of a content that grows')
  return {
    name: readPlainName(fields),
    contentId: fields.hex('contentId', 32),
    digest,
    size: fields.integer('size', 0, isGrowing ? limits.growingSpanBytes : limits.fileBytes),
    isGrowing,
  }
}

/** Of a file that a set can name: in UTF-8. The storage confines it. */
export function readPlainName(fields: Fields): string {
  const name = fields.string('name', limits.nameBytes)
  decodeName({ name, nameIsBase64: false })
  return name
}

function readRange(body: Fields, size: number): RangePair {
  const [offset = 0, length = 0] = body.integers('range', 2, 0, most)
  // Of a content of no bytes there is nothing else to order.
  const isSomething = length > 0 || size === 0
  if (isSomething && offset + length <= size) return [offset, length]
  return body.refuse('range', 'is empty, or goes beyond the end')
}

/** JSON has no infinity: null is one. */
function readRate(fields: Fields): number {
  if (fields.isNull('bytesPerSecond')) return Number.POSITIVE_INFINITY
  return fields.integer('bytesPerSecond', 1, limits.rateMax)
}

/** Number and reader of each. */
export const masterFrames = {
  enlist: [120, readEnlist],
  holdings: [121, readHoldings],
  underway: [122, readUnderway],
  copied: [123, readCopied],
  order: [124, readOrder],
  orderRate: [125, readOrderRate],
  orderStop: [126, readOrderStop],
  required: [127, readRequired],
  leads: [128, readLeads],
  elsewhere: [129, readElsewhere],
} as const
