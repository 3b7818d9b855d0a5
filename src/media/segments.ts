/**
 * A film in segments, as playlists have them (HTTP Live Streaming, RFC 8216): a player loads one
 * after the other, and begins with any.
 *
 * The idea: points of the film are noted in their order, and segments end at points at which
 * decoding can begin. What was said once stays, so a film that still grows has the same segments
 * as when it is whole, and as many are kept as a bound says.
 */
import { contentLimits } from '../base/content-limits.js'

export interface Segment {
  readonly offset: number
  readonly length: number
  readonly seconds: number
  /** Its times do not go on where those before have ended. */
  readonly isDiscontinuous: boolean
}

export interface Point {
  readonly offset: number
  readonly seconds: number
  /** Decoding can begin with it. */
  readonly isSync: boolean
}

const { segmentSeconds, segmentSecondsMax, segmentGapSeconds, segments: kept } = contentLimits
/** Players round what a segment lasts. */
const longestSeconds = segmentSecondsMax + 0.49
/** Points of so much before the last one are out of order, and of no use. */
const disorderSeconds = 1
/** Differences of times are not exact. */
const roundedSeconds = 0.001

export class Segments {
  readonly #list: Segment[] = []
  /** Segments that are not kept any more, and the discontinuities among them. */
  #dropped = 0
  #droppedDiscontinuities = 0
  #targetSeconds: number = segmentSecondsMax
  /** Where the one begins that has not ended yet. */
  #start: Point | null = null
  #isDiscontinuous = false
  /** In it: the last point that is sync, and the last one. */
  #sync: Point | null = null
  #last: Point | null = null
  /** The least time between two points. */
  #frameSeconds = Number.POSITIVE_INFINITY

  get list(): readonly Segment[] {
    return this.#list
  }

  get dropped(): number {
    return this.#dropped
  }

  get droppedDiscontinuities(): number {
    return this.#droppedDiscontinuities
  }

  /** No segment lasts longer; one number for most films, so that it does not change. */
  get targetSeconds(): number {
    return this.#targetSeconds
  }

  get start(): Point | null {
    return this.#start
  }

  /** Whether this point goes on where the last one was, in the segment that has not ended. */
  isNear({ seconds }: Point): boolean {
    const [start, last] = [this.#start, this.#last]
    if (start === null || last === null) return true
    return seconds > last.seconds - disorderSeconds && seconds - start.seconds <= longestSeconds
  }

  /** The next one; whether a segment has ended with it. */
  note(point: Point): boolean {
    const [start, last] = [this.#start, this.#last]
    if (start === null || last === null) {
      this.#start = point
      this.#last = point
      return false
    }
    const before = this.#dropped + this.#list.length
    const gap = point.seconds - last.seconds
    if (gap < 0 && gap > -disorderSeconds) return false
    if (gap < 0 || gap > segmentGapSeconds) {
      this.#end(point, last.seconds - start.seconds + this.#frame)
      this.#isDiscontinuous = true
    } else {
      if (gap > 0) this.#frameSeconds = Math.min(this.#frameSeconds, gap)
      this.#endBefore(point, last)
    }
    this.#last = point
    return this.#dropped + this.#list.length > before
  }

  /** Whatever was noted in the segment that has not ended comes again. */
  rewind(): void {
    this.#last = this.#start
    this.#sync = null
  }

  #endBefore(point: Point, last: Point): void {
    const elapsed = (): number => point.seconds - (this.#start as Point).seconds
    if (elapsed() > longestSeconds && this.#sync !== null) this.#endAt(this.#sync)
    if (elapsed() > longestSeconds && last.offset > (this.#start as Point).offset) this.#endAt(last)
    const isLong = elapsed() > longestSeconds
    if (isLong || (point.isSync && elapsed() >= segmentSeconds - roundedSeconds)) this.#endAt(point)
    else if (point.isSync) this.#sync = point
  }

  /** The film ends there; its last point lasts so long, null: that is not said. */
  finish(offset: number, lastSeconds: number | null): void {
    const [start, last] = [this.#start, this.#last]
    if (start === null || last === null || offset <= start.offset) return
    const end = { offset, seconds: 0, isSync: false }
    this.#end(end, last.seconds - start.seconds + (lastSeconds ?? this.#frame))
  }

  get #frame(): number {
    return Number.isFinite(this.#frameSeconds) ? this.#frameSeconds : 0
  }

  #endAt(point: Point): void {
    this.#end(point, point.seconds - (this.#start as Point).seconds)
  }

  /** The one that has lasted so long ends, and the next begins at the point. */
  #end(next: Point, seconds: number): void {
    const { offset } = this.#start as Point
    const length = next.offset - offset
    const isDiscontinuous = this.#isDiscontinuous
    if (length > 0) {
      this.#list.push({ offset, length, seconds, isDiscontinuous })
      this.#targetSeconds = Math.max(this.#targetSeconds, Math.round(seconds))
      this.#isDiscontinuous = false
    }
    if (this.#list.length > kept) {
      this.#dropped++
      if (this.#list.shift()?.isDiscontinuous === true) this.#droppedDiscontinuities++
    }
    this.#start = next
    this.#sync = null
  }
}
