/**
 * A content that is open for clients: its descriptor, its digests, one transfer of the engine.
 *
 * The idea: what a record or a journal says is believed only of the file that it was said of, so
 * that is looked at before a byte is offered (served-content.ts). From then on the open file is
 * looked at every second: a client would find a change by itself, block by block, and is told at
 * once.
 */
import { hexOf } from '../../base/bytes.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { FetchOffer } from '../../control/messages/types.js'
import { randomId } from '../../net/crypto.js'
import type { DataEngine, EngineEvent, FeedHandle, TransferHandle } from '../../ports.js'
import type { Edge } from '../../protocol/ticket.js'
import type { GrowingHere } from '../growing-here.js'
import type { EngineRouter } from '../router.js'
import {
  type ContentKey,
  type ContentSource,
  entryOf,
  openContent,
  type ServedContent,
} from './served-content.js'

export interface OpenSpec extends ContentSource {
  readonly router: EngineRouter
}

/** Told when its feed is gone. */
export interface FeedOwner {
  unfed(): void
}

export class ServedFile {
  readonly key: ContentKey
  readonly content: ServedContent
  readonly engine: DataEngine
  readonly id = randomId()
  readonly transfer: TransferHandle
  readonly #spec: OpenSpec
  readonly #failed: (error: FrError) => void
  readonly #owners = new Map<FeedHandle, FeedOwner>()
  readonly #look: NodeJS.Timeout
  readonly #unwatch: () => void
  #users = 0
  #next = 1
  #isClosed = false

  private constructor(
    spec: OpenSpec,
    key: ContentKey,
    content: ServedContent,
    failed: (error: FrError) => void,
  ) {
    this.key = key
    this.content = content
    this.engine = spec.engine
    this.#spec = spec
    this.#failed = failed
    this.transfer = spec.engine.openTransfer({ dir: spec.store.holdings.spec.dir })
    spec.router.route(this.transfer, (events) => this.#onEngine(events))
    const { file, size, blockBytes, dataBytes } = content
    const sparse = dataBytes < size
    const { growing } = content
    const grows = growing !== undefined && { growing: true as const }
    const stream = { stream: 0, file, size, blockBytes, complete: true, sparse, ...grows }
    spec.engine.addStream(this.transfer, stream)
    this.#unwatch = growing?.watch(() => this.#grew(growing)) ?? (() => {})
    this.#look = setInterval(() => void this.#compare(), limits.serveLookMs)
  }

  /** Rejects with ERR_FR_NOT_HELD when it is not the file that was verified. */
  static async open(
    spec: OpenSpec,
    key: ContentKey,
    failed: (error: FrError) => void,
  ): Promise<ServedFile> {
    return new ServedFile(spec, key, await openContent(spec, key), failed)
  }

  get isUsed(): boolean {
    return this.#users > 0
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Bytes that wait for its clients. */
  get queuedBytes(): number {
    const { feeds } = this.engine.stats(this.transfer)
    return feeds.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0)
  }

  /** What one more client is told; `leave` follows. */
  join({ id, secret, isSealed = false }: Edge): FetchOffer {
    this.#users++
    const { algorithm: digest, fileDigest, pack } = this.content
    return {
      transfer: this.id,
      you: this.#next++,
      edge: { id, secret: hexOf(secret), ...(isSealed && { sealed: true as const }) },
      entry: entryOf(this.content),
      digest,
      fileDigest,
      ...(pack && { pack }),
    }
  }

  /** Records of a content that is still written may go beyond what is there. */
  naming(end: number): void {
    if (this.content.growing === undefined) return
    this.engine.grow(this.transfer, { stream: 0, size: end })
  }

  #grew({ bytes, failure }: GrowingHere): void {
    if (failure !== null) return this.#failed(new FrError(failure.code, failure.text))
    this.naming(bytes)
  }

  leave(): void {
    this.#users--
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
    this.#unwatch()
    this.#spec.router.forget(this.transfer)
    this.engine.closeTransfer(this.transfer)
    this.engine.storage.closeFile(this.content.file)
    this.content.release?.()
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
    const error = await this.content.look()
    if (error !== null && !this.#isClosed) this.#failed(error)
  }
}
