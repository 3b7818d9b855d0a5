/**
 * The digest records of one content as its author signed them, kept until the file is published, so
 * that this node can prove blocks to others later. Of a content that is still written the newest
 * record that ends inside a block is kept, too, beside those of whole blocks.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { type BlockBytes, wholeEnd } from '../../base/sections.js'
import type { DigestRun } from '../../store/catalogue/record.js'

export class SignedRuns {
  readonly #size: number
  readonly #mostBytes: number
  /** Of a content that was still written when it was offered. */
  readonly isGrowing: boolean
  readonly #runs: DigestRun[] = []
  #bytes = 0
  /** Of `#runs`, how many were taken. */
  #taken = 0
  #cut: DigestRun | undefined
  #isCutFresh = false

  constructor(size: number, blockBytes: BlockBytes) {
    this.#size = size
    this.isGrowing = blockBytes === 'sections'
    const bytes = blockBytes === 'sections' ? limits.growingBlockBytes : blockBytes
    const blocks = Math.max(1, Math.ceil(size / bytes))
    this.#mostBytes = blocks * limits.relayedDigestBytesPerBlock
  }

  /** A record that was found authentic. What is beyond the bound is not kept. */
  keep({ offset, length, payload }: DigestRun): void {
    const end = offset + length
    if (this.isGrowing && wholeEnd(end) !== end) {
      if (end < endOf(this.#cut)) return
      this.#cut = { offset, length, payload: payload.slice() }
      this.#isCutFresh = true
      return
    }
    // The end of a content without bytes says nothing of any.
    if (length === 0) return
    if (this.#bytes + payload.length > this.#mostBytes) return
    this.#bytes += payload.length
    this.#runs.push({ offset, length, payload: payload.slice() })
  }

  /** Records that were kept before, and are written down. */
  restore(runs: readonly DigestRun[]): void {
    for (const run of runs) this.keep(run)
    this.#taken = this.#runs.length
    this.#isCutFresh = false
  }

  /** What was kept since the last call. */
  takeFresh(): DigestRun[] {
    const fresh = this.#runs.slice(this.#taken)
    if (this.#isCutFresh && this.#cut !== undefined) fresh.push(this.#cut)
    this.#taken = this.#runs.length
    this.#isCutFresh = false
    return fresh
  }

  /** Those that say anything of these ranges. */
  touching(ranges: readonly RangePair[]): DigestRun[] {
    const isTouched = (run: DigestRun): boolean =>
      ranges.some(([offset, length]) => offset < endOf(run) && run.offset < offset + length)
    const runs = this.#runs.filter(isTouched)
    return this.#cut !== undefined && isTouched(this.#cut) ? [...runs, this.#cut] : runs
  }

  /**
   * Right runs in order that cover the file together, few of them; undefined: some are missing, or
   * blocks are not those of a finished file.
   */
  covering(isRight: (run: DigestRun) => boolean = () => true): DigestRun[] | undefined {
    if (this.isGrowing) return undefined
    const found: DigestRun[] = []
    let end = 0
    const sorted = this.#runs.filter(isRight).toSorted((a, b) => a.offset - b.offset)
    let at = 0
    while (end < this.#size) {
      let best: DigestRun | undefined
      for (let run = sorted[at]; run !== undefined && run.offset <= end; run = sorted[++at])
        if (best === undefined || endOf(run) > endOf(best)) best = run
      if (best === undefined || endOf(best) <= end) return undefined
      found.push(best)
      end = endOf(best)
    }
    return found
  }
}

function endOf(run: DigestRun | undefined): number {
  return run === undefined ? 0 : run.offset + run.length
}
