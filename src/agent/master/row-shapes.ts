/** The rows that a master tells in JSON: whoever tells them, each is what it should be. */
import { FrError } from '../../base/errors.js'
import type { MasterRow } from '../../control/messages/told.js'

/** `?`: or null. `range`: [offset, length]; `names`: texts; a list of objects by their fields. */
type Shape =
  | 'text'
  | 'text?'
  | 'number'
  | 'number?'
  | 'flag'
  | 'range'
  | 'names'
  | Fields
  | [Fields]
interface Fields {
  readonly [field: string]: Shape
}

const copy: Fields = {
  ...{ event: 'text', copy: 'number', name: 'text', range: 'range', source: 'text' },
  ...{ target: 'text', bytesPerSecond: 'number?', seconds: 'number' },
}
const candidate: Fields = {
  ...{ event: 'text', source: 'text', site: 'text', range: 'range', bytesPerSecond: 'number?' },
  ...{ costPerGb: 'number', hops: 'number', fullness: 'number', holders: 'number' },
  ...{ serving: 'number', faults: 'number', score: 'number' },
}
const cause: Fields = { cause: 'text', count: 'number' }

const shapes: { readonly [E in MasterRow['event']]: Fields } = {
  link: {
    ...{ kind: 'text', name: 'text', capabilityBytesPerSecond: 'number?', costPerGb: 'number' },
    ...{ allocatedBytesPerSecond: 'number', usedBytesPerSecond: 'number', bytes: 'number' },
    ...{ cost: 'number', isFailed: 'flag' },
  },
  component: {
    ...{ kind: 'text', name: 'text', isFailed: 'flag', retrySeconds: 'number?' },
    ...{ failures: 'number', causes: [cause] },
  },
  copy,
  slice: {
    ...{ name: 'text', size: 'number', range: 'range', from: 'text', to: 'text' },
    nodes: 'number',
  },
  set: {
    ...{ set: 'text', priority: 'number', files: 'number', nodes: 'number', complete: 'number' },
    ...{ missingFiles: 'number', missingBytes: 'number', unknown: 'names' },
    leftAtNodes: [{ node: 'text', files: 'number', bytes: 'number' }],
    leftOfFiles: [{ name: 'text', nodes: 'number', bytes: 'number' }],
    unended: [{ name: 'text', bytes: 'number', seconds: 'number' }],
    contradictions: [{ name: 'text', set: 'text' }],
  },
  node: {
    ...{ node: 'text', site: 'text', isHere: 'flag', isDrained: 'flag', files: 'number' },
    ...{ wanted: 'number', missing: 'number', missingBytes: 'number', freeBytes: 'number' },
  },
  change: {
    ...{ set: 'text', change: 'text', fields: 'names', added: 'number', removed: 'number' },
    ...{ changed: 'number', filesAdded: 'names', filesRemoved: 'names', filesChanged: 'names' },
  },
  explain: {
    ...{ node: 'text', name: 'text', digest: 'text?', size: 'number?', heldBytes: 'number' },
    ...{ set: 'text?', state: 'text', text: 'text', copies: [copy], candidates: [candidate] },
  },
  audit: { node: 'text', name: 'text', fault: 'text', wanted: 'text?', held: 'text?' },
}

/** Throws ERR_FR_PROTOCOL. Fields that are not known stay. */
export function rowIn(text: string): MasterRow {
  let row: unknown
  try {
    row = JSON.parse(text)
  } catch {
    throw wrong('a row is no JSON')
  }
  const event = (row as { event?: unknown } | null)?.event
  if (typeof event !== 'string' || !Object.hasOwn(shapes, event)) throw wrong('an unknown row')
  const fault = faultIn(row, shapes[event as MasterRow['event']])
  if (fault !== null) throw wrong(`in a row of '${event}' ${fault} is not what it should be`)
  return row as MasterRow
}

function wrong(text: string): FrError {
  return new FrError('ERR_FR_PROTOCOL', `the master tells ${text}`)
}

/** The field that is not so; null: none. */
function faultIn(value: unknown, fields: Fields): string | null {
  if (typeof value !== 'object' || value === null) return 'an object'
  for (const [name, shape] of Object.entries(fields)) {
    const field = Object.getOwnPropertyDescriptor(value, name)?.value
    if (!isOf(field, shape)) return name
  }
  return null
}

function isOf(value: unknown, shape: Shape): boolean {
  if (Array.isArray(shape))
    return Array.isArray(value) && value.every((one) => faultIn(one, shape[0]) === null)
  switch (shape) {
    case 'text?':
      return value === null || typeof value === 'string'
    case 'number?':
      return value === null || typeof value === 'number'
    case 'text':
      return typeof value === 'string'
    case 'number':
      return typeof value === 'number'
    case 'flag':
      return typeof value === 'boolean'
    case 'range':
      return isListOf(value, 'number') && value.length === 2
    case 'names':
      return isListOf(value, 'string')
    default:
      return faultIn(value, shape) === null
  }
}

function isListOf(value: unknown, type: 'number' | 'string'): value is unknown[] {
  return Array.isArray(value) && value.every((one) => typeof one === type)
}
