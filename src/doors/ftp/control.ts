/**
 * The control connection of a session: lines in, answers out, in the clear or encrypted.
 *
 * Bounded: it reads on only while less than a line of commands waits, so whoever sends many at once
 * waits; whoever does not read answers is cut off.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { doorLimits } from '../../base/door-limits.js'
import { ftpLimits } from '../../base/ftp-limits.js'
import { type Command, CommandLines, type Fault, isFault } from './command-line.js'

export class Control {
  #socket: Socket
  readonly #lines = new CommandLines()
  #isOver = false
  /** Called when a line may have come, or the connection is over. */
  #moved: () => void = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    this.#hear(socket)
  }

  get isEncrypted(): boolean {
    return this.#socket instanceof TLSSocket
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** The next line; null: the connection is over, or said nothing for so long. */
  async next(withinMs: number): Promise<Command | Fault | null> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.#moved()
    }, withinMs)
    try {
      for (;;) {
        const line = this.#isOver ? null : this.#lines.take()
        this.#readOn()
        if (line !== null || isLate || this.#isOver) return line
        await new Promise<void>((resolve) => {
          this.#moved = resolve
        })
      }
    } finally {
      clearTimeout(timer)
      this.#moved = () => {}
    }
  }

  /**
   * Until it is taken back: of commands of these verbs that come first in line each is taken, and
   * told; and that the connection is over. All others wait.
   */
  attend(verbs: readonly string[], told: (command: Command | null) => void): () => void {
    const look = (): void => {
      for (;;) {
        const line = this.#isOver ? null : this.#lines.peek()
        if (line === null || isFault(line) || !verbs.includes(line.verb)) break
        this.#lines.take()
        told(line)
      }
      if (this.#isOver) told(null)
      this.#readOn()
    }
    this.#moved = look
    look()
    return () => {
      this.#moved = () => {}
    }
  }

  /** `213 text`, or several lines of which the last is like that. */
  async reply(code: number, ...lines: readonly string[]): Promise<void> {
    const last = lines.length - 1
    const text = lines.map((line, at) => {
      if (at === last) return `${code} ${line}\r\n`
      return at === 0 ? `${code}-${line}\r\n` : ` ${line}\r\n`
    })
    await this.write(text.join(''))
  }

  /** In bytes (latin1). */
  async write(text: string): Promise<void> {
    const socket = this.#socket
    if (this.#isOver || !socket.writable) return
    if (socket.write(text, 'latin1')) return
    const over = new AbortController()
    const { signal } = over
    const timer = setTimeout(() => socket.destroy(), doorLimits.idleMs)
    await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })])
      .catch(() => {})
      .finally(() => {
        clearTimeout(timer)
        over.abort()
      })
  }

  /**
   * Encrypts from here on. False: something came in the clear behind the command, which somebody
   * else may have put there, or no handshake came about.
   */
  async encrypt(secureContext: SecureContext, text: string): Promise<boolean> {
    if (this.#lines.bytes > 0) return false
    const plain = this.#socket
    plain.removeAllListeners('data')
    plain.pause()
    await this.write(text)
    const socket = new TLSSocket(plain, { isServer: true, secureContext })
    this.#socket = socket
    this.#hear(socket)
    plain.on('error', () => socket.destroy())
    plain.once('close', () => socket.destroy())
    return isSecured(socket)
  }

  /** What was written still goes out, for a moment. */
  end(): void {
    const socket = this.#socket
    socket.end()
    const timer = setTimeout(() => socket.destroy(), doorLimits.lingerMs)
    socket.once('close', () => clearTimeout(timer))
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #hear(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => {
      this.#lines.push(chunk)
      if (this.#lines.bytes >= ftpLimits.lineBytes) socket.pause()
      this.#moved()
    })
    const over = (): void => {
      if (socket !== this.#socket) return
      this.#isOver = true
      this.#moved()
    }
    socket.on('error', over)
    socket.once('end', over)
    socket.once('close', over)
  }

  #readOn(): void {
    if (this.#lines.bytes < ftpLimits.lineBytes) this.#socket.resume()
  }
}

/** Resolves once the other side has shaken hands; false: it has not, and the connection is over. */
export async function isSecured(socket: TLSSocket): Promise<boolean> {
  const over = new AbortController()
  const { signal } = over
  const timer = setTimeout(() => socket.destroy(), doorLimits.headersMs)
  const secured = once(socket, 'secure', { signal }).then(() => true)
  const closed = once(socket, 'close', { signal }).then(() => false)
  return Promise.race([secured, closed])
    .catch(() => false)
    .finally(() => {
      clearTimeout(timer)
      over.abort()
      if (!socket.writable) socket.destroy()
    })
}
