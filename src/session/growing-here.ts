/**
 * A content that is still written and lands at this node, as those see it who read it here: how far
 * it is verified, what its author has signed, and how it ends.
 *
 * The idea: readers come and go, and none holds the transfer up. What they are sent is read from
 * the file itself, which keeps its bytes when it gets its name, so who is still reading then gets
 * the rest.
 */
import type { DigestAlgorithm } from '../base/digests.js'
import type { Failure } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { RangePair } from '../base/ranges.js'
import type { StreamEntry } from '../control/messages/types.js'
import type { DigestSpec } from '../ports.js'

/** A record of digests as its author signed it. */
type DigestRun = Pick<DigestSpec, 'offset' | 'length' | 'payload'>

export interface GrowingHereSpec {
  readonly name: Uint8Array
  readonly entry: StreamEntry
  readonly algorithm: DigestAlgorithm
  /** Of its file; it may change until the content is open. */
  readonly partialId: () => string
  /** The records that say anything of these ranges. */
  readonly signed: (ranges: readonly RangePair[]) => readonly DigestRun[]
}

export class GrowingHere {
  readonly spec: GrowingHereSpec
  /** All before this is in the file, and verified. */
  bytes = 0
  /** The content ends there. */
  isFinal = false
  /** Nothing more comes, and why; null: it goes on, or is published. */
  failure: Failure | null = null
  /** The record that says where the content ends. */
  #end: DigestRun | undefined
  readonly #watchers = new Set<() => void>()

  constructor(spec: GrowingHereSpec) {
    this.spec = spec
  }

  /** A record that was found authentic. */
  signed({ offset, length, payload }: DigestSpec): void {
    const isEnd = payload[limits.signatureBytes] !== 0
    if (isEnd) this.#end = { offset, length, payload: payload.slice() }
  }

  /** Those that say anything of these ranges. */
  runs(ranges: readonly RangePair[]): readonly DigestRun[] {
    return this.spec.signed(ranges)
  }

  /** Undefined until all before it is here. */
  get end(): DigestRun | undefined {
    return this.isFinal ? this.#end : undefined
  }

  reached(bytes: number, isFinal: boolean): void {
    this.bytes = bytes
    this.isFinal = isFinal
    this.#tell()
  }

  failed(failure: Failure): void {
    this.failure = failure
    this.#tell()
  }

  /** Calls back whenever it has moved on. The result takes it back. */
  watch(moved: () => void): () => void {
    this.#watchers.add(moved)
    return () => this.#watchers.delete(moved)
  }

  #tell(): void {
    for (const moved of [...this.#watchers]) moved()
  }
}
