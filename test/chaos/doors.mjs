/**
 * A door in front of a node on loopback: each connection to it is joined to one to the node, can be
 * reset, and may have bits flipped on its way, both ways.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** The first byte of a TLS handshake: what begins otherwise is a data connection. */
const tlsFirstByte = 0x16

export class Door {
  #server
  /** Both ends of each, and whether it is a control link; null: not known yet. */
  #joined = new Set()
  #port
  #flips = null
  flipped = 0

  /** @param {string} address HOST:PORT of the node, which may be restarted there */
  constructor(address) {
    this.#port = Number(address.slice(address.lastIndexOf(':') + 1))
    this.#server = createServer((from) => this.#join(from))
  }

  async open() {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.address = `127.0.0.1:${this.#server.address().port}`
    return this
  }

  #join(from) {
    const to = connect(this.#port, '127.0.0.1')
    const one = { ends: [from, to], isLink: null }
    this.#joined.add(one)
    from.once('data', (chunk) => {
      one.isLink = chunk[0] === tlsFirstByte
    })
    for (const [in_, out] of [one.ends, [to, from]]) {
      in_.on('data', (chunk) => {
        this.#pass(chunk)
        if (!out.write(chunk)) in_.pause()
      })
      out.on('drain', () => in_.resume())
      in_.on('end', () => out.end())
      in_.on('error', () => {})
      in_.on('close', () => {
        this.#joined.delete(one)
        out.destroy()
      })
    }
  }

  #pass(chunk) {
    const flips = this.#flips
    if (flips === null) return
    for (; flips.left < chunk.length; flips.left += flips.gap()) {
      chunk[Math.floor(flips.left)] ^= 1 << flips.bit()
      this.flipped++
    }
    flips.left -= chunk.length
  }

  /**
   * One random bit in so many bytes, wherever it is: payload, record headers, control frames.
   * @param {number} bytes
   * @param {import('../../dist/sim/random.js').Random} random
   */
  flipOneIn(bytes, random) {
    const gap = () => -Math.log(1 - random.next()) * bytes
    this.#flips = { left: gap(), gap, bit: () => random.integer(0, 7) }
  }

  /** Resets one open connection of this kind; false: there is none. */
  reset(isLink, random) {
    const open = [...this.#joined].filter((one) => one.isLink === isLink)
    if (open.length === 0) return false
    for (const socket of random.pick(open).ends) socket.resetAndDestroy()
    return true
  }

  close() {
    for (const { ends } of this.#joined) for (const socket of ends) socket.destroy()
    this.#server.close()
  }
}
