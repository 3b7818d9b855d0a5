/**
 * Ports for sessions without payload: control and pull links are those of the product, and data
 * connections are left out. A feed is open as soon as it is wanted, and what is counted on it grows
 * by the clock, so that every session has something new to report each time.
 */
import { nowMs } from '../../dist/base/time/awake.js'
import { SocketNet } from '../../dist/session/sockets.js'

export const MIB = 1024 * 1024
export const block = 64 * MIB
/** So large that no push of it ends. */
export const bytes = 1024 * block
const bytesPerMs = 10_000

export const content = {
  contentId: '6'.repeat(32),
  author: '7'.repeat(64),
  stream: 0,
  base: 0,
  size: bytes,
  algorithm: 'blake3',
  blockBytes: block,
}

/** The feeds of one transfer. `lands`: whether anything comes in. */
export class PretendedEngine {
  #feeds = new Map()
  #next = 0
  #startMs = nowMs()
  #lands

  constructor(lands) {
    this.#lands = lands
  }

  open(direction) {
    const feed = this.#next++
    this.#feeds.set(feed, direction)
    return feed
  }

  /** Feeds that there ever were. */
  get opened() {
    return this.#next
  }

  close(feed) {
    this.#feeds.delete(feed)
  }

  stats() {
    const payloadBytes = Math.round((nowMs() - this.#startMs) * bytesPerMs)
    const landedBytes = this.#lands ? Math.min(payloadBytes, bytes) : 0
    const feeds = [...this.#feeds].map(([feed, direction]) => {
      return { feed, direction, payloadBytes, queuedBytes: 0, unackedBytes: 0, rttMs: 0 }
    })
    const none = { holeBytes: 0, scratchBytes: 0, duplicateBytes: 0 }
    return { landedBytes, ...none, receivedBytes: landedBytes, sentBytes: payloadBytes, feeds }
  }

  setRoute() {}
  assign() {}
  hold() {}
  send() {}
  sendDigests() {}
  relayDigests() {}
  tuneControl() {}
}

/** `SocketNet`, but for data connections. */
export class LinksOnly extends SocketNet {
  #engine

  constructor(dialler, engine, part) {
    super(dialler, engine, part, () => 0)
    this.#engine = engine
  }

  dial(target, events) {
    if (target.channel !== 'data') return super.dial(target, events)
    queueMicrotask(() => events.opened({ close: () => {} }, 0, null))
  }

  adopt(_, direction) {
    return this.#engine.open(direction)
  }
}
