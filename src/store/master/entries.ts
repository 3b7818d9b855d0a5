/** Lines of what a master keeps: a checksum, a blank, a list of entries in JSON. */
import { utf8 } from '../../base/bytes.js'
import { limits } from '../../base/limits.js'
import type { KeptEntry, KeptFault } from '../../control/messages/kept.js'
import { type Fields, parseObject } from '../../protocol/fields.js'
import { plainSet, readSet } from '../../protocol/file-sets.js'
import { readSaid } from '../../protocol/mastering.js'
import { checksum } from '../files/durable.js'

const checkDigits = 16

/** Throws RangeError where it is longer than a line may be. */
export function lineOf(entries: readonly KeptEntry[]): Uint8Array {
  const json = JSON.stringify({ entries: entries.map(plainOf) })
  const line = utf8(`${checksum(json)} ${json}\n`)
  if (line.length > limits.stateEntryBytes) throw new RangeError('a line of the state is too long')
  return line
}

/** Of a line without its end; null: it is not as it was written. */
export function entriesIn(line: Uint8Array): KeptEntry[] | null {
  const body = line.subarray(checkDigits + 1)
  const head = Buffer.from(line.subarray(0, checkDigits + 1)).toString('latin1')
  if (head !== `${checksum(body)} `) return null
  return parseObject(body, 'state').list('entries', Number.MAX_SAFE_INTEGER, readEntry)
}

function plainOf(entry: KeptEntry): object {
  return entry.type === 'sets' ? { ...entry, sets: entry.sets.map(plainSet) } : entry
}

const types = ['sets', 'drained', 'heard', 'faults'] as const

function readEntry(fields: Fields): KeptEntry {
  const type = fields.oneOf('type', types)
  switch (type) {
    case 'sets':
      return { type, sets: fields.list('sets', limits.masterSets, readSet) }
    case 'drained': {
      const node = fields.string('node', limits.attributeValueChars)
      return { type, node, isDrained: fields.boolean('isDrained') }
    }
    case 'heard':
      return { type, said: readSaid(fields.object('said')) }
    case 'faults':
      return { type, faults: fields.list('faults', limits.faultAccounts, readFault) }
    default:
      return type satisfies never
  }
}

const kinds = ['node', 'disk', 'uplink', 'downlink', 'site', 'link'] as const
const most = Number.MAX_SAFE_INTEGER
const nameChars = 512

function readFault(fields: Fields): KeptFault {
  return {
    kind: fields.oneOf('kind', kinds),
    name: fields.string('name', nameChars),
    thousandths: fields.integer('thousandths', 0, most),
    causes: fields.list('causes', 64, (one) => ({
      ...{ cause: one.string('cause', nameChars), count: one.integer('count', 0, most) },
    })),
    times: fields.integer('times', 0, most),
    retryMs: fields.isNull('retryMs') ? null : fields.integer('retryMs', 0, most),
  }
}
