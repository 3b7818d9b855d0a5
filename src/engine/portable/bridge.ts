/**
 * Two connections joined into one until either is gone: what one brings is written to the other,
 * and its end is passed on. The slower side holds up the other.
 */
import type { Socket } from 'node:net'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Account } from './budget.js'

/** Milliseconds that a side may say and take nothing once the other has ended. */
const outliveMs = 20_000
const chunkBytes = 64 * 1024

/** All bridges of an engine; together they are limited as one transfer is. */
export class Bridges {
  readonly #up: Account
  readonly #down: Account
  /** One connection of each pair. */
  readonly #joined = new Set<Socket>()
  #bytes = 0

  constructor(up: Account, down: Account) {
    this.#up = up
    this.#down = down
  }

  get size(): number {
    return this.#joined.size
  }

  /** Carried so far, both ways. */
  get bytes(): number {
    return this.#bytes
  }

  /** Resolves when both are closed. Throws as DataEngine.bridge does. */
  join(a: Socket, b: Socket): Promise<void> {
    if (this.#joined.size >= limits.bridgesPerNode) throw new FrError('ERR_FR_LIMIT')
    if (a.destroyed || b.destroyed) throw new FrError('ERR_FR_NODE_LOST')
    if (a.readableLength > 0 || b.readableLength > 0)
      throw new TypeError('socket must hold nothing that was not read')
    this.#joined.add(a)
    return this.#run(a, b).finally(() => this.#joined.delete(a))
  }

  close(): void {
    this.#up.close()
    this.#down.close()
    for (const socket of this.#joined) socket.destroy()
  }

  async #run(...both: [Socket, Socket]): Promise<void> {
    const [a, b] = both
    const closed = both.map((socket) => new Promise<void>((done) => socket.once('close', done)))
    const drop = (): void => {
      for (const socket of both) socket.destroy()
    }
    for (const socket of both) {
      // Else the end of what it brings would end what it is sent.
      socket.allowHalfOpen = true
      socket.setKeepAlive(true)
      socket.on('error', () => {}).once('close', drop)
    }
    await Promise.all([this.#carry(a, b), this.#carry(b, a)]).then(drop, drop)
    await Promise.all(closed)
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; ) {
        const paid = await this.#down.take(Math.min(chunk.length - at, chunkBytes))
        const granted = paid === 0 ? 0 : await this.#up.take(paid)
        if (granted === 0) return
        this.#down.pay(granted - paid)
        await write(to, chunk.subarray(at, at + granted))
        this.#bytes += granted
        at += granted
      }
    }
    to.setTimeout(outliveMs, () => to.destroy())
    await new Promise<void>((ended) => to.end(ended))
  }
}

function write(to: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((done, failed) => {
    to.write(bytes, (error) => (error ? failed(error) : done()))
  })
}
