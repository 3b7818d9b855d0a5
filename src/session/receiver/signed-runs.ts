/**
 * The digest records of one content as its author signed them, kept until the file is published, so
 * that this node can prove blocks to others later.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import type { DigestRun } from '../../store/catalogue/record.js'

export class SignedRuns {
  readonly #size: number
  readonly #mostBytes: number
  readonly #runs: DigestRun[] = []
  #bytes = 0
  /** Of `#runs`, how many were taken. */
  #taken = 0

  constructor(size: number, blockBytes: number) {
    this.#size = size
    const blocks = Math.max(1, Math.ceil(size / blockBytes))
    this.#mostBytes = blocks * limits.relayedDigestBytesPerBlock
  }

  /** A record that was found authentic. What is beyond the bound is not kept. */
  keep({ offset, length, payload }: DigestRun): void {
    if (this.#bytes + payload.length > this.#mostBytes) return
    this.#bytes += payload.length
    this.#runs.push({ offset, length, payload: payload.slice() })
  }

  /** Records that were kept before, and are written down. */
  restore(runs: readonly DigestRun[]): void {
    for (const run of runs) this.keep(run)
    this.#taken = this.#runs.length
  }

  /** What was kept since the last call. */
  takeFresh(): DigestRun[] {
    const fresh = this.#runs.slice(this.#taken)
    this.#taken = this.#runs.length
    return fresh
  }

  /** Those that say anything of these ranges. */
  touching(ranges: readonly RangePair[]): DigestRun[] {
    const isTouched = (run: DigestRun): boolean =>
      ranges.some(([offset, length]) => offset < endOf(run) && run.offset < offset + length)
    return this.#runs.filter(isTouched)
  }

  /** Right runs in order that cover the file together, few of them; undefined: some are missing. */
  covering(isRight: (run: DigestRun) => boolean = () => true): DigestRun[] | undefined {
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

function endOf({ offset, length }: DigestRun): number {
  return offset + length
}
