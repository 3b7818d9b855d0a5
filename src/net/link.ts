/**
 * A control link: frames both ways over an established connection.
 *
 * Frames wait unencoded, so that a new report can replace one not yet sent. They are handed to the
 * socket in writes of at most limits.linkWriteBytes, one at a time. A write that does not end in
 * time (limits.linkStallMs, or the value of `waitFor`) means that the peer reads nothing, however
 * long the queue is.
 *
 *     open -> closing    close() was called, or the peer broke a rule and is told so: queued frames
 *                        still go out, received frames are dropped
 *     open -> closed     the peer is gone or stalled, or destroy()
 *     closing -> closed  all is sent and the peer has closed, limits.lingerMs passed, or a stall
 *
 * A link that has an id and whose owner knows `onBroken` outlives its connections: while it has
 * none, frames wait, and `goOn` gives it another one (protocol/frame-numbers.ts). How long that is
 * waited for is the owner's to decide; a link that is closing waits for limits.resumeMs.
 *
 * Never: an unbounded queue, a frame delivered after the link has ended, `onClose` twice or from
 * inside a call of the owner.
 */
import type { Socket } from 'node:net'
import { concat } from '../base/bytes.js'
import { FrError, type FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { Patience } from '../base/time/patience.js'
import type { Frame } from '../control/messages/types.js'
import { FrameNumbers } from '../protocol/frame-numbers.js'
import {
  encodeBody,
  encodeFrame,
  type FrameBody,
  FrameReader,
  wireBytes,
} from '../protocol/frames.js'
import type { Established } from './established.js'
import { ignore, lostError } from './hello-stream.js'

export interface LinkHooks {
  /** Called for each frame in order. An FrError thrown here closes the link with its code. */
  readonly onFrame: (frame: Frame) => void
  /** Called exactly once, in a later microtask. `code` is null when this side closed the link. */
  readonly onClose: (code: FrErrorCode | null, text: string) => void
  /**
   * The connection broke, and `goOn` is waited for, also while the link is closing and has
   * something left to say. In a later microtask.
   */
  readonly onBroken?: (code: FrErrorCode, text: string) => void
  /**
   * Frame that tells the peer why this side closes the link because of something the peer sent.
   * Without it the link just ends.
   */
  readonly lastWord?: (code: FrErrorCode, text: string) => Frame
}

interface Waiting {
  body: FrameBody
  readonly type: Frame['type']
}

/** Frames of which only the newest counts. */
const reports: ReadonlySet<Frame['type']> = new Set(['progress', 'backlog'])

export class ControlLink {
  /** 32 hex digits; undefined: the link ends with its connection. */
  readonly id: string | undefined
  /** Undefined: it broke. */
  #socket: Socket | undefined
  readonly #hooks: LinkHooks
  readonly #numbers: FrameNumbers<Waiting> | undefined
  #reader = new FrameReader()
  #queue: Waiting[] = []
  /** Resolves when the link and its connection are gone. */
  readonly ended: Promise<void>
  #resolveEnded = (): void => {}
  /** Time left for the write under way. */
  #stall: Patience | undefined
  #stallMs: number = limits.linkStallMs
  /** Queued reports, at most one of each kind. */
  readonly #reports = new Map<Frame['type'], Waiting>()
  /** Encoded bytes that wait for the socket. */
  #encoded: Uint8Array = new Uint8Array()
  #isWriting = false
  /** All was said, and the connection is half-closed. */
  #isFinished = false
  #linger: Patience | undefined
  #state: 'open' | 'closing' | 'closed' = 'open'
  #queuedBytes = 0
  #sentBytes = 0

  /** Takes the connection over; errors of Established.detach pass through. */
  constructor(established: Established, hooks: LinkHooks) {
    const socket = established.detach()
    this.#hooks = hooks
    this.id = established.link?.id
    this.#numbers = this.id === undefined ? undefined : new FrameNumbers()
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
    this.#connect(socket)
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Bytes that the kernel has taken from this link. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  /** Bytes accepted by `send` that the kernel has not taken. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** It has no connection, and another one is waited for. */
  get isBroken(): boolean {
    return this.#socket === undefined && this.#state !== 'closed'
  }

  /** How long a peer may read nothing, as long as it may be silent. Never shortens. */
  waitFor(silenceMs: number): void {
    this.#stallMs = Math.max(this.#stallMs, silenceMs + limits.connectionGraceMs)
    if (this.#isWriting) this.#watchWrite()
  }

  /**
   * Queues a frame; false when the link is no longer open. Throws TypeError for a frame longer than
   * limits.frameBytes. Closes the link with ERR_FR_PEER_STALLED when more than
   * limits.linkQueueBytes wait.
   */
  send(frame: Frame): boolean {
    if (this.#state !== 'open') return false
    const body = encodeBody(frame)
    const before = this.#reports.get(frame.type)
    if (before !== undefined) {
      this.#queuedBytes += wireBytes(body) - wireBytes(before.body)
      before.body = body
      return true
    }
    const waiting = { body, type: frame.type }
    this.#queue.push(waiting)
    this.#queuedBytes += wireBytes(body)
    if (reports.has(frame.type)) this.#reports.set(frame.type, waiting)
    this.#pump()
    const keptBytes = this.#numbers?.keptBytes ?? 0
    if (Math.max(this.#queuedBytes, keptBytes) <= limits.linkQueueBytes) return true
    const text = `the peer left more than ${limits.linkQueueBytes} bytes of its control link unread`
    this.#fail(new FrError('ERR_FR_PEER_STALLED', text))
    return false
  }

  // --- from one connection to the next ---

  /** The other side may have heard so many frames, and the link can go on behind them. */
  canGoOn(heard: number): boolean {
    return this.#state !== 'closed' && this.#numbers?.mayHaveHeard(heard) === true
  }

  /** Drops the connection, if there is one. Returns how many frames came, and no more will. */
  pause(): number {
    const socket = this.#socket
    this.#socket = undefined
    this.#stall?.end()
    this.#isWriting = false
    this.#encoded = new Uint8Array()
    this.#queuedBytes = bytesOf(this.#queue)
    socket?.on('error', ignore).destroy()
    return this.#numbers?.heard ?? 0
  }

  /**
   * Goes on over a connection whose greetings named this link. Throws FrError when that broke
   * meanwhile, or the link has ended.
   */
  goOn(established: Established): void {
    const { heard = -1 } = established.link ?? {}
    if (this.#numbers === undefined || !this.canGoOn(heard)) {
      established.close()
      throw new FrError('ERR_FR_PROTOCOL', 'the link cannot go on over this connection')
    }
    this.pause()
    const socket = established.detach()
    this.#queue = [...this.#numbers.resume(heard), ...this.#queue]
    this.#queuedBytes = bytesOf(this.#queue)
    this.#linger?.end()
    this.#connect(socket)
    this.#pump()
  }

  /** Gives up waiting for another connection. */
  giveUp(code: FrErrorCode, text: string): void {
    if (this.#socket === undefined) this.#fail(new FrError(code, text))
  }

  #connect(socket: Socket): void {
    this.#socket = socket
    this.#reader = new FrameReader()
    const isOurs = (): boolean => this.#socket === socket
    const lost = (error: FrError): void => {
      if (isOurs()) this.#lose(error)
    }
    socket.on('data', (chunk: Uint8Array) => {
      if (isOurs()) this.#onData(chunk)
    })
    socket.on('end', () => lost(this.#closedByPeer))
    socket.on('error', (error) => lost(lostError(error)))
    socket.on('close', () => lost(this.#closedByPeer))
    socket.resume()
  }

  get #closedByPeer(): FrError {
    const where = this.#reader.isPartial ? ' in the middle of a frame' : ''
    return new FrError('ERR_FR_NODE_LOST', `the peer closed its control link${where}`)
  }

  /** The connection is gone; the link goes on where it can. */
  #lose(error: FrError): void {
    const { onBroken } = this.#hooks
    // Somebody changes bytes on the way: the next connection would be no better.
    const isSpoilt = error.code !== 'ERR_FR_NODE_LOST'
    const isOver = this.#state === 'closed' || this.#isFinished || isSpoilt
    if (this.#numbers === undefined || onBroken === undefined || isOver) return this.#fail(error)
    this.pause()
    if (this.#state === 'closing') this.#wait()
    queueMicrotask(() => {
      if (this.isBroken) onBroken(error.code, error.message)
    })
  }

  /** While it is closing and has something left to say. */
  #wait(): void {
    this.#linger = new Patience(limits.resumeMs, () => this.#drop())
  }

  /** Sends queued frames, then closes. Resolves when the connection is gone; never rejects. */
  close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing'
      // A link that closes does not get the longer wait of waitFor.
      this.#stallMs = limits.linkStallMs
      if (this.#isWriting) this.#watchWrite()
      this.#tell(null, 'closed by this side')
      if (this.isBroken) this.#wait()
      this.#pump()
    }
    return this.ended
  }

  /** Closes the connection at once. */
  destroy(): void {
    if (this.#state === 'open') this.#tell(null, 'closed by this side')
    this.#drop()
  }

  #pump(): void {
    const socket = this.#socket
    if (this.#isWriting || socket === undefined || this.#state === 'closed') return
    const chunk = this.#nextChunk()
    if (chunk.length === 0) {
      if (this.#state === 'closing') this.#finish()
      return
    }
    this.#isWriting = true
    this.#watchWrite()
    socket.write(chunk, (error) => {
      if (this.#socket !== socket) return
      this.#isWriting = false
      this.#stall?.end()
      if (error) return this.#lose(lostError(error))
      this.#sentBytes += chunk.length
      this.#queuedBytes -= chunk.length
      this.#pump()
    })
  }

  #watchWrite(): void {
    this.#stall?.end()
    this.#stall = new Patience(this.#stallMs, () => {
      const text = `the peer read nothing from its control link for ${this.#stallMs} ms`
      this.#fail(new FrError('ERR_FR_PEER_STALLED', text))
    })
  }

  /** At most limits.linkWriteBytes: the rest of the last frame, then as many frames as fit. */
  #nextChunk(): Uint8Array {
    const parts = [this.#encoded]
    let bytes = this.#encoded.length
    if (this.#numbers?.isDue) {
      const heard = encodeFrame(encodeBody({ type: 'heard', frames: this.#numbers.tell() }))
      parts.push(heard)
      bytes += heard.length
      this.#queuedBytes += heard.length
    }
    let taken = 0
    for (; taken < this.#queue.length && bytes < limits.linkWriteBytes; taken += 1) {
      const waiting = this.#queue[taken] as Waiting
      if (this.#reports.get(waiting.type) === waiting) this.#reports.delete(waiting.type)
      const encoded = encodeFrame(waiting.body)
      this.#numbers?.sent(waiting, encoded.length)
      parts.push(encoded)
      bytes += encoded.length
    }
    this.#queue.splice(0, taken)
    const whole = parts.length === 1 ? this.#encoded : concat(...parts)
    this.#encoded = whole.subarray(limits.linkWriteBytes)
    return whole.subarray(0, limits.linkWriteBytes)
  }

  #onData(chunk: Uint8Array): void {
    // While closing, bytes are read and dropped: unread ones would turn the close into a reset.
    if (this.#state !== 'open') return
    const frames: [Frame, bytes: number][] = []
    let violation: unknown = null
    try {
      this.#reader.push(chunk, (...frame) => frames.push(frame))
    } catch (error) {
      violation = error
    }
    for (const frame of frames) {
      if (!this.isOpen) return
      this.#take(...frame)
    }
    if (this.#numbers?.isDue) this.#pump()
    if (violation instanceof FrError) this.#refuse(violation)
    else if (violation !== null) throw violation
  }

  #take(frame: Frame, bytes: number): void {
    try {
      if (frame.type === 'heard' && this.#numbers !== undefined)
        return this.#numbers.wereHeard(frame.frames)
      this.#numbers?.took(bytes)
      this.#hooks.onFrame(frame)
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      this.#refuse(error)
    }
  }

  /** Tells the peer why its frame cannot be taken, and closes. */
  #refuse(error: FrError): void {
    if (this.#state !== 'open') return
    const lastWord = this.#hooks.lastWord?.(error.code, error.message)
    if (lastWord === undefined) return this.#fail(error)
    this.#queue.push({ body: encodeBody(lastWord), type: lastWord.type })
    this.#state = 'closing'
    this.#tell(error.code, error.message)
    this.#pump()
  }

  /** Everything is sent: half-close, and wait briefly for the peer to do the same. */
  #finish(): void {
    this.#isFinished = true
    this.#socket?.end()
    const linger = setTimeout(() => this.#drop(), limits.lingerMs)
    void this.ended.then(() => clearTimeout(linger))
  }

  #fail(error: FrError): void {
    if (this.#state === 'open') this.#tell(error.code, error.message)
    this.#drop()
  }

  #tell(code: FrErrorCode | null, text: string): void {
    queueMicrotask(() => this.#hooks.onClose(code, text))
  }

  #drop(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#stall?.end()
    this.#queue.length = 0
    this.#reports.clear()
    this.#encoded = new Uint8Array()
    this.#linger?.end()
    const socket = this.#socket
    if (socket === undefined || socket.closed) return this.#resolveEnded()
    socket.once('close', () => this.#resolveEnded())
    socket.on('error', ignore)
    socket.destroy()
  }
}

function bytesOf(queue: readonly Waiting[]): number {
  return queue.reduce((sum, { body }) => sum + wireBytes(body), 0)
}
