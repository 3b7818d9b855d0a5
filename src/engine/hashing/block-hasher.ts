/** Digests of one block after the other. */
export interface BlockHasher {
  /** At the beginning of a block, which is at this place in the file. */
  start(offset: number): void
  /** Bytes of the block in order, in pieces of a power of two, the last one of any length. */
  update(bytes: Uint8Array): void
  finish(): Uint8Array
}
