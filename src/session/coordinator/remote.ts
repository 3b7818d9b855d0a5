/**
 * What the origin has open to one node: its control link and its feed. Once dropped, nothing is
 * opened any more; what a dial still brings is closed.
 */
import type { Send } from '../../control/dealing/dealer.js'
import type { Frame } from '../../control/messages/types.js'
import { nodePrimitives } from '../../net/crypto.js'
import { adoptOut, type OutFeed } from '../../net/dial.js'
import type { Established } from '../../net/handshake.js'
import type { ControlLink } from '../../net/link.js'
import type { DataEngine, FeedHandle, TransferHandle } from '../../ports.js'
import { type DigestPlace, signDigests } from '../../protocol/digest-record.js'

export class Remote {
  /** Places whose edges the node was told. */
  readonly introduced = new Set<number>()
  readonly #engine: DataEngine
  #link: ControlLink | undefined
  #out: OutFeed | undefined
  #isDropped = false

  constructor(engine: DataEngine) {
    this.#engine = engine
  }

  get feed(): FeedHandle | undefined {
    return this.#out?.feed
  }

  /** False: too late, the link was dropped instead. */
  opened(link: ControlLink): boolean {
    if (this.#isDropped) link.destroy()
    else this.#link = link
    return !this.#isDropped
  }

  /**
   * Hands the connection to the engine; false: too late. Throws FrError when it broke meanwhile.
   */
  adopt(transfer: TransferHandle, established: Established): boolean {
    if (this.#isDropped) established.close()
    else this.#out = adoptOut(this.#engine, transfer, established, false)
    return !this.#isDropped
  }

  /** The engine has closed the feed. */
  feedClosed(): void {
    this.#out = undefined
  }

  send(frame: Frame): void {
    this.#link?.send(frame)
  }

  /** Throws FrError when the feed has too much listed; so does the next one. */
  list({ stream, offset, length, relay, scratch }: Send): void {
    if (this.#out === undefined) return
    this.#engine.send(this.#out.feed, { stream, offset, length, relay, scratch })
  }

  sendDigests(
    originKey: Uint8Array,
    place: DigestPlace,
    digests: Uint8Array,
    relay: boolean,
  ): void {
    if (this.#out === undefined) return
    const signed = signDigests(nodePrimitives, originKey, place, digests)
    const payload = this.#out.sender.wrap(signed)
    this.#engine.sendDigests(this.#out.feed, { ...place, relay, payload })
  }

  /** Closes both; resolves when what was sent on the link is out, or will never be. */
  async drop(): Promise<void> {
    this.#isDropped = true
    const link = this.#link
    const out = this.#out
    this.#link = undefined
    this.#out = undefined
    if (out !== undefined) this.#engine.close(out.feed)
    await link?.close()
  }
}
