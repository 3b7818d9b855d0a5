/**
 * What one side of a link that outlives its connections knows of the frames on it.
 *
 * The idea: frame n of a direction is the n-th that was sent in it, so no frame carries a number.
 * The receiver says now and then how many it has heard (`heard`, which has no number itself), and
 * the sender keeps what was not said to be heard. Where the connection breaks each side says on the
 * next one how many it has heard, and the other sends again what follows: none is lost, none comes
 * twice, and all come in order.
 *
 * It must never take a number that cannot be true: of a frame that was not sent, or one that was
 * said to be heard and is not any more.
 */
import { limits } from '../base/limits.js'
import { protocolError } from './fields.js'

interface Kept<T> {
  readonly frame: T
  readonly bytes: number
}

export class FrameNumbers<T> {
  #heard = 0
  #told = 0
  #untoldBytes = 0
  /** So many frames of this side were heard, as far as it was said; those behind them are kept. */
  #known = 0
  #kept: Kept<T>[] = []
  #keptBytes = 0

  /** Frames of the other side that came. */
  get heard(): number {
    return this.#heard
  }

  /** Bytes of frames that were sent and perhaps not heard. */
  get keptBytes(): number {
    return this.#keptBytes
  }

  /** A frame of the other side has come, with so many bytes. */
  took(bytes: number): void {
    this.#heard++
    this.#untoldBytes += bytes
  }

  /** The other side is to be told, so that it keeps no more than a few frames. */
  get isDue(): boolean {
    const isMany = this.#heard - this.#told >= limits.heardFrames
    return isMany || this.#untoldBytes >= limits.heardBytes
  }

  /** What is told now. */
  tell(): number {
    this.#told = this.#heard
    this.#untoldBytes = 0
    return this.#heard
  }

  /** A frame is being sent. */
  sent(frame: T, bytes: number): void {
    this.#kept.push({ frame, bytes })
    this.#keptBytes += bytes
  }

  mayHaveHeard(frames: number): boolean {
    return frames >= this.#known && frames <= this.#known + this.#kept.length
  }

  /** The other side says how many it has heard. Throws ERR_FR_PROTOCOL when that cannot be true. */
  wereHeard(frames: number): void {
    if (!this.mayHaveHeard(frames))
      throw protocolError(`${frames} frames cannot have been heard on this link`)
    for (const { bytes } of this.#kept.splice(0, frames - this.#known)) this.#keptBytes -= bytes
    this.#known = frames
  }

  /**
   * The link goes on behind so many frames of this side: what is to be sent again, in order. Throws
   * as `wereHeard` does.
   */
  resume(frames: number): T[] {
    this.wereHeard(frames)
    const again = this.#kept.map(({ frame }) => frame)
    this.#kept = []
    this.#keptBytes = 0
    // The greetings have said it.
    this.tell()
    return again
  }
}
