/**
 * A held file that is open for clients: its descriptor, its digests, one transfer of the engine.
 *
 * The idea: a record is believed only while the file has the identity that it had when it was
 * verified, so that is looked at before a byte is offered. From then on the open file is looked at
 * every second: a client would find a change by itself, block by block, and is told at once.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { FetchOffer } from '../../control/messages/types.js'
import { spanBytes } from '../../control/space/space.js'
import { randomId } from '../../net/crypto.js'
import type {
  DataEngine,
  EngineEvent,
  FeedHandle,
  FileHandle,
  TransferHandle,
} from '../../ports.js'
import { encodeName } from '../../protocol/manifest.js'
import type { DigestRun, HeldStream } from '../../store/catalogue/record.js'
import { isSameFile } from '../../store/catalogue/same-file.js'
import type { NodeStore } from '../../store/node-store.js'
import type { EngineRouter } from '../router.js'

export interface OpenSpec {
  readonly engine: DataEngine
  readonly router: EngineRouter
  readonly store: NodeStore
}

/** Told when its feed is gone. */
export interface FeedOwner {
  unfed(): void
}

export class ServedFile {
  readonly record: HeldStream
  readonly engine: DataEngine
  readonly id = randomId()
  readonly transfer: TransferHandle
  readonly #spec: OpenSpec
  readonly #file: FileHandle
  readonly #failed: (error: FrError) => void
  readonly #owners = new Map<FeedHandle, FeedOwner>()
  readonly #look: NodeJS.Timeout
  #runs: Promise<readonly DigestRun[]> | undefined
  #users = 0
  #next = 1
  #isClosed = false

  private constructor(
    spec: OpenSpec,
    record: HeldStream,
    file: FileHandle,
    failed: (error: FrError) => void,
  ) {
    this.record = record
    this.engine = spec.engine
    this.#spec = spec
    this.#file = file
    this.#failed = failed
    this.transfer = spec.engine.openTransfer()
    spec.router.route(this.transfer, (events) => this.#onEngine(events))
    const { size, blockBytes, dataBytes } = record
    const sparse = dataBytes < size
    const stream = { stream: 0, file, size, blockBytes, complete: true, sparse }
    spec.engine.addStream(this.transfer, stream)
    this.#look = setInterval(() => void this.#compare(), limits.serveLookMs)
  }

  /** Rejects with ERR_FR_NOT_HELD when it is not the file that was verified. */
  static async open(
    spec: OpenSpec,
    record: HeldStream,
    failed: (error: FrError) => void,
  ): Promise<ServedFile> {
    const file = await spec.store.holdings.openUnchanged(record)
    if (file !== undefined) return new ServedFile(spec, record, file, failed)
    const text = 'somebody else changed or removed the file, so the node does not hold it any more'
    throw new FrError('ERR_FR_NOT_HELD', text)
  }

  get isUsed(): boolean {
    return this.#users > 0
  }

  /** Bytes that wait for its clients. */
  get queuedBytes(): number {
    const { feeds } = this.engine.stats(this.transfer)
    return feeds.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0)
  }

  /** What one more client is told; `leave` follows. */
  join(edge: { readonly id: string; readonly secret: Uint8Array }): FetchOffer {
    this.#users++
    const { record } = this
    const { name, contentId, size, dataBytes, blockBytes, mode, mtime, author } = record
    return {
      transfer: this.id,
      you: this.#next++,
      edge: { id: edge.id, secret: Buffer.from(edge.secret).toString('hex') },
      entry: {
        stream: 0,
        contentId,
        author,
        ...encodeName(name),
        base: 0,
        span: spanBytes(size, blockBytes),
        size,
        dataBytes,
        mode,
        mtimeSeconds: mtime.seconds,
        mtimeNanos: mtime.nanos,
      },
      digest: record.algorithm,
      fileDigest: record.fileDigest,
    }
  }

  leave(): void {
    this.#users--
  }

  /** As its author signed them; read once. */
  runs(): Promise<readonly DigestRun[]> {
    this.#runs ??= this.#spec.store.catalogue.runs(this.record)
    return this.#runs
  }

  own(feed: FeedHandle, owner: FeedOwner): void {
    this.#owners.set(feed, owner)
  }

  /** Idempotent. */
  disown(feed: FeedHandle): void {
    if (this.#owners.delete(feed)) this.engine.close(feed)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#look)
    this.#spec.router.forget(this.transfer)
    this.engine.closeTransfer(this.transfer)
    this.engine.storage.closeFile(this.#file)
  }

  #onEngine(events: readonly EngineEvent[]): void {
    for (const event of events) {
      if (event.type === 'feedClosed') {
        const owner = this.#owners.get(event.feed)
        this.#owners.delete(event.feed)
        owner?.unfed()
      } else if (event.type === 'fileFailed') {
        const text = event.text === '' ? undefined : event.text
        this.#failed(new FrError(event.code, text))
      }
    }
  }

  async #compare(): Promise<void> {
    const before = this.record.identity
    const now = await this.engine.storage.identityOf(this.#file).catch(() => undefined)
    if (now === undefined || this.#isClosed) return
    // Its other times change when another file takes its name, and its bytes do not.
    const isSame = isSameFile({ ...now, ctime: before.ctime }, before)
    if (!isSame) this.#failed(new FrError('ERR_FR_NOT_HELD', 'somebody else changes the file'))
  }
}
