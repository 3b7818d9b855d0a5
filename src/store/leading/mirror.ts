/**
 * What is kept, read as far as a head names it, and from then on only what is new: so that a master
 * that takes over has nearly all of it already.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { KeptEntry } from '../../control/messages/kept.js'
import { entriesIn } from '../master/entries.js'
import type { Bucket } from './bucket.js'
import { type KeptAt, nothingKept } from './head.js'

const newline = 0x0a

export const snapshotKey = (generation: string, piece: number): string => `${generation}.s.${piece}`
/** Nobody but the master of the term writes it. */
export const journalKey = (generation: string, term: number, piece: number): string =>
  `${generation}.j.${term}.${piece}`

export class Mirror {
  readonly #bucket: Pick<Bucket, 'get'>
  #at: KeptAt = nothingKept
  #entries: KeptEntry[] = []
  #isWhole = true

  constructor(bucket: Pick<Bucket, 'get'>) {
    this.#bucket = bucket
  }

  /**
   * Resolves to all of it. Rejects with ERR_FR_STATE where something is not there, or not as it was
   * written; with another error where it cannot be read now. One call at a time.
   */
  async follow(kept: KeptAt): Promise<readonly KeptEntry[]> {
    const isMore = this.#isWhole && continues(this.#at, kept)
    const known = isMore ? this.#at : { ...nothingKept, generation: kept.generation }
    if (!isMore) this.#entries = []
    this.#isWhole = false
    const keys = [...keysAfter(known, kept)]
    let rest: Uint8Array = new Uint8Array()
    for (let at = 0; at < keys.length; at += limits.statePiecesAtOnce) {
      const some = keys.slice(at, at + limits.statePiecesAtOnce)
      const pieces = await Promise.all(some.map((key) => this.#read(key)))
      rest = this.#take(Buffer.concat([rest, ...pieces]), some[0] as string)
    }
    if (rest.length > 0) throw damaged(keys.at(-1) as string, 'it ends within a line')
    this.#at = kept
    this.#isWhole = true
    return this.#entries
  }

  /** It is needed no more. */
  forget(): void {
    this.#entries = []
    this.#at = nothingKept
    this.#isWhole = false
  }

  async #read(key: string): Promise<Uint8Array> {
    const bytes = await this.#bucket.get(key)
    if (bytes === null) throw damaged(key, 'it is not there')
    return bytes
  }

  /** What follows the last whole line. */
  #take(bytes: Buffer, key: string): Uint8Array {
    let start = 0
    for (;;) {
      const end = bytes.indexOf(newline, start)
      if (end === -1) return bytes.subarray(start)
      for (const entry of linesEntries(bytes.subarray(start, end), key)) this.#entries.push(entry)
      start = end + 1
    }
  }
}

function linesEntries(line: Uint8Array, key: string): KeptEntry[] {
  try {
    const some = entriesIn(line)
    if (some !== null) return some
  } catch (error) {
    if (!(error instanceof FrError)) throw error
  }
  throw damaged(key, 'a line is not as it was written')
}

function damaged(key: string, why: string): FrError {
  return new FrError('ERR_FR_STATE', `the value ${key} of the state is damaged: ${why}`)
}

/** All of the first one is the beginning of the second one. */
function continues(before: KeptAt, after: KeptAt): boolean {
  return (
    before.generation === after.generation &&
    before.snapshot === after.snapshot &&
    before.journal.every(({ term, pieces }, i) => {
      const there = after.journal[i]
      const isLast = i === before.journal.length - 1
      if (there?.term !== term) return false
      return isLast ? there.pieces >= pieces : there.pieces === pieces
    })
  )
}

function* keysAfter(known: KeptAt, { generation, snapshot, journal }: KeptAt): Generator<string> {
  for (let piece = known.snapshot; piece < snapshot; piece++) yield snapshotKey(generation, piece)
  for (const [i, { term, pieces }] of journal.entries())
    for (let piece = known.journal[i]?.pieces ?? 0; piece < pieces; piece++)
      yield journalKey(generation, term, piece)
}
