/** Segments of an MP4 file in fragments: what each has ahead of its `moof` is of it. */
import type { RangePair } from '../base/ranges.js'
import { type Box, boxAt } from './iso-boxes.js'
import { fragmentOf, fragmentSeconds } from './iso-fragments.js'
import { type IsoTrack, movieOf } from './iso-tracks.js'
import { Exhausted, Malformed, type Payload, type Reading } from './payload.js'
import type { Segments } from './segments.js'

/** It is of the format, but has no segments. */
export class Unsegmented extends Error {}

export class IsoSegments {
  readonly format = 'fragmented-mp4'
  readonly #segments: Segments
  #map: RangePair | null = null
  #track: IsoTrack | null = null
  #at = 0
  /** Behind the last media: where the next fragment begins. */
  #groupStart = 0
  /** The last fragment of the track. */
  #moof: Box | null = null

  constructor(segments: Segments) {
    this.#segments = segments
  }

  /** What a player needs before each segment; null: it has not come yet. */
  get map(): RangePair | null {
    return this.#map
  }

  /** All before it was looked at. */
  get at(): number {
    return this.#at
  }

  /**
   * As far as the payload goes now. True: there is no more, or what comes is none. Throws
   * Unsegmented.
   */
  *advance(payload: Payload, isFinal: boolean): Reading<boolean> {
    try {
      while (this.#at < payload.size) {
        const box = yield* boxAt(payload, this.#at, payload.size)
        yield* this.#note(payload, box)
        this.#at = box.end
      }
    } catch (error) {
      // Of what still comes, the last box is not whole.
      if (!(error instanceof Malformed)) throw error
    }
    if (isFinal) yield* this.#finish(payload)
    return isFinal
  }

  *#note(payload: Payload, box: Box): Reading<void> {
    if (box.type === 'moov' && this.#map === null) {
      const { isFragmented, main } = yield* movieOf(payload, box)
      if (!isFragmented || main === null || main.timescale === 0)
        throw new Unsegmented('an MP4 file that is not in fragments')
      this.#track = main
      this.#map = [0, box.end]
      this.#groupStart = box.end
    } else if (box.type === 'mdat') {
      if (this.#track === null) throw new Unsegmented('an MP4 file whose media come first')
      this.#groupStart = box.end
    } else if (box.type === 'moof') yield* this.#fragment(payload, box)
  }

  *#fragment(payload: Payload, box: Box): Reading<void> {
    const track = this.#track
    if (track === null) throw new Unsegmented('an MP4 file whose fragments come first')
    const fragment = yield* fragmentOf(payload, box, track)
    if (fragment === null) return
    const { time, isSync, isPlaced } = fragment
    if (isPlaced) throw new Unsegmented('an MP4 file whose fragments are no good elsewhere')
    if (time === null) throw new Unsegmented('an MP4 file whose fragments say no times')
    const point = { offset: this.#groupStart, seconds: time / track.timescale, isSync }
    this.#segments.note(point)
    this.#moof = box
  }

  *#finish(payload: Payload): Reading<void> {
    const [track, moof] = [this.#track, this.#moof]
    if (track === null || moof === null) return
    let seconds: number | null = null
    try {
      seconds = yield* fragmentSeconds(payload, moof, track)
    } catch (error) {
      if (!(error instanceof Malformed || error instanceof Exhausted)) throw error
    }
    this.#segments.finish(this.#groupStart, seconds)
  }
}
