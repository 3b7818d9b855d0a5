/**
 * The file that is pushed: hashed ahead of what is sent, looked at for changes, read again, summed
 * up. What comes of it is posted to the machine; nothing here decides what is read when.
 */

import type { DigestAlgorithm } from '../../base/digests.js'
import type { Failure, FrErrorCode } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import type { OriginFact } from '../../control/coordinator/events.js'
import type { IndexPiece } from '../../control/messages/delta.js'
import type { HashRun } from '../../control/messages/facts.js'
import type { StreamEntry } from '../../control/messages/types.js'
import { spanBytes } from '../../control/space/space.js'
import type { DataEngine, HashPool, SourceFile, SourceLook } from '../../ports.js'
import { encodeName } from '../../protocol/manifest.js'
import { fileDigestOf } from '../file-digest.js'
import { Hasher } from '../hasher.js'

/** What a look at a source says to whoever gets the result of the push. */
const warnings = {
  removed:
    'the source was removed or replaced while it was sent: the nodes hold the file that was opened',
  written:
    'another program has the source open for writing: the nodes hold what it held when it was read',
} as const

/** Whether only reading the content once more tells if it is what was read before. */
export function isDoubtful(look: SourceLook): boolean {
  return look.isTouched || look.writers !== 'none'
}

export class PushSource {
  readonly #engine: DataEngine
  readonly #pool: HashPool
  readonly #source: SourceFile
  readonly #algorithm: DigestAlgorithm
  readonly #blockBytes: number
  readonly #post: (fact: OriginFact) => void
  readonly #warn: (text: string) => void
  readonly #hasher: Hasher

  constructor(
    engine: DataEngine,
    pool: HashPool,
    source: SourceFile,
    format: { readonly algorithm: DigestAlgorithm; readonly blockBytes: number },
    post: (fact: OriginFact) => void,
    warn: (text: string) => void,
  ) {
    this.#engine = engine
    this.#pool = pool
    this.#source = source
    this.#algorithm = format.algorithm
    this.#blockBytes = format.blockBytes
    this.#post = post
    this.#warn = warn
    const isSparse = source.dataBytes < source.size
    this.#hasher = new Hasher(engine, pool, { fileBytes: source.size, isSparse, ...format })
  }

  /** Resolves when nothing reads the file for this any more. */
  hash({ part, offset, length }: HashRun): Promise<unknown> {
    return this.#hasher.hash(
      this.#source.file,
      { offset, length },
      (digests) => this.#post({ type: 'hashed', part, offset, length, digests }),
      (error) => this.#post({ type: 'fileFailed', ...readFailure(error, 'ERR_FR_IO') }),
    )
  }

  /** A piece of the index for nodes that have older content. */
  index({ kind, offset, length }: IndexPiece): Promise<unknown> {
    const source = this.#engine.hashSource(this.#source.file)
    const range = { offset, length }
    const made =
      kind === 'chunks'
        ? this.#pool.indexChunks(source, range)
        : this.#pool.hash(source, range, limits.indexPageBytes, 'blake3-page')
    return made.then(
      (entries) => this.#post({ type: 'indexed', kind, offset, length, entries }),
      (error: unknown) => this.#post({ type: 'fileFailed', ...readFailure(error, 'ERR_FR_IO') }),
    )
  }

  /** Has it changed since it was opened, or could it have? */
  check(): Promise<unknown> {
    return this.#engine.storage.checkSource(this.#source.file).then(
      (look) => {
        if (look.isRemoved) this.#warn(warnings.removed)
        if (look.writers === 'some') this.#warn(warnings.written)
        this.#post({ type: 'sourceChecked', isDoubtful: isDoubtful(look) })
      },
      (error: unknown) =>
        this.#post({ type: 'sourceFailed', ...readFailure(error, 'ERR_FR_SOURCE_CHANGED') }),
    )
  }

  /** Posts the file digest of all block digests, and returns it. */
  sum(digests: Uint8Array): string {
    const { size } = this.#source
    const fileDigest = fileDigestOf(this.#engine, this.#algorithm, size, this.#blockBytes, digests)
    this.#post({ type: 'summed', fileDigest })
    return fileDigest
  }
}

/** The same words, whoever was the first to find that the file cannot be read. */
function readFailure(error: unknown, otherwise: FrErrorCode): Failure {
  const { code, message } = asFrError(error, otherwise)
  return { code, text: code === 'ERR_FR_IO' ? `reading the source failed: ${message}` : message }
}

/** The file under the name it gets at the nodes, as a manifest lists it. */
export function entryOf(
  source: SourceFile,
  {
    name,
    contentId,
    author,
    coded,
    growing,
    only,
  }: Pick<StreamEntry, 'contentId' | 'author' | 'coded' | 'growing'> & {
    name: Uint8Array
    only?: string | undefined
  },
): StreamEntry {
  const { size } = source
  return {
    stream: 0,
    contentId,
    author,
    ...encodeName(name),
    base: 0,
    span: growing ? limits.growingSpanBytes : spanBytes(size, blockBytesFor(size)),
    size,
    dataBytes: growing ? size : source.dataBytes,
    mode: source.mode & 0o7777,
    mtimeSeconds: source.mtime.seconds,
    mtimeNanos: source.mtime.nanos,
    ...(only !== undefined && { only }),
    ...(coded && { coded }),
    ...(growing && { growing }),
  }
}
