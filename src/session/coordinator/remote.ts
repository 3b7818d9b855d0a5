/**
 * What the origin has open to one node: its control link and its feed. Once dropped, nothing is
 * opened any more; what a dial still brings is closed.
 */
import type { Send } from '../../control/dealing/dealer.js'
import type { Frame } from '../../control/messages/types.js'
import { adoptOut } from '../../net/dial.js'
import type { Established } from '../../net/handshake.js'
import type { ControlLink } from '../../net/link.js'
import type { DataEngine, DigestSpec, FeedHandle, TransferHandle } from '../../ports.js'

export class Remote {
  readonly #engine: DataEngine
  #link: ControlLink | undefined
  #feed: FeedHandle | undefined
  #isDropped = false

  constructor(engine: DataEngine) {
    this.#engine = engine
  }

  get feed(): FeedHandle | undefined {
    return this.#feed
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
    else this.#feed = adoptOut(this.#engine, transfer, established, false)
    return !this.#isDropped
  }

  /** The engine has closed the feed. */
  feedClosed(): void {
    this.#feed = undefined
  }

  send(frame: Frame): void {
    this.#link?.send(frame)
  }

  /** Throws FrError when the feed has too much listed; so does the next one. */
  list({ stream, offset, length, relay, scratch }: Send): void {
    if (this.#feed === undefined) return
    this.#engine.send(this.#feed, { stream, offset, length, relay, scratch })
  }

  sendDigests(record: DigestSpec): void {
    if (this.#feed !== undefined) this.#engine.sendDigests(this.#feed, record)
  }

  /** Closes both; resolves when what was sent on the link is out, or will never be. */
  async drop(): Promise<void> {
    this.#isDropped = true
    const link = this.#link
    const feed = this.#feed
    this.#link = undefined
    this.#feed = undefined
    if (feed !== undefined) this.#engine.close(feed)
    await link?.close()
  }
}
