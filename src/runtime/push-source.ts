/**
 * The file that is pushed: hashed ahead of what is sent, looked at for changes, summed up. What
 * comes of it is posted to the machine; nothing here decides what is read when.
 */
import type { OriginEvent } from '../control/origin-events.js'
import type { StreamEntry } from '../control/types.js'
import type { DataEngine, DigestAlgorithm, HashPool, SourceFile } from '../ports.js'
import { encodeName } from '../protocol/manifest.js'
import { asFrError } from './failures.js'
import { fileDigestOf } from './file-digest.js'
import { Hasher } from './hasher.js'

export class PushSource {
  readonly #engine: DataEngine
  readonly #source: SourceFile
  readonly #algorithm: DigestAlgorithm
  readonly #blockBytes: number
  readonly #post: (event: OriginEvent) => void
  readonly #hasher: Hasher

  constructor(
    engine: DataEngine,
    pool: HashPool,
    source: SourceFile,
    format: { readonly algorithm: DigestAlgorithm; readonly blockBytes: number },
    post: (event: OriginEvent) => void,
  ) {
    this.#engine = engine
    this.#source = source
    this.#algorithm = format.algorithm
    this.#blockBytes = format.blockBytes
    this.#post = post
    this.#hasher = new Hasher(engine, pool, { fileBytes: source.size, ...format })
  }

  /** Resolves when nothing reads the file for this any more. */
  hash(offset: number, length: number): Promise<unknown> {
    return this.#hasher.hash(
      this.#source.file,
      { offset, length },
      (digests) => this.#post({ type: 'hashed', offset, length, digests }),
      (error) => this.#post({ type: 'readFailed', code: error.code, text: error.message }),
    )
  }

  /** Has it changed since it was opened? */
  check(): Promise<unknown> {
    return this.#engine.storage.checkSource(this.#source.file).then(
      () => this.#post({ type: 'sourceChecked' }),
      (error: unknown) => {
        const { code, message: text } = asFrError(error, 'ERR_FR_SOURCE_CHANGED')
        this.#post({ type: 'sourceFailed', code, text })
      },
    )
  }

  /** The file digest of all block digests. */
  sum(digests: Uint8Array): void {
    const { size } = this.#source
    const xxh64 = (all: Uint8Array): bigint => this.#engine.xxh64(all)
    const fileDigest = fileDigestOf(this.#algorithm, size, this.#blockBytes, digests, xxh64)
    this.#post({ type: 'summed', fileDigest })
  }
}

/** The file under the name it gets at the nodes, as a manifest lists it. */
export function entryOf(source: SourceFile, name: Uint8Array): StreamEntry {
  return {
    stream: 0,
    ...encodeName(name),
    size: source.size,
    mode: source.mode & 0o7777,
    mtimeSeconds: source.mtime.seconds,
    mtimeNanos: source.mtime.nanos,
  }
}
