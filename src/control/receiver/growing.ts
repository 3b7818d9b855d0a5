/**
 * What a node does for a content that is still written.
 *
 * The idea: the coordinator says how much may come, which runs ahead of what there is; records of
 * the author say what there is, and at last where it ends. A record that ends inside a block has
 * the engine look at that beginning of the block once it is there. So the verified prefix moves on,
 * which whoever reads here is told at once, and the coordinator now and then.
 */
import { limits } from '../../base/limits.js'
import { wholeEnd } from '../../base/sections.js'
import { GrowingLedger } from '../holdings/growing-ledger.js'
import { type Ledger, StreamLedger } from '../holdings/ledger.js'
import type { Frame } from '../messages/types.js'
import type { NodeConfig } from './events.js'
import type { NodeOutbox } from './outbox.js'

const never = Number.POSITIVE_INFINITY

/** What is known of the content is known by sections where it is still written. */
export function ledgerOf({ bytes, blockBytes, digestBytes }: NodeConfig): Ledger {
  return blockBytes === 'sections'
    ? new GrowingLedger(digestBytes)
    : new StreamLedger(bytes, blockBytes, digestBytes)
}

/** A record of digests of the author. */
interface Announced {
  readonly offset: number
  readonly length: number
  readonly isFinal?: boolean
}

export class Growing {
  readonly #ledger: GrowingLedger
  readonly #outbox: NodeOutbox
  /** So much may come, as the engine knows. */
  #mayComeBytes = 0
  #floorBytes = 0
  /** The prefix as those were told it who read here, and the coordinator. */
  #readBytes = 0
  #isReadFinal = false
  #saidBytes = 0
  #saidMs = Number.NEGATIVE_INFINITY

  constructor(ledger: GrowingLedger, outbox: NodeOutbox) {
    this.#ledger = ledger
    this.#outbox = outbox
  }

  /** More is known to be there than is verified. */
  get isBehind(): boolean {
    return this.#ledger.prefix < this.#ledger.size
  }

  /** The coordinator says how much may come, or what all have. False: it says something else. */
  told(frame: Frame): boolean {
    if (frame.type === 'floor') {
      const { bytes } = frame
      if (bytes > this.#floorBytes) this.#outbox.wish({ type: 'forget', before: bytes })
      this.#floorBytes = Math.max(this.#floorBytes, bytes)
      return true
    }
    if (frame.type !== 'grown') return false
    const { bytes } = frame
    if (bytes <= this.#mayComeBytes || this.#ledger.isFinal) return true
    this.#mayComeBytes = bytes
    this.#outbox.wish({ type: 'grow', bytes, isFinal: false })
    return true
  }

  /** Before the ledger hears of the digests. Why they cannot be; null: they can. */
  announced({ offset, length, isFinal = false }: Announced): string | null {
    const end = offset + length
    if (this.#ledger.isFinal && end > this.#ledger.size) return 'digests beyond the end'
    if (isFinal) {
      const isNews = !this.#ledger.isFinal
      if (!this.#ledger.ends(end)) return `the content ends at ${end}, and did not before`
      if (isNews) this.#outbox.wish({ type: 'grow', bytes: end, isFinal: true })
      return null
    }
    const start = wholeEnd(end)
    const isCut = start < end && end > this.#ledger.prefix && end !== this.#ledger.lastEnd
    if (isCut) this.#outbox.wish({ type: 'cut', offset: start, length: end - start })
    return null
  }

  /** Tells how far the verified prefix is. */
  advance(nowMs: number): void {
    const { prefix, isFinal } = this.#ledger
    const isEnd = isFinal && prefix === this.#ledger.size
    if (prefix > this.#readBytes || isEnd !== this.#isReadFinal) {
      this.#readBytes = prefix
      this.#isReadFinal = isEnd
      this.#outbox.wish({ type: 'reach', bytes: prefix, isFinal: isEnd })
    }
    if (nowMs < this.dueMs) return
    this.#saidBytes = prefix
    this.#saidMs = nowMs
    this.#outbox.say({ type: 'reached', bytes: prefix })
  }

  /** When the coordinator is to be told; Infinity: it knows. */
  get dueMs(): number {
    return this.#ledger.prefix > this.#saidBytes ? this.#saidMs + limits.reachedMs : never
  }
}
