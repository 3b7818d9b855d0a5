/**
 * The segments of a payload of which more and more is there: MPEG transport streams, and MP4 files
 * in fragments. What lies about its structure has fewer segments, or none, for a bounded part of it
 * read in each step.
 */
import type { RangePair } from '../base/ranges.js'
import { isIso } from './iso.js'
import { IsoSegments, Unsegmented } from './iso-segments.js'
import { packingOf } from './mpeg-ts.js'
import { Exhausted, latin, Malformed, Payload, type Reading } from './payload.js'
import { Segments } from './segments.js'
import { TsSegments } from './ts-segments.js'

/** Bytes by which a stream is known. */
const knownBytes = 8 * 188

export class Segmenting {
  readonly segments = new Segments()
  #reader: TsSegments | IsoSegments | null = null
  #fault: string | null = null
  #isWhole = false

  get format(): 'mpeg-ts' | 'fragmented-mp4' | null {
    return this.#reader?.format ?? null
  }

  /** What a player loads before the segments; null: nothing. */
  get map(): RangePair | null {
    return this.#reader?.map ?? null
  }

  /** Why it has no segments; null: it has, or may have. */
  get fault(): string | null {
    return this.#fault
  }

  /** All segments that there are, and ever will be. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /**
   * Reads on in the first `size` bytes, at most as much as an analysis does. `isFinal`: there will
   * be no more. True: there is nothing left to read of them.
   */
  *advance(size: number, isFinal: boolean): Reading<boolean> {
    if (this.#isWhole || this.#fault !== null) return true
    const at = this.#reader?.at ?? -1
    try {
      const payload = new Payload(size)
      this.#reader ??= yield* this.#readerOf(payload, isFinal)
      if (this.#reader === null) return true
      this.#isWhole = yield* this.#reader.advance(payload, isFinal)
      if (this.#isWhole && this.segments.list.length === 0) this.#fault = 'a film without frames'
    } catch (error) {
      const isStuck = at === (this.#reader?.at ?? -1)
      if (error instanceof Exhausted && !isStuck) return false
      if (error instanceof Exhausted || error instanceof Malformed)
        this.#fault = 'a film that is not as its format wants it'
      else if (error instanceof Unsegmented) this.#fault = error.message
      else throw error
    }
    return true
  }

  *#readerOf(payload: Payload, isFinal: boolean): Reading<TsSegments | IsoSegments | null> {
    if (payload.size < knownBytes && !isFinal) return null
    if (payload.size >= 12 && isIso(latin(yield* payload.at(0, 12), 4)))
      return new IsoSegments(this.segments)
    const packing = yield* packingOf(payload)
    if (packing?.bytes === 188) return new TsSegments(this.segments)
    throw new Unsegmented('neither an MPEG transport stream nor an MP4 file in fragments')
  }
}
