/**
 * Who may connect and try passwords: connections of one address and of all, and wrong passwords of
 * an address. Bounded: of many addresses the one whose failure is the longest ago is forgotten.
 */
import { ftpLimits } from '../../base/ftp-limits.js'
import { nowMs } from '../../base/time/awake.js'
import { countedAs } from './addresses.js'

export interface AdmissionBounds {
  /** Connections of all. */
  readonly most: number
  readonly now?: () => number
}

export class Admission {
  readonly #most: number
  readonly #now: () => number
  readonly #connections = new Map<string, number>()
  readonly #failures = new Map<string, number[]>()
  #all = 0

  constructor({ most, now = nowMs }: AdmissionBounds) {
    this.#most = most
    this.#now = now
  }

  /** Why not, as text; null: it is counted, until it leaves. */
  enter(address: string): string | null {
    const from = countedAs(address)
    const ofAddress = this.#connections.get(from) ?? 0
    if (this.#all >= this.#most) return 'there are too many connections'
    if (ofAddress >= ftpLimits.connectionsPerAddress)
      return `there are ${ofAddress} connections from your address`
    this.#all++
    this.#connections.set(from, ofAddress + 1)
    return null
  }

  leave(address: string): void {
    const from = countedAs(address)
    const left = (this.#connections.get(from) ?? 1) - 1
    this.#all--
    if (left > 0) this.#connections.set(from, left)
    else this.#connections.delete(from)
  }

  /** A wrong password; true: from now on none of this address is looked at for a while. */
  failed(address: string): boolean {
    const from = countedAs(address)
    const failures = [...this.#recent(from), this.#now()].slice(-ftpLimits.failuresPerAddress)
    this.#failures.delete(from)
    this.#failures.set(from, failures)
    const [oldest] = this.#failures.keys()
    if (this.#failures.size > ftpLimits.addresses && oldest !== undefined)
      this.#failures.delete(oldest)
    return failures.length === ftpLimits.failuresPerAddress
  }

  /** It has guessed too often. */
  isShutOut(address: string): boolean {
    return this.#recent(countedAs(address)).length >= ftpLimits.failuresPerAddress
  }

  #recent(from: string): readonly number[] {
    const since = this.#now() - ftpLimits.failuresMs
    return (this.#failures.get(from) ?? []).filter((at) => at > since)
  }
}
