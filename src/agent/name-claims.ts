/**
 * Which transfer writes which name at this node: one at a time, from its offer to its publication.
 *
 * The idea: two pushes that meet hold some nodes each, and neither may have a part of them. So who
 * finds a name taken is refused, and its push is withdrawn everywhere, but for two cases that pass
 * by themselves. A holder that has ended, or ends now because its origin is gone, is waited for
 * until it has given everything back. Of two
 * transfers without a plan the one with the lower id waits: the other is refused wherever the first
 * was earlier, and gives way. So does one without a plan where one with a plan joins: that holds
 * the name at other nodes. Whoever has a plan is waited for by nobody, and of the others only lower
 * ids wait for higher ones: no two wait for each other.
 */
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'

/** A transfer that writes a name. */
export interface Claimant {
  readonly name: Uint8Array
  readonly spec: {
    readonly transfer: string
    readonly originAddress: string
    /** Its push had a plan when it was offered here, and so the name at other nodes. */
    readonly isPlanned: boolean
  }
  /** The plan has come. */
  readonly hasPlan: boolean
  readonly isEnded: boolean
  /** Another transfer wants the name; true: this one ends for it, because its origin is gone. */
  givesWay(): boolean
}

export class NameClaims<T extends Claimant> {
  readonly #holders = new Map<string, T>()
  readonly #waiting = new Set<() => void>()

  get holders(): Iterable<T> {
    return this.#holders.values()
  }

  /** Rejects with ERR_FR_BUSY, which names the holder, and when the claimant ends meanwhile. */
  async claim(claimant: T): Promise<void> {
    const key = keyOf(claimant)
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.changed()
    }, limits.claimMs)
    try {
      for (;;) {
        if (claimant.isEnded) throw new FrError('ERR_FR_CLOSED', 'the transfer is over')
        const holder = this.#holders.get(key)
        if (holder === undefined) break
        // Whoever has ended gives the name back, however busy this machine is.
        if (!holder.isEnded && !holder.givesWay() && (isLate || !isToGiveWay(holder, claimant)))
          throw busy(holder)
        await new Promise<void>((resolve) => this.#waiting.add(resolve))
      }
      this.#holders.set(key, claimant)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Idempotent. */
  release(claimant: T): void {
    const key = keyOf(claimant)
    if (this.#holders.get(key) !== claimant) return
    this.#holders.delete(key)
    this.changed()
  }

  /** A claimant has its plan, or has ended: those who wait look again. */
  changed(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const look of waiting) look()
  }
}

function isToGiveWay(holder: Claimant, claimant: Claimant): boolean {
  if (holder.hasPlan || holder.spec.isPlanned) return false
  return claimant.spec.isPlanned || claimant.spec.transfer < holder.spec.transfer
}

function busy({ spec }: Claimant): FrError {
  const text = `transfer ${spec.transfer} from ${spec.originAddress} is writing this name`
  return new FrError('ERR_FR_BUSY', text)
}

function keyOf({ name }: Claimant): string {
  return Buffer.from(name).toString('latin1')
}
