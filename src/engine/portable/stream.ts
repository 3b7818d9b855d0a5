/**
 * One stream of a transfer: its files, what has landed in them, which blocks that completed.
 *
 * A byte is *claimed* before it is written and *landed* once it is in the file. Writes run in the
 * thread pool, so two feeds may be writing at the same time; the claim is what keeps each byte to
 * the first feed that brought it. Nothing may be claimed without being landed soon after, or the
 * stream having failed.
 */
import { type Span, SpanSet } from '../../base/spans.js'
import type { ByteRange, StreamSpec } from '../../ports.js'
import { checkRange } from '../checks.js'
import type { OpenFile } from './files.js'
import { type RoutedRun, RouteMap } from './routes.js'

interface Target {
  readonly file: OpenFile
  readonly claimed: SpanSet
  readonly landed: SpanSet
}

function targetOf(file: OpenFile): Target {
  return { file, claimed: new SpanSet(), landed: new SpanSet() }
}

export class StreamState {
  readonly id: number
  readonly size: number
  readonly blockBytes: number
  readonly complete: boolean
  /** Has holes, most likely: what reads as zeros is sent as a hole. */
  readonly sparse: boolean
  /** The file failed: the stream takes and gives nothing more. */
  failed = false
  /** Of bytes in the file, of those still being written, and of those to come. */
  readonly #routes = new RouteMap()
  /** Undefined: what comes is passed on and stored nowhere. */
  readonly #main: Target | undefined
  readonly #scratch: Target | undefined

  constructor(spec: StreamSpec, file?: OpenFile, scratch?: OpenFile) {
    this.id = spec.stream
    this.size = spec.size
    this.blockBytes = spec.blockBytes
    this.complete = spec.complete
    this.sparse = spec.sparse ?? false
    this.#main = file === undefined ? undefined : targetOf(file)
    this.#scratch = scratch === undefined ? undefined : targetOf(scratch)
    file?.retain()
    scratch?.retain()
  }

  get passes(): boolean {
    return this.#main === undefined
  }

  get hasScratch(): boolean {
    return this.#scratch !== undefined
  }

  get source(): OpenFile {
    return this.#target(false).file
  }

  /** Pieces held in memory for this stream, to be kept under limits.landedPieces. */
  get pieces(): number {
    const scratchPieces = this.#scratch?.claimed.pieces ?? 0
    return this.#target(false).claimed.pieces + this.#routes.runs + scratchPieces
  }

  file(isScratch: boolean): OpenFile {
    return this.#target(isScratch).file
  }

  /**
   * Takes the bytes of [begin, end) nobody has brought yet; the caller must write and land them.
   */
  claim(isScratch: boolean, begin: number, end: number): Span[] {
    if (this.complete && !isScratch) return []
    const { claimed } = this.#target(isScratch)
    const fresh = claimed.missing(begin, end)
    if (fresh.length > 0) claimed.add(begin, end)
    return fresh
  }

  /** Repairs of blocks that are not whole are begun anew. */
  forgetRepairs(begin: number, end: number): void {
    const { claimed, landed } = this.#target(true)
    claimed.remove(begin, end)
    landed.remove(begin, end)
  }

  /** Records claimed bytes as landed; returns the run of blocks which that completed, if any. */
  land(isScratch: boolean, begin: number, end: number): Span | undefined {
    const { claimed, landed } = this.#target(isScratch)
    const [low, high] = landed.add(begin, end)
    const block = this.blockBytes
    // Every byte lands once, so a block is complete exactly when one of its bytes is in this piece.
    const from = Math.max(Math.ceil(low / block), Math.floor(begin / block)) * block
    const past = high === this.size ? high : Math.floor(high / block) * block
    const to = Math.min(past, Math.ceil(end / block) * block)
    if (from >= to) return undefined
    if (isScratch) {
      // The next repair of these blocks may land again.
      landed.remove(from, to)
      claimed.remove(from, to)
    }
    return [from, to]
  }

  /**
   * The bytes of [begin, end) are in the file: returns those that were not known to be, also where
   * they are just being written. The caller vouches for whole blocks, so none of them is reported.
   */
  hold(begin: number, end: number): Span[] {
    const fresh = this.fresh(false, begin, end)
    if (fresh.length > 0) {
      const { claimed, landed } = this.#target(false)
      claimed.add(begin, end)
      landed.add(begin, end)
    }
    return fresh
  }

  /** The bytes of [begin, end) that have not landed: of those just written, what is not held. */
  fresh(isScratch: boolean, begin: number, end: number): Span[] {
    if (this.complete && !isScratch) return []
    return this.#target(isScratch).landed.missing(begin, end)
  }

  /** Gives the bytes that have no route this one; returns those of them that are in the file. */
  raise(begin: number, end: number, route: number): Span[] {
    if (route === 0) return []
    return this.#routes.raise(begin, end, route).flatMap((span) => this.split(...span).ready)
  }

  /** The routes of [begin, end). */
  routed(begin: number, end: number): RoutedRun[] {
    return this.#routes.inside(begin, end)
  }

  /** What is in the file of this route. */
  history(route: number): Span[] {
    return this.#routes.of(route).flatMap(({ begin, end }) => this.split(begin, end).ready)
  }

  /** Which bytes of [begin, end) can be sent now, and which have still to land. */
  split(begin: number, end: number): { ready: Span[]; missing: Span[] } {
    if (this.complete) return { ready: [[begin, end]], missing: [] }
    const { landed } = this.#target(false)
    return { ready: landed.present(begin, end), missing: landed.missing(begin, end) }
  }

  forget(): void {
    this.#main?.file.release()
    this.#scratch?.file.release()
  }

  #target(isScratch: boolean): Target {
    const target = isScratch ? this.#scratch : this.#main
    if (target === undefined) throw new Error(`stream ${this.id} has no such file`)
    return target
  }
}

/** A range of a stream that has a file. */
export function checkStored(spec: ByteRange, stream: StreamState): void {
  checkRange(spec, stream.size)
  if (stream.passes) throw new TypeError('stream: nothing of it is stored')
}
