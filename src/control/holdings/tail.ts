/**
 * The beginning of a block that is not there as a whole yet, as far as a *cut* says.
 *
 * The idea: an author who has nothing more to send for now signs the digest of what there is of the
 * last block. A later cut, or the block as a whole, says more of the same bytes, so only the newest
 * cut counts, and one that was found right stays right: what is sure never becomes less. A cut that
 * is found wrong decides nothing, because the block as a whole is repaired once it is there.
 */

/** The beginning of a block, and its digest. */
export interface Cut {
  /** First byte of the block. */
  readonly start: number
  /** First byte behind the cut. */
  readonly end: number
  readonly digest: Uint8Array
}

export class Tail {
  /** The newest cut of the author. */
  #announced: Cut | undefined
  /** The newest that was found right. */
  #sure: Cut | undefined
  #isFresh = false

  get sure(): Cut | undefined {
    return this.#sure
  }

  /** What is sure begins and ends here; it ends at 0 where nothing is. */
  get start(): number {
    return this.#sure?.start ?? 0
  }

  get end(): number {
    return this.#sure?.end ?? 0
  }

  /** Of two cuts the one that ends later counts, whichever comes first. */
  announce(cut: Cut): void {
    if (cut.end > (this.#announced?.end ?? 0)) this.#announced = cut
  }

  /** Whether these are the bytes that the author has cut. */
  matches({ start, end, digest }: Cut): boolean {
    const announced = this.#announced
    if (announced === undefined || announced.start !== start || announced.end !== end) return false
    return announced.digest.every((byte, i) => byte === digest[i])
  }

  /** A digest over the bytes that are there. */
  compute(cut: Cut): void {
    if (cut.end <= this.end || !this.matches(cut)) return
    this.#sure = cut
    this.#isFresh = true
  }

  /** A cut that was found right before. */
  restore(cut: Cut): void {
    this.announce(cut)
    this.compute(cut)
    this.#isFresh = false
  }

  /** What became sure since the last call; undefined: nothing did. */
  takeFresh(): Cut | undefined {
    const fresh = this.#isFresh ? this.#sure : undefined
    this.#isFresh = false
    return fresh
  }
}
