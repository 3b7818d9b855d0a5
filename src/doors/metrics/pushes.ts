/**
 * Pushes of this process, as they tell of themselves on the diagnostics channel
 * `fastreplica:transfer`: how they ended, how well they used the links, and how far the nodes of
 * those that are followed are behind.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { NodeOutcome, Progress, PushResult } from '../../api/types.js'
import { type Outcome, outcomeOf } from '../../base/outcome.js'
import { onTold, type Told } from './told.js'

/** Pushes whose lag is remembered; of more the oldest is forgotten. */
const followedMax = 256

export class PushMeter {
  readonly close: () => void
  readonly #efficiency: Histogram
  readonly #spread: Histogram
  readonly #outcomes: Counter<'outcome'>
  /** Of each push that is followed the largest of its nodes, in seconds. */
  readonly #lags = new Map<string, number>()

  constructor(registry: Registry) {
    const registers = [registry]
    this.#efficiency = new Histogram({
      name: 'fastreplica_push_efficiency',
      help: 'Of pushes of this process: the time that nothing beats by the time they took.',
      buckets: [0.25, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1],
      registers,
    })
    this.#spread = new Histogram({
      name: 'fastreplica_push_max_over_median',
      help: 'Of pushes of this process: when the last node was complete by when half of them were.',
      buckets: [1.02, 1.05, 1.1, 1.25, 1.5, 2, 4, 10],
      registers,
    })
    this.#outcomes = new Counter({
      name: 'fastreplica_pushes_total',
      help: 'Pushes of this process, by how many of their nodes were complete.',
      labelNames: ['outcome'],
      registers,
    })
    for (const outcome of ['complete', 'partial', 'failed'] satisfies Outcome[])
      this.#outcomes.inc({ outcome }, 0)
    const lags = this.#lags
    new Gauge({
      name: 'fastreplica_push_lag_seconds',
      help: 'Of pushes that are followed: how far the last node is behind (99 of 100 bytes).',
      registers,
      collect() {
        this.set(Math.max(0, ...lags.values()))
      },
    })
    this.close = onTold((told) => this.#heard(told))
  }

  #heard({ transfer, event, value }: Told): void {
    if (event === 'progress') return this.#progressed(transfer, value as Progress)
    if (event !== 'result' && event !== 'error') return
    this.#lags.delete(transfer)
    if (event === 'error') this.#outcomes.inc({ outcome: 'failed' })
    else this.#ended(value as PushResult)
  }

  #progressed(transfer: string, { nodes }: Progress): void {
    const lags = nodes.flatMap(({ lag }) => (lag === undefined ? [] : [lag.p99Ms / 1_000]))
    if (lags.length === 0) return
    this.#lags.set(transfer, Math.max(...lags))
    const [oldest] = this.#lags.keys()
    if (this.#lags.size > followedMax && oldest !== undefined) this.#lags.delete(oldest)
  }

  #ended({ nodes, efficiency, medianSeconds }: PushResult): void {
    const complete = nodes.filter(({ status }) => status === 'complete')
    this.#outcomes.inc({ outcome: outcomeOf(nodes) })
    if (efficiency !== null) this.#efficiency.observe(efficiency)
    if (medianSeconds !== null && medianSeconds > 0)
      this.#spread.observe(lastOf(complete) / medianSeconds)
  }
}

function lastOf(nodes: readonly NodeOutcome[]): number {
  return Math.max(...nodes.map(({ seconds }) => seconds))
}
