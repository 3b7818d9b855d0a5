/**
 * How many data connections one process sends on at once, whatever for: relays, pulls, copies, and
 * files that it serves. A connection has its place before it is opened. One more flow to somebody
 * who has a connection has only what half of the places leave: the others are for those who have
 * none yet.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'

/** Gives the place back; again, nothing. */
export type FreePlace = () => void

export class FeedPlaces {
  readonly most: number
  #taken = 0
  /** Of them, flows beside the first connection to somebody. */
  #flows = 0

  constructor(most = Number.POSITIVE_INFINITY) {
    this.most = most
  }

  /** Throws ERR_FR_LIMIT where none is free. */
  take(): FreePlace {
    if (this.#taken >= this.most) {
      const text = `this machine sends on ${this.#taken} data connections already (--max-feeds)`
      throw new FrError('ERR_FR_LIMIT', text)
    }
    return this.#one()
  }

  /** For one more flow; undefined: there is no place to spare. */
  spare(): FreePlace | undefined {
    const isSpare = this.#taken < this.most / 2 && this.#flows < limits.flowsPerProcess
    if (!isSpare) return undefined
    this.#flows++
    const free = this.#one()
    return once(() => {
      this.#flows--
      free()
    })
  }

  #one(): FreePlace {
    this.#taken++
    return once(() => {
      this.#taken--
    })
  }
}

function once(act: () => void): FreePlace {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    act()
  }
}
