/**
 * Fills blocks of a partial from older content: what an index says is equal is copied. The bytes
 * are compared and copied by the engine and its workers; only hashes come here.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { ChunkTable, foundIn, type Moved } from '../../control/holdings/chunk-table.js'
import { equalPages } from '../../control/holdings/pages.js'
import type { IndexedPiece } from '../../control/messages/delta.js'
import type { NodeFact } from '../../control/receiver/events.js'
import type { FileHandle, FileIdentity } from '../../ports.js'
import { isSameFile } from '../../store/catalogue/same-file.js'
import type { Partial } from '../../store/partial.js'
import type { NodeHost } from './node-host.js'

export interface OlderFile {
  readonly file: FileHandle
  /** When it was opened. */
  readonly identity: FileIdentity
}

export class Filler {
  readonly #host: Pick<NodeHost, 'engine' | 'pool' | 'storage'>
  readonly #partial: Pick<Partial, 'fill'>
  readonly #older: OlderFile
  #chunks: Promise<ChunkTable> | undefined
  /** One piece at a time. */
  #last: Promise<unknown> = Promise.resolve()
  #isStopped = false

  constructor(
    host: Pick<NodeHost, 'engine' | 'pool' | 'storage'>,
    partial: Pick<Partial, 'fill'>,
    older: OlderFile,
  ) {
    this.#host = host
    this.#partial = partial
    this.#older = older
  }

  /** What is in the partial now; nothing once the older file is not what it was. */
  async fill(piece: IndexedPiece): Promise<RangePair[]> {
    const filled = this.#last.then(() => this.#fill(piece))
    this.#last = filled.catch(() => {})
    return filled
  }

  stop(): void {
    this.#isStopped = true
  }

  async #fill(piece: IndexedPiece): Promise<RangePair[]> {
    const found = await (piece.kind === 'pages' ? this.#samePlace(piece) : this.#moved(piece))
    for (const { offset, length, from } of found) {
      if (this.#isStopped) return []
      await this.#partial.fill({ offset: from, length }, offset)
    }
    const { file, identity } = this.#older
    const isSame = isSameFile(await this.#host.storage.identityOf(file), identity)
    return isSame ? found.map(({ offset, length }): RangePair => [offset, length]) : []
  }

  async #samePlace({ offset, length, entries }: IndexedPiece): Promise<Moved[]> {
    const common = Math.min(length, this.#older.identity.size - offset)
    if (common <= 0) return []
    const ours = await this.#host.pool.hash(
      this.#host.engine.hashSource(this.#older.file),
      { offset, length: common },
      limits.indexPageBytes,
      'blake3-page',
    )
    // A page that ends earlier here is another one.
    const equal = equalPages({ offset, length }, limits.indexPageBytes, entries, ours)
    return equal.flatMap(([at, bytes]) => {
      const least = Math.min(bytes, offset + common - at)
      return least > 0 ? [{ offset: at, length: least, from: at }] : []
    })
  }

  async #moved({ offset, entries }: IndexedPiece): Promise<Moved[]> {
    this.#chunks ??= this.#cut()
    return foundIn(await this.#chunks, offset, entries)
  }

  async #cut(): Promise<ChunkTable> {
    const table = new ChunkTable(limits.indexChunks)
    const { file, identity } = this.#older
    const source = this.#host.engine.hashSource(file)
    for (let at = 0; at < identity.size && !table.isFull && !this.#isStopped; ) {
      const length = Math.min(limits.chunksPieceBytes, identity.size - at)
      table.add(at, await this.#host.pool.indexChunks(source, { offset: at, length }))
      at += length
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
  piece: IndexedPiece,
): Promise<NodeFact> {
  const { offset, length } = piece
  const ranges = (await filler?.fill(piece).catch(() => [])) ?? []
  return { type: 'filled', offset, length, ranges }
}
