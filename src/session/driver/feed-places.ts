/**
 * How many data connections one process sends on at once, whatever for: relays, pulls, copies, and
 * files that it serves. A connection has its place before it is opened.
 */
import { FrError } from '../../base/errors.js'

/** Gives the place back; again, nothing. */
export type FreePlace = () => void

export class FeedPlaces {
  readonly most: number
  #taken = 0

  constructor(most = Number.POSITIVE_INFINITY) {
    this.most = most
  }

  /** Throws ERR_FR_LIMIT where none is free. */
  take(): FreePlace {
    if (this.#taken >= this.most) {
      const text = `this machine sends on ${this.#taken} data connections already (--max-feeds)`
      throw new FrError('ERR_FR_LIMIT', text)
    }
    this.#taken++
    let isFree = false
    return () => {
      if (isFree) return
      isFree = true
      this.#taken--
    }
  }
}
