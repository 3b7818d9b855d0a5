/**
 * The head: who leads, and what the state is made of. What it does not name does not count, so that
 * whoever cannot replace the head cannot change the state.
 */
import { utf8 } from '../../base/bytes.js'
import { limits } from '../../base/limits.js'
import type { Stamp } from '../../control/leading/lease.js'
import { parseObject } from '../../protocol/fields.js'
import { checksum } from '../files/durable.js'

/** A snapshot and what was appended to it. */
export interface KeptAt {
  /** The term of whoever wrote the snapshot, and its number in that; empty: there is none. */
  readonly generation: string
  /** Values of the snapshot. */
  readonly snapshot: number
  readonly snapshotBytes: number
  /** Terms, in their order, and how many values were appended in each. */
  readonly journal: readonly { readonly term: number; readonly pieces: number }[]
  readonly journalBytes: number
}

export interface Head extends Stamp {
  /** Drawn when the state began: terms of another one have nothing to do with its own. */
  readonly state: string
  /** HOST:PORT where whoever leads is reached. */
  readonly address: string
  readonly kept: KeptAt
}

export const nothingKept: KeptAt = {
  ...{ generation: 'begin', snapshot: 0, snapshotBytes: 0, journal: [], journalBytes: 0 },
}

export function headBytes(head: Head): Uint8Array {
  const json = JSON.stringify(head)
  return utf8(`${checksum(json)} ${json}`)
}

const checkDigits = 16
const most = Number.MAX_SAFE_INTEGER
const generationPattern = /^(?:begin|[1-9]\d{0,15}-\d{1,15})$/

/** Null: it is not as it was written. */
export function headIn(bytes: Uint8Array): Head | null {
  const body = bytes.subarray(checkDigits + 1)
  const check = Buffer.from(bytes.subarray(0, checkDigits + 1)).toString('latin1')
  if (bytes.length > limits.stateHeadBytes || check !== `${checksum(body)} `) return null
  try {
    const fields = parseObject(body, 'head')
    const kept = fields.object('kept')
    const generation = kept.string('generation', 64)
    if (!generationPattern.test(generation)) return null
    return {
      state: fields.hex('state', 32),
      term: fields.integer('term', 0, most),
      holder: fields.isNull('holder') ? null : fields.hex('holder', 32),
      beat: fields.integer('beat', 0, most),
      address: fields.string('address', limits.addressChars),
      kept: {
        generation,
        snapshot: kept.integer('snapshot', 0, most),
        snapshotBytes: kept.integer('snapshotBytes', 0, limits.stateBucketBytes),
        journal: kept.list('journal', limits.stateJournalTerms, (one) => ({
          ...{ term: one.integer('term', 1, most), pieces: one.integer('pieces', 1, most) },
        })),
        journalBytes: kept.integer('journalBytes', 0, limits.stateBucketBytes),
      },
    }
  } catch {
    return null
  }
}
