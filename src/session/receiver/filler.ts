/**
 * Fills blocks of a partial from older content: what an index says is equal is copied. The bytes
 * are compared and copied by the engine and its workers; only hashes come here.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { ChunkTable, foundIn, type Moved } from '../../control/holdings/chunk-table.js'
import { equalPages } from '../../control/holdings/pages.js'
import type { IndexedPiece, SoughtPiece } from '../../control/messages/delta.js'
import type { NodeFact } from '../../control/receiver/events.js'
import { isSameFile } from '../../store/catalogue/same-file.js'
import type { Partial } from '../../store/partial.js'
import type { NodeHost, OlderFile } from './node-host.js'

/** A run of bytes, and where in which of the older files the same are. */
interface Found extends Moved {
  readonly of: number
}

/** Copies that are made at the same time, and bytes between two that are copied as well. */
const copiesAtOnce = 16
const gapBytes = 4 * limits.indexPageBytes

/**
 * Pages that were found as few copies. What is in a short gap between them is found nowhere: it
 * comes, and takes the place of what was copied, because nobody counts that as found.
 */
function joined(found: readonly Found[]): Found[] {
  const copies: Found[] = []
  for (const next of found.toSorted((a, b) => a.offset - b.offset)) {
    const last = copies.at(-1)
    const gap = last === undefined ? -1 : next.offset - (last.offset + last.length)
    const isInLine = last?.of === next.of && next.from - last.from === next.offset - last.offset
    if (last === undefined || !isInLine || gap < 0 || gap > gapBytes) copies.push(next)
    else copies[copies.length - 1] = { ...last, length: next.offset + next.length - last.offset }
  }
  return copies
}

export class Filler {
  readonly #host: Pick<NodeHost, 'engine' | 'pool' | 'storage'>
  readonly #partial: Pick<Partial, 'fill'>
  readonly #older: readonly OlderFile[]
  /** Where each of them begins in one line of offsets, in which they do not touch. */
  readonly #bases: readonly number[]
  #chunks: Promise<ChunkTable> | undefined
  /** One piece at a time. */
  #last: Promise<unknown> = Promise.resolve()
  #isStopped = false

  /** `older`: in the order in which the partial has them, the most likely one first. */
  constructor(
    host: Pick<NodeHost, 'engine' | 'pool' | 'storage'>,
    partial: Pick<Partial, 'fill'>,
    older: readonly OlderFile[],
  ) {
    this.#host = host
    this.#partial = partial
    this.#older = older
    let base = 0
    this.#bases = older.map(({ identity }) => {
      const begin = base
      base += identity.size + 1
      return begin
    })
  }

  /** What is in the partial now; nothing of an older file that is not what it was. */
  async fill(piece: SoughtPiece): Promise<RangePair[]> {
    const filled = this.#last.then(() => this.#fill(piece))
    this.#last = filled.catch(() => {})
    return filled
  }

  stop(): void {
    this.#isStopped = true
  }

  async #fill(piece: SoughtPiece): Promise<RangePair[]> {
    const found = await (piece.kind === 'pages' ? this.#samePlace(piece) : this.#moved(piece))
    // Between chunks there may be pages that were found before.
    const copies = piece.kind === 'pages' ? joined(found) : found
    for (let at = 0; at < copies.length; at += copiesAtOnce) {
      if (this.#isStopped) return []
      await Promise.all(
        copies
          .slice(at, at + copiesAtOnce)
          .map(({ offset, length, from, of }) =>
            this.#partial.fill({ offset: from, length }, offset, of),
          ),
      )
    }
    const areSame = await Promise.all(
      this.#older.map(async ({ file, identity }) =>
        isSameFile(await this.#host.storage.identityOf(file), identity),
      ),
    )
    const sound = found.filter(({ of }) => areSame[of] === true)
    return sound.map(({ offset, length }): RangePair => [offset, length])
  }

  async #samePlace(piece: IndexedPiece): Promise<Found[]> {
    const left = RangeSet.of([[piece.offset, piece.length]])
    const found: Found[] = []
    for (const [of, older] of this.#older.entries()) {
      if (left.isEmpty) break
      for (const equal of await this.#equalIn(older, piece))
        for (const [offset, length] of left.present(...equal)) {
          found.push({ offset, length, from: offset, of })
          left.remove(offset, length)
        }
    }
    return found
  }

  async #equalIn(
    older: OlderFile,
    { offset, length, entries }: IndexedPiece,
  ): Promise<RangePair[]> {
    const common = Math.min(length, older.identity.size - offset)
    if (common <= 0) return []
    const ours = await this.#host.pool.hash(
      this.#host.engine.hashSource(older.file),
      { offset, length: common },
      limits.indexPageBytes,
      'blake3-page',
    )
    // A page that ends earlier here is another one.
    const equal = equalPages({ offset, length }, limits.indexPageBytes, entries, ours)
    return RangeSet.of(equal).present(offset, common)
  }

  async #moved(piece: SoughtPiece): Promise<Found[]> {
    const { offset, entries } = piece
    return foundIn(await this.#tableFor(piece), offset, entries).map((moved) => {
      const of = this.#bases.findLastIndex((base) => base <= moved.from)
      return { ...moved, from: moved.from - (this.#bases[of] as number), of }
    })
  }

  /** Of all that there is, or of what is near a sample. */
  #tableFor({ offset, length, isSample }: SoughtPiece): Promise<ChunkTable> {
    const reach = limits.indexSampleReach
    if (isSample) return this.#cut(Math.max(0, offset - reach), offset + length + reach)
    this.#chunks ??= this.#cut(0, Number.POSITIVE_INFINITY)
    return this.#chunks
  }

  /** The chunks of each file between these offsets. */
  async #cut(from: number, to: number): Promise<ChunkTable> {
    const table = new ChunkTable(limits.indexChunks)
    for (const [of, { file, identity }] of this.#older.entries()) {
      const source = this.#host.engine.hashSource(file)
      const base = this.#bases[of] as number
      const end = Math.min(to, identity.size)
      for (let at = from; at < end && !table.isFull && !this.#isStopped; ) {
        const length = Math.min(limits.chunksPieceBytes, end - at)
        table.add(base + at, await this.#host.pool.indexChunks(source, { offset: at, length }))
        at += length
      }
    }
    return table
  }
}

/**
 * What there is to be had of a piece, as the machine is told. Where reading older content fails, as
 * when somebody cuts it off, there is nothing, and the bytes come. Never rejects.
 */
export async function fillFrom(
  filler: Pick<Filler, 'fill'> | undefined,
  piece: SoughtPiece,
): Promise<NodeFact> {
  const { offset, length } = piece
  const ranges = (await filler?.fill(piece).catch(() => [])) ?? []
  return { type: 'filled', offset, length, ranges }
}
