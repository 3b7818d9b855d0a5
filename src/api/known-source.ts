/**
 * What an earlier push of this user has found out about the source, and what this one does.
 *
 * A file that has the identity it had is not read to know what it holds. Its content keeps its id,
 * so that nodes that have a part of it need not compare.
 */
import { stat } from 'node:fs/promises'
import type { DigestAlgorithm } from '../base/digests.js'
import { randomId } from '../net/crypto.js'
import type { SourceFile, Storage } from '../ports.js'
import type { PushHooks, PushSpec } from '../session/coordinator/push-spec.js'
import { isSameFile } from '../store/catalogue/same-file.js'
import { SentFiles, type SentKey, type SentRecord } from '../store/sent.js'
import type { CheckedSource } from './source.js'

export interface KnownSourceSpec {
  readonly storage: Pick<Storage, 'identityOf'>
  readonly source: CheckedSource
  readonly file: SourceFile
  readonly algorithm: DigestAlgorithm
  /** Public key of whoever signs, 64 hex digits: an id of a content belongs to one author. */
  readonly author: string
  readonly blockBytes: number
  /** The source is to be read, whatever is known. */
  readonly isToRead: boolean
}

export class KnownSource {
  readonly contentId: string
  readonly #spec: KnownSourceSpec
  readonly #sent: SentFiles
  readonly #key: SentKey | undefined
  readonly #record: SentRecord | undefined
  readonly #openedMs = Date.now()
  #keeping: Promise<void> | undefined

  private constructor(
    spec: KnownSourceSpec,
    sent: SentFiles,
    key: SentKey | undefined,
    record: SentRecord | undefined,
  ) {
    this.#spec = spec
    this.#sent = sent
    this.#key = key
    this.#record = record
    this.contentId = record?.author === spec.author ? record.contentId : randomId()
  }

  /** Never rejects: of a source without a path nothing is known. */
  static async of(spec: KnownSourceSpec): Promise<KnownSource> {
    const key = await keyOf(spec).catch(() => undefined)
    const sent = new SentFiles()
    const found = key === undefined || spec.isToRead ? undefined : await sent.find(key)
    const record = found?.blockBytes === spec.blockBytes ? found : undefined
    return new KnownSource(spec, sent, key, record)
  }

  get known(): PushSpec['known'] {
    return this.#record
  }

  readonly hooks: Pick<PushHooks, 'summed' | 'changed'> = {
    summed: (fileDigest, digests) => {
      this.#keeping = this.#keep(fileDigest, digests)
    },
    changed: () => {
      if (this.#key !== undefined) this.#keeping = this.#sent.forget(this.#key)
    },
  }

  async #keep(fileDigest: string, digests: Uint8Array): Promise<void> {
    const key = this.#key
    const { storage, file, author, blockBytes } = this.#spec
    if (key === undefined) return
    const now = await storage.identityOf(file.file).catch(() => undefined)
    if (now === undefined || !isSameFile(now, key.identity)) return
    const record = { contentId: this.contentId, author, blockBytes, fileDigest, digests }
    await this.#sent.keep(key, record, this.#openedMs)
  }

  /** What is to be kept is kept. */
  async close(): Promise<void> {
    await this.#keeping
  }
}

async function keyOf(spec: KnownSourceSpec): Promise<SentKey | undefined> {
  const { storage, source, file, algorithm } = spec
  if (source.kind !== 'path') return undefined
  const { dev } = await stat(source.path, { bigint: true })
  const identity = await storage.identityOf(file.file)
  return { device: String(dev), identity, algorithm }
}
