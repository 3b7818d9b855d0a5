/**
 * A file that a push brings to this node, as those see it who read it before it has its name: its
 * blocks come in any order, and count once they are verified. A block that is verified stays what
 * it is, also when the file gets its name; a transfer that fails may leave the file to another one.
 */
import type { Holdings } from '../control/holdings/ledger.js'
import type { StreamEntry } from '../control/messages/types.js'

/** Blocks that one look goes through. */
const lookBlocks = 4_096

export interface LandingHereSpec {
  readonly name: Uint8Array
  readonly entry: StreamEntry
  /** As `fr digest` prints it; null: its origin does not know it yet. */
  readonly fileDigest: string | null
  readonly blockBytes: number
  /** Of its file; it may change until the content is open. */
  readonly partialId: () => string
  readonly held: () => Pick<Holdings, 'isBlockVerified'>
  readonly isPublished: () => boolean
  readonly isEnded: () => boolean
}

export class LandingHere {
  readonly spec: LandingHereSpec

  constructor(spec: LandingHereSpec) {
    this.spec = spec
  }

  /** Verified bytes from there on; perhaps not all. */
  available(offset: number): number {
    const { entry, blockBytes } = this.spec
    const { size } = entry
    if (offset >= size) return 0
    if (this.spec.isPublished()) return size - offset
    const held = this.spec.held()
    const first = Math.floor(offset / blockBytes)
    const past = Math.min(first + lookBlocks, Math.ceil(size / blockBytes))
    let block = first
    while (block < past && held.isBlockVerified(block)) block++
    return Math.max(0, Math.min(size, block * blockBytes) - offset)
  }

  /** The transfer has failed. */
  get isLost(): boolean {
    return this.spec.isEnded() && !this.spec.isPublished()
  }
}
