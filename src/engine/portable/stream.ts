/**
 * One stream of a transfer: its files, what has landed in them, which blocks that completed.
 *
 * A byte is *claimed* before it is written and *landed* once it is in the file. Writes run in the
 * thread pool, so two feeds may be writing at the same time; the claim is what keeps each byte to
 * the first feed that brought it. Nothing may be claimed without being landed soon after, or the
 * stream having failed.
 */
import { limits } from '../../base/limits.js'
import { sectionOf } from '../../base/sections.js'
import { type Span, SpanSet } from '../../base/spans.js'
import type { ByteRange, DigestSpec, StreamSpec } from '../../ports.js'
import { checkInteger, checkRange } from '../checks.js'
import type { OpenFile } from './files.js'
import { type RoutedRun, RouteMap } from './routes.js'

const uint32Max = 0xffff_ffff

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
  readonly blockBytes: number
  /** Still written: `size` is what may come so far, and blocks are sections. */
  readonly growing: boolean
  /** The beginning of a block that is to be hashed once it has landed. */
  cut: ByteRange | undefined
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
  #size: number
  #isFinal = false
  /** All before this has landed, and nothing is known of it any more. */
  #line = 0

  constructor(spec: StreamSpec, file?: OpenFile, scratch?: OpenFile) {
    this.id = spec.stream
    this.#size = spec.size
    this.growing = spec.growing ?? false
    this.blockBytes = spec.blockBytes
    this.complete = spec.complete
    this.sparse = spec.sparse ?? false
    this.#main = file === undefined ? undefined : targetOf(file)
    this.#scratch = scratch === undefined ? undefined : targetOf(scratch)
    file?.retain()
    scratch?.retain()
    if (this.growing && !spec.complete) this.#sizeFiles()
  }

  get size(): number {
    return this.#size
  }

  get isFinal(): boolean {
    return this.#isFinal
  }

  get line(): number {
    return this.#line
  }

  /** Bytes beyond its size may come later. */
  get isOpen(): boolean {
    return this.growing && !this.#isFinal
  }

  /** Where a block may end that is shorter than others. */
  get #end(): number {
    return this.isOpen ? Number.POSITIVE_INFINITY : this.#size
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

  /** Records claimed bytes as landed; returns the runs of blocks which that completed. */
  land(isScratch: boolean, begin: number, end: number): Span[] {
    const { claimed, landed } = this.#target(isScratch)
    const [low, high] = landed.add(begin, end)
    const runs: Span[] = []
    for (let at = begin; at < end; ) {
      const section = this.#section(at)
      const block = section.blockBytes
      const down = (byte: number): number => byte - ((byte - section.start) % block)
      const up = (byte: number): number => down(byte + block - 1)
      // Every byte lands once, so a block is complete exactly when one of its bytes is in here.
      const from = Math.max(up(Math.max(low, section.start)), down(at))
      const past = Math.min(high, section.end)
      const upto = Math.min(up(Math.min(end, section.end)), this.#end)
      const to = Math.min(past === this.#end ? past : down(past), upto)
      if (from < to) runs.push([from, to])
      at = section.end
    }
    // The next repair of these blocks may land again.
    for (const [from, to] of isScratch ? runs : []) {
      landed.remove(from, to)
      claimed.remove(from, to)
    }
    return runs
  }

  /** More may come, or at the origin is there. */
  grow(size: number): void {
    if (this.#isFinal || size <= this.#size) return
    this.#size = size
    this.#sizeFiles()
  }

  /**
   * The content ends here, and what has landed behind is no part of it. Returns the last block
   * where all of it had landed before, and how many bytes are gone.
   */
  finish(size: number): { readonly last: Span | undefined; readonly goneBytes: number } {
    this.#size = size
    this.#isFinal = true
    this.#sizeFiles()
    if (this.cut !== undefined && this.cut.offset + this.cut.length > size) this.cut = undefined
    if (this.complete || this.#main === undefined) return { last: undefined, goneBytes: 0 }
    const before = this.#main.landed.bytes
    for (const target of [this.#main, this.#scratch]) {
      target?.claimed.remove(size, Number.MAX_SAFE_INTEGER)
      target?.landed.remove(size, Number.MAX_SAFE_INTEGER)
    }
    const goneBytes = before - this.#main.landed.bytes
    const { start, blockBytes } = this.#section(Math.max(0, size - 1))
    const last = size - ((size - start) % blockBytes)
    const isThere = last < size && this.#main.landed.missing(last, size).length === 0
    return { last: isThere ? [last, size] : undefined, goneBytes }
  }

  /** Forgets what is kept of bytes before this, as far as all has landed; returns the line. */
  forgetBefore(before: number): number {
    const [gap] = this.split(0, Math.min(before, this.#size)).missing
    this.#line = Math.max(this.#line, gap?.[0] ?? Math.min(before, this.#size))
    this.#routes.forget(this.#line)
    if (this.#scratch !== undefined) this.forgetRepairs(0, this.#line)
    return this.#line
  }

  /** Bytes of digest records that are kept to be passed on, at most. */
  get digestBytesMost(): number {
    let blocks = 0
    for (let at = this.#line; at < this.#size; ) {
      const { start, end, blockBytes } = this.#section(at)
      const from = at - ((at - start) % blockBytes)
      blocks += Math.ceil((Math.min(end, this.#size) - from) / blockBytes)
      at = end
    }
    return blocks * limits.relayedDigestBytesPerBlock + (this.growing ? limits.tailDigestBytes : 0)
  }

  #section(at: number): { readonly start: number; readonly end: number; blockBytes: number } {
    const { blockBytes } = this
    return this.growing ? sectionOf(at) : { start: 0, end: Number.POSITIVE_INFINITY, blockBytes }
  }

  /** A partial that has grown to its end has this size when it is trimmed. */
  #sizeFiles(): void {
    if (this.complete) return
    for (const target of [this.#main, this.#scratch]) target?.file.grow(this.#size, this.#isFinal)
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
    return this.#target(isScratch).landed.missing(begin, Math.min(end, this.#end))
  }

  /** Gives the bytes that have no route this one; returns those of them that are in the file. */
  raise(begin: number, end: number, route: number): Span[] {
    const from = Math.max(begin, this.#line)
    if (route === 0 || from >= end) return []
    return this.#routes.raise(from, end, route).flatMap((span) => this.split(...span).ready)
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
/** A stream that grows. */
export function checkGrowing(stream: StreamState): void {
  if (!stream.growing) throw new TypeError('stream: does not grow')
}

/** The beginning of a block of a stream that has a file. */
export function checkCut(spec: ByteRange, stream: StreamState): void {
  checkGrowing(stream)
  checkStored(spec, stream)
  const { start, blockBytes } = sectionOf(spec.offset)
  if ((spec.offset - start) % blockBytes !== 0 || spec.length > blockBytes)
    throw new TypeError('offset, length: not the beginning of a block')
}

/** Digests of a stream; those that end a growing content without bytes are of none. */
export function checkDigests(spec: DigestSpec, stream: StreamState): void {
  const isNothing = stream.growing && spec.offset === 0 && spec.length === 0
  if (!isNothing) checkRange(spec, stream.size)
  checkInteger('length', spec.length, 0, uint32Max)
  checkInteger('payload.length', spec.payload.length, 1, limits.recordDigestBytes)
}

/** Throws TypeError for a spec that contradicts itself. */
export function checkStream(spec: StreamSpec): void {
  checkInteger('stream', spec.stream, 0, uint32Max)
  checkInteger('size', spec.size, 0, spec.growing ? limits.growingSpanBytes : undefined)
  checkInteger('blockBytes', spec.blockBytes, 1)
  if (spec.file === undefined && (spec.scratch !== undefined || spec.complete))
    throw new TypeError('a stream without a file has no scratch, and is not complete')
  if (spec.file !== undefined && spec.file === spec.scratch)
    throw new TypeError('scratch must be another file than file')
}

export function checkStored(spec: ByteRange, stream: StreamState): void {
  checkRange(spec, stream.size)
  if (stream.passes) throw new TypeError('stream: nothing of it is stored')
}
