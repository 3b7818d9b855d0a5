/**
 * A socket during the handshake: whole messages in, messages out.
 *
 * It takes bytes from the socket only while a message is awaited, so a stranger can make this side
 * hold one chunk and one message. `stop` ends reading in the handle itself: later bytes stay in the
 * kernel, where the native engine finds them.
 *
 * Never: a socket without an `error` listener, because its error would end the process. The owner
 * keeps the deadline and destroys the socket.
 */
import type { Socket } from 'node:net'
import { concat } from '../base/bytes.js'
import { FrError, type FrErrorCode, type FrErrorDetails } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { Patience } from '../base/time/patience.js'
import { isSaidByPeer } from '../protocol/greeting.js'

const none = new Uint8Array()

interface Waiter {
  resolve(message: Uint8Array): void
  reject(error: FrError): void
}

export class HelloStream {
  readonly #socket: Socket
  readonly #messageBytes: (start: Uint8Array) => number | null
  #buffer: Uint8Array = none
  #waiter: Waiter | null = null
  #failure: FrError | null = null

  /** `messageBytes` returns the length of the message at the start; null while it is unknown. */
  constructor(socket: Socket, messageBytes: (start: Uint8Array) => number | null) {
    this.#socket = socket
    this.#messageBytes = messageBytes
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onEnd)
    socket.on('error', this.#onError)
  }

  /** Returns the next whole message with its prefix. Only one read at a time. */
  read(): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
      this.#serve()
      if (this.#waiter !== null) this.#socket.resume()
    })
  }

  /** Resolves once the kernel has the bytes. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure)
      this.#socket.write(bytes, (error) => {
        if (error) reject(this.#failure ?? lostError(error))
        else resolve()
      })
    })
  }

  /** Fails the pending read, or else the next one. Only the first failure counts. */
  #fail(error: FrError): void {
    this.#failure ??= error
    this.#serve()
  }

  /**
   * Ends the handshake: removes the listeners, pauses the socket, and returns the bytes behind the
   * last message. Throws the failure, if there is one.
   */
  stop(): Uint8Array {
    this.#socket.pause()
    this.release()
    if (this.#failure !== null) throw this.#failure
    return this.#buffer
  }

  /** Removes the listeners, whatever the state. */
  release(): void {
    this.#socket.off('data', this.#onData)
    this.#socket.off('end', this.#onEnd)
    this.#socket.off('close', this.#onEnd)
    this.#socket.off('error', this.#onError)
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.#buffer = this.#buffer.length === 0 ? chunk : concat(this.#buffer, chunk)
    this.#serve()
  }

  readonly #onEnd = (): void => {
    this.#fail(new FrError('ERR_FR_NODE_LOST', 'the peer closed the connection in the handshake'))
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    this.#fail(lostError(error))
  }

  /** Gives the reader its message or the failure, if there is one. */
  #serve(): void {
    const waiter = this.#waiter
    if (waiter === null) return
    try {
      // Complete messages before the end count, above all the error of a peer that then closed.
      const length = this.#messageBytes(this.#buffer)
      if (length === null || this.#buffer.length < length) {
        if (this.#failure !== null) throw this.#failure
        return
      }
      this.#waiter = null
      this.#socket.pause()
      const message = this.#buffer.slice(0, length)
      this.#buffer = this.#buffer.subarray(length)
      waiter.resolve(message)
    } catch (error) {
      this.#waiter = null
      this.#socket.pause()
      waiter.reject(error as FrError)
    }
  }
}

/** Internals of a socket that reading depends on; the same in Node 20 to 26. */
interface Insides {
  readonly _handle: { reading: boolean; readStop(): number } | null
  readonly _readableState: { reading: boolean }
}

/**
 * Pauses the stream and the handle under it. `pause()` alone is not enough: the stream fills its
 * buffer up to the high-water mark, and an engine that takes the descriptor never sees those bytes.
 * A later `resume()` starts both again.
 */
export async function stopReading(socket: Socket): Promise<void> {
  socket.pause()
  // The stream asks its handle for more in a tick after each chunk; stop after that.
  await new Promise((resolve) => setImmediate(resolve))
  const insides = socket as unknown as Insides
  if (insides._handle !== null) {
    insides._handle.reading = false
    insides._handle.readStop()
  }
  // The pending read is withdrawn; otherwise resume() would wait for it for ever.
  insides._readableState.reading = false
}

/** Sends a last message and closes; the socket is gone after limits.lingerMs at the latest. */
export function closeWithError(socket: Socket, lastWord: Uint8Array): void {
  socket.on('error', ignore)
  if (socket.destroyed) return
  const linger = setTimeout(() => socket.destroy(), limits.lingerMs)
  socket.once('close', () => clearTimeout(linger))
  socket.end(lastWord)
  // Bytes left unread at close would make the kernel reset the connection and drop the error.
  socket.resume()
}

/**
 * Closes after a failure, with the last message that `wordOf` makes, unless the peer is gone or
 * sent the error itself.
 */
export function closeAfter(
  socket: Socket,
  error: unknown,
  wordOf: (code: FrErrorCode, text: string) => Uint8Array,
): void {
  const isWorthSaying =
    error instanceof FrError && error.code !== 'ERR_FR_NODE_LOST' && !isSaidByPeer(error)
  if (isWorthSaying) closeWithError(socket, wordOf(error.code, error.message))
  else socket.on('error', ignore).destroy()
}

/** Resolves once the kernel has the bytes: an engine that takes the descriptor would lose them. */
export function writeLast(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(lostError(error)) : resolve()))
  })
}

/** The acceptor's answer to a dialler: `go` or `refuse`, whichever is called first. */
export function onlyOnce(): () => void {
  let isDecided = false
  return () => {
    if (isDecided) throw new FrError('ERR_FR_CLOSED', 'go or refuse was called before')
    isDecided = true
  }
}

export function ignore(): void {}

export function lostError(error: NodeJS.ErrnoException): FrError {
  if (error instanceof FrError) return error
  if (/^ERR_(?:SSL|TLS)_/.test(error.code ?? '')) return tlsError(error)
  return new FrError(
    'ERR_FR_NODE_LOST',
    `the connection broke (${error.code ?? error.message})`,
    systemDetails(error),
  )
}

/** OpenSSL rejected bytes that are not TLS or a changed record, or the peer reports the same. */
function tlsError(error: NodeJS.ErrnoException): FrError {
  const { reason } = error as { reason?: unknown }
  const text = `the connection broke the rules of TLS (${String(reason ?? error.code)})`
  return new FrError('ERR_FR_PROTOCOL', text, { cause: error })
}

/** errno (positive) and system call of a Node error, if it has them. */
export function systemDetails(error: NodeJS.ErrnoException): FrErrorDetails {
  const details: FrErrorDetails = { cause: error }
  // libuv gives its own errors, above all of the resolver, numbers from 3000 that are no errno.
  if (error.errno !== undefined && Math.abs(error.errno) < 3000) {
    details.errno = Math.abs(error.errno)
  }
  if (error.syscall !== undefined) details.syscall = error.syscall
  return details
}

/**
 * Applies the deadline (default limits.helloMs) and the signal to a handshake: either destroys the
 * socket.
 */
export async function within<T>(
  socket: Socket,
  helloMs: number = limits.helloMs,
  signal: AbortSignal | undefined,
  handshake: () => Promise<T>,
): Promise<T> {
  let cause: FrError | undefined
  const cut = (error: FrError): void => {
    cause ??= error
    socket.destroy()
  }
  const deadline = new Patience(helloMs, () => {
    cut(new FrError('ERR_FR_TIMEOUT', `the handshake took more than ${helloMs} ms`))
  })
  const onAbort = (): void => cut(aborted(signal as AbortSignal))
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal?.aborted) onAbort()
    return await handshake()
  } catch (error) {
    throw cause ?? error
  } finally {
    deadline.end()
    signal?.removeEventListener('abort', onAbort)
  }
}

export function aborted(signal: AbortSignal): FrError {
  return new FrError('ERR_FR_ABORTED', 'dialling was cancelled', { cause: signal.reason })
}
