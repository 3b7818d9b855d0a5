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
 * Never: an unbounded queue, a frame delivered after the link has ended, `onClose` twice or from
 * inside a call of the owner.
 */
import type { Socket } from 'node:net'
import { concat } from '../base/bytes.js'
import { FrError, type FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { Patience } from '../base/time/patience.js'
import type { Frame } from '../control/messages/types.js'
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
  readonly #socket: Socket
  readonly #hooks: LinkHooks
  readonly #reader = new FrameReader()
  readonly #queue: Waiting[] = []
  readonly #gone: Promise<void>
  /** Time left for the write under way. */
  #stall: Patience | undefined
  #stallMs: number = limits.linkStallMs
  /** Queued reports, at most one of each kind. */
  readonly #reports = new Map<Frame['type'], Waiting>()
  /** Encoded bytes that wait for the socket. */
  #encoded: Uint8Array = new Uint8Array()
  #isWriting = false
  #state: 'open' | 'closing' | 'closed' = 'open'
  #queuedBytes = 0
  #sentBytes = 0

  /** Takes the connection over; errors of Established.detach pass through. */
  constructor(established: Established, hooks: LinkHooks) {
    this.#socket = established.detach()
    this.#hooks = hooks
    this.#gone = new Promise((resolve) => this.#socket.once('close', () => resolve()))
    this.#socket.on('data', (chunk: Uint8Array) => this.#onData(chunk))
    this.#socket.on('end', () => this.#onEnd())
    this.#socket.on('error', (error) => this.#fail(lostError(error)))
    this.#socket.on('close', () => this.#onEnd())
    this.#socket.resume()
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
    if (this.#queuedBytes <= limits.linkQueueBytes) return true
    const text = `the peer left more than ${limits.linkQueueBytes} bytes of its control link unread`
    this.#fail(new FrError('ERR_FR_PEER_STALLED', text))
    return false
  }

  /** Sends queued frames, then closes. Resolves when the connection is gone; never rejects. */
  close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing'
      // A link that closes does not get the longer wait of waitFor.
      this.#stallMs = limits.linkStallMs
      if (this.#isWriting) this.#watchWrite()
      this.#tell(null, 'closed by this side')
      this.#pump()
    }
    return this.#gone
  }

  /** Closes the connection at once. */
  destroy(): void {
    if (this.#state === 'open') this.#tell(null, 'closed by this side')
    this.#drop()
  }

  #pump(): void {
    if (this.#isWriting || this.#state === 'closed') return
    const chunk = this.#nextChunk()
    if (chunk.length === 0) {
      if (this.#state === 'closing') this.#finish()
      return
    }
    this.#isWriting = true
    this.#watchWrite()
    this.#socket.write(chunk, (error) => {
      this.#isWriting = false
      this.#stall?.end()
      if (error) return this.#fail(lostError(error))
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
    let taken = 0
    for (; taken < this.#queue.length && bytes < limits.linkWriteBytes; taken += 1) {
      const waiting = this.#queue[taken] as Waiting
      this.#reports.delete(waiting.type)
      const encoded = encodeFrame(waiting.body)
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
    const frames: Frame[] = []
    let violation: unknown = null
    try {
      this.#reader.push(chunk, (frame) => frames.push(frame))
    } catch (error) {
      violation = error
    }
    for (const frame of frames) {
      if (!this.isOpen) return
      this.#deliver(frame)
    }
    if (violation instanceof FrError) this.#refuse(violation)
    else if (violation !== null) throw violation
  }

  #deliver(frame: Frame): void {
    try {
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

  #onEnd(): void {
    const where = this.#reader.isPartial ? ' in the middle of a frame' : ''
    this.#fail(new FrError('ERR_FR_NODE_LOST', `the peer closed its control link${where}`))
  }

  /** Everything is sent: half-close, and wait briefly for the peer to do the same. */
  #finish(): void {
    this.#socket.end()
    const linger = setTimeout(() => this.#drop(), limits.lingerMs)
    void this.#gone.then(() => clearTimeout(linger))
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
    this.#socket.on('error', ignore)
    this.#socket.destroy()
  }
}
