/**
 * What a master keeps where others find it that take over: a snapshot and a journal, each as values
 * of bounded length, which the head names.
 *
 * The idea: values are written first, under names of this term, and then named by the head. What
 * a master writes that leads no more is under names that nobody reads, and it cannot replace the
 * head. Where nothing answers, an append waits: until it is there, or the term is over.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { KeptEntry } from '../../control/messages/kept.js'
import { lineOf } from '../master/entries.js'
import type { LoadedState, StateStore } from '../master/state-store.js'
import type { KeptAt } from './head.js'
import type { Reigning } from './leadership.js'
import { journalKey, snapshotKey } from './mirror.js'

export class SharedState implements StateStore {
  readonly #reign: Reigning
  #kept: KeptAt
  #last: Promise<unknown> = Promise.resolve()
  #snapshots = 0
  /** Why nothing is appended now. */
  #failure: FrError | null = null

  constructor(reign: Reigning) {
    this.#reign = reign
    this.#kept = reign.kept
  }

  get isLarge(): boolean {
    const { journal, journalBytes, snapshotBytes } = this.#kept
    const pieces = journal.reduce((sum, one) => sum + one.pieces, 0)
    return (
      journalBytes > Math.max(limits.stateJournalBytes, 2 * snapshotBytes) ||
      pieces > limits.stateJournalPieces ||
      journal.length >= limits.stateJournalTerms
    )
  }

  async load(): Promise<LoadedState> {
    const entries = await this.#reign.entries()
    void this.#sweep().catch(() => {})
    return { entries, notes: [] }
  }

  append(entries: readonly KeptEntry[]): Promise<void> {
    return this.#next(async () => {
      if (this.#failure !== null) throw this.#failure
      try {
        await this.#append(lineOf(entries))
      } catch (error) {
        this.#failure = asFrError(error, 'ERR_FR_IO')
        throw this.#failure
      }
    })
  }

  snapshot(entries: Iterable<KeptEntry>): Promise<void> {
    return this.#next(async () => {
      const { term, bucket } = this.#reign
      const { generation: before } = this.#kept
      this.#snapshots += 1
      const generation = `${term}-${this.#snapshots}`
      let [snapshot, snapshotBytes] = [0, 0]
      for (const piece of piecesOf(linesOf(entries))) {
        this.#require(snapshotBytes + piece.length)
        await this.#put(snapshotKey(generation, snapshot), piece)
        snapshot += 1
        snapshotBytes += piece.length
      }
      const kept = { generation, snapshot, snapshotBytes, journal: [], journalBytes: 0 }
      await this.#reign.commit(kept)
      this.#kept = kept
      this.#failure = null
      await bucket.clear(before).catch(() => {})
    })
  }

  close(): Promise<void> {
    return this.#next(async () => {
      this.#failure ??= new FrError('ERR_FR_CLOSED', 'the state is closed')
    })
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#last.then(step)
    this.#last = result.catch(() => {})
    return result
  }

  async #append(line: Uint8Array): Promise<void> {
    const { term } = this.#reign
    const { journal, journalBytes } = this.#kept
    this.#require(this.#kept.snapshotBytes + journalBytes + line.length)
    const isMine = journal.at(-1)?.term === term
    const before = isMine ? journal.slice(0, -1) : journal
    let pieces = isMine ? (journal.at(-1)?.pieces ?? 0) : 0
    for (const piece of piecesOf([line])) {
      await this.#put(journalKey(this.#kept.generation, term, pieces), piece)
      pieces += 1
    }
    const kept: KeptAt = {
      ...this.#kept,
      ...{ journal: [...before, { term, pieces }], journalBytes: journalBytes + line.length },
    }
    await this.#reign.commit(kept)
    this.#kept = kept
  }

  /** Again and again, as long as it may. */
  async #put(key: string, bytes: Uint8Array): Promise<void> {
    for (;;) {
      if (!this.#reign.mayLead) throw new FrError('ERR_FR_NOT_LEADING', 'this master leads no more')
      try {
        return await this.#reign.bucket.put(key, bytes)
      } catch (error) {
        if (error instanceof FrError && error.code === 'ERR_FR_NO_SPACE') throw error
        await sleep(limits.leaseRetryMs)
      }
    }
  }

  /** Of what there may be: as much again is needed while a snapshot is written. */
  #require(bytes: number): void {
    if (2 * bytes <= limits.stateBucketBytes) return
    const most = limits.stateBucketBytes / 2
    throw new FrError('ERR_FR_NO_SPACE', `the state would be longer than ${most} bytes`)
  }

  /** What masters before it have left behind. */
  async #sweep(): Promise<void> {
    const { bucket, term } = this.#reign
    for (const generation of await bucket.generations()) {
      const isOlder = generation === 'begin' || Number(generation.split('-')[0]) < term
      const isUsed = generation === this.#kept.generation
      if (isOlder && !isUsed && this.#reign.mayLead) await bucket.clear(generation)
    }
  }
}

function* linesOf(entries: Iterable<KeptEntry>): Generator<Uint8Array> {
  let some: KeptEntry[] = []
  for (const entry of entries) {
    if (entry.type === 'sets' && some.length > 0) {
      yield lineOf(some)
      some = []
    }
    some.push(entry)
    if (entry.type !== 'sets' && some.length < limits.stateLineEntries) continue
    yield lineOf(some)
    some = []
  }
  if (some.length > 0) yield lineOf(some)
}

/** All of it one after the other, in pieces of which only the last one may be short. */
function* piecesOf(lines: Iterable<Uint8Array>): Generator<Uint8Array> {
  let some: Uint8Array[] = []
  let bytes = 0
  for (const line of lines) {
    for (let at = 0; at < line.length; ) {
      const part = line.subarray(at, at + limits.statePieceBytes - bytes)
      some.push(part)
      bytes += part.length
      at += part.length
      if (bytes < limits.statePieceBytes) continue
      yield Buffer.concat(some)
      some = []
      bytes = 0
    }
  }
  if (bytes > 0) yield Buffer.concat(some)
}
