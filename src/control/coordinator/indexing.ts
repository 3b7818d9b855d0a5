/**
 * The index of the content, as far as nodes ask for it: each piece is made once while several ask,
 * and kept for a while, since nodes that have the same older content ask for the same.
 */
import { limits } from '../../base/limits.js'
import { piecesOf } from '../holdings/pages.js'
import type { Peer } from '../members/peer.js'
import type { IndexedPiece, IndexPiece } from '../messages/delta.js'
import type { Frame } from '../messages/types.js'
import type { OriginConfig, OriginWish } from './events.js'
import type { OriginOutbox } from './outbox.js'

interface Task {
  readonly piece: IndexPiece
  readonly asking: Set<Peer>
  isStarted: boolean
}

export class OriginIndex {
  readonly #config: OriginConfig
  readonly #outbox: OriginOutbox
  readonly #tasks = new Map<string, Task>()
  readonly #kept = new Map<string, Uint8Array>()
  #keptBytes = 0
  #started = 0

  constructor(config: OriginConfig, outbox: OriginOutbox) {
    this.#config = config
    this.#outbox = outbox
  }

  /** A node asks. Why it may not; null: it may. */
  asked(peer: Peer, { kind, ranges }: Frame & { type: 'index' }, nowMs: number): string | null {
    if (!peer.isComparing) return 'an index is asked for by a node that compares nothing'
    const isThere = ranges.every(
      (range) => range[0] % limits.indexPageBytes === 0 && this.#config.extent.has(range),
    )
    if (!isThere) return 'an index is asked for that there is not'
    peer.had.indexAskedBytes += ranges.reduce((sum, [, length]) => sum + length, 0)
    if (peer.had.indexAskedBytes > limits.indexAskedBytes)
      return 'too much of an index is asked for'
    for (const [offset, length] of piecesOf(kind, ranges))
      this.#answer(peer, { kind, offset, length }, nowMs)
    return null
  }

  /** A piece was made. */
  indexed({ kind, offset, length, entries }: IndexedPiece, nowMs: number): void {
    const piece: IndexPiece = { kind, offset, length }
    const key = keyOf(piece)
    const task = this.#tasks.get(key)
    this.#tasks.delete(key)
    this.#started--
    this.#keep(key, entries)
    for (const peer of task?.asking ?? []) this.#tell(peer, piece, entries, nowMs)
  }

  /** The pieces that may be made now. */
  more(): OriginWish[] {
    const wishes: OriginWish[] = []
    for (const task of this.#tasks.values()) {
      if (this.#started >= limits.indexTasks) break
      if (task.isStarted) continue
      task.isStarted = true
      this.#started++
      wishes.push({ type: 'index', ...task.piece })
    }
    return wishes
  }

  #answer(peer: Peer, piece: IndexPiece, nowMs: number): void {
    const key = keyOf(piece)
    const kept = this.#kept.get(key)
    if (kept !== undefined) return this.#tell(peer, piece, kept, nowMs)
    const task = this.#tasks.get(key) ?? { piece, asking: new Set(), isStarted: false }
    this.#tasks.set(key, task)
    task.asking.add(peer)
  }

  #tell(peer: Peer, piece: IndexPiece, entries: Uint8Array, nowMs: number): void {
    peer.had.indexAskedBytes -= piece.length
    if (!peer.isComparing) return
    peer.waits('comparing', nowMs)
    this.#outbox.say(peer, { type: 'indexed', ...piece, entries })
  }

  #keep(key: string, entries: Uint8Array): void {
    this.#kept.set(key, entries)
    this.#keptBytes += entries.length
    for (const [oldest, { length }] of this.#kept) {
      if (this.#keptBytes <= limits.indexKeptBytes) return
      this.#kept.delete(oldest)
      this.#keptBytes -= length
    }
  }
}

function keyOf({ kind, offset, length }: IndexPiece): string {
  return `${kind} ${offset} ${length}`
}
