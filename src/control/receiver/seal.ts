/** The seal: the digest of the whole file, as the origin said it once it was sure. */
export class Seal {
  #digest: string | null | undefined
  /** The file is published without a word of the origin about its last look at it. */
  isUnchecked = false

  /** The blocks may be summed up. */
  get isHeard(): boolean {
    return this.#digest !== undefined
  }

  /** Null where nobody who is left has heard it. */
  get digest(): string | null {
    return this.#digest ?? null
  }

  hear(digest: string | null): void {
    this.#digest ??= digest
  }

  /** What the signed digests come to is what counts where nothing was heard. */
  compare(fileDigest: string): string | null {
    this.isUnchecked = this.digest === null
    this.#digest ??= fileDigest
    if (fileDigest === this.#digest) return null
    return `file digest ${fileDigest} is not the sealed ${this.#digest}`
  }
}
