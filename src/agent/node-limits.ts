/**
 * What a node keeps to, and how fast it is now. The engine paces; here is what it was told, which
 * origins hear when they dial and which a client can change while the node runs.
 */
import { FrError } from '../base/errors.js'
import type { Logger } from '../base/log.js'
import { SmoothedRate } from '../base/rate.js'
import type { NodeLimits, RateLimits } from '../base/rate-limits.js'
import { nowMs } from '../base/time/awake.js'
import type { DataEngine } from '../ports.js'
import type { Reception } from '../session/receiver/reception.js'

/** A rate that is missing stays as it is, null is no limit. */
export interface LimitChange {
  readonly upBytesPerSecond?: number | null
  readonly downBytesPerSecond?: number | null
}

export interface LimitsStatus {
  /** Null: no limit. */
  readonly upBytesPerSecond: number | null
  readonly downBytesPerSecond: number | null
  readonly maxFeeds: number | null
}

export interface RatesStatus {
  /** Payload of all transfers, smoothed over about a second. */
  readonly inBytesPerSecond: number
  readonly outBytesPerSecond: number
}

/** What runs at the node. */
export interface LimitedNode {
  reception(transfer: string): Pick<Reception, 'limit'> | undefined
  isOrigin(transfer: string): boolean
  readonly log: Logger
}

const sampleMs = 500
const smoothedMs = 1_000

export class LimitedEngine {
  readonly #engine: DataEngine
  readonly #node: LimitedNode
  readonly #maxFeeds: number | undefined
  #rates: RateLimits
  readonly #in = new SmoothedRate(smoothedMs)
  readonly #out = new SmoothedRate(smoothedMs)
  #timer: NodeJS.Timeout | undefined

  constructor(engine: DataEngine, { maxFeeds, ...rates }: NodeLimits, node: LimitedNode) {
    this.#engine = engine
    this.#node = node
    this.#maxFeeds = maxFeeds
    this.#rates = rates
    engine.limit(rates)
  }

  start(): void {
    this.#sample()
    this.#timer = setInterval(() => this.#sample(), sampleMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  get stated(): NodeLimits {
    return withoutNone({ ...this.#rates, maxFeeds: this.#maxFeeds })
  }

  get status(): { limits: LimitsStatus; rates: RatesStatus } {
    return {
      limits: { ...ratesOf(this.#rates), maxFeeds: this.#maxFeeds ?? null },
      rates: { inBytesPerSecond: this.#in.value, outBytesPerSecond: this.#out.value },
    }
  }

  /**
   * Changes what one transfer, or all together (null), may use; returns what applies then. Throws
   * ERR_FR_NO_TRANSFER, and ERR_FR_UNSUPPORTED for a transfer that the node is the origin of.
   */
  change(transfer: string | null, change: LimitChange): RateLimits {
    const rates = transfer === null ? this.#changeAll(change) : this.#changeOne(transfer, change)
    this.#node.log({ level: 'info', event: 'limited', fields: { transfer, ...ratesOf(rates) } })
    return rates
  }

  #changeAll(change: LimitChange): RateLimits {
    this.#rates = changed(this.#rates, change)
    this.#engine.limit(this.#rates)
    return this.#rates
  }

  #changeOne(transfer: string, change: LimitChange): RateLimits {
    const reception = this.#node.reception(transfer)
    if (reception !== undefined) return reception.limit((share) => changed(share, change))
    if (!this.#node.isOrigin(transfer))
      throw new FrError('ERR_FR_NO_TRANSFER', `no transfer ${transfer} is running at this node`)
    const text = 'the node is the origin of this transfer: limit the node'
    throw new FrError('ERR_FR_UNSUPPORTED', text)
  }

  #sample(): void {
    const { sentBytes, receivedBytes } = this.#engine.counters()
    this.#in.add(receivedBytes, nowMs())
    this.#out.add(sentBytes, nowMs())
  }
}

function changed<T extends RateLimits>(rates: T, change: LimitChange): T {
  const { upBytesPerSecond: up, downBytesPerSecond: down } = change
  return {
    ...rates,
    ...(up !== undefined && { upBytesPerSecond: up ?? undefined }),
    ...(down !== undefined && { downBytesPerSecond: down ?? undefined }),
  }
}

/** Null where there is no limit. */
export function ratesOf({ upBytesPerSecond, downBytesPerSecond }: RateLimits): {
  upBytesPerSecond: number | null
  downBytesPerSecond: number | null
} {
  return {
    upBytesPerSecond: upBytesPerSecond ?? null,
    downBytesPerSecond: downBytesPerSecond ?? null,
  }
}

function withoutNone(limits: NodeLimits): NodeLimits {
  const known = Object.entries(limits).filter(([, value]) => value !== undefined)
  return Object.fromEntries(known)
}
