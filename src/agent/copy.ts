/**
 * One copy: a push whose origin is this node, on behalf of a client that may leave. Whoever follows
 * it is told what it has come to so far, and then every event as it comes.
 */

import { asFrError } from '../base/failures.js'
import { KIB, limits } from '../base/limits.js'
import { outcomeOf } from '../base/outcome.js'
import type { CopyWish } from '../control/messages/copying.js'
import type { NodeOutcome } from '../control/messages/types.js'
import type { NodeLink } from '../control/plan/plan.js'
import type { Plan, Progress, PushResult } from '../control/view/push-view.js'
import type { PushAudience } from '../session/coordinator/attempt.js'
import type { TransferStatus } from '../session/receiver/transfer-status.js'
import type { Ending } from './ended.js'

type Report = Plan | Progress | ({ readonly event: 'node' } & NodeOutcome)

export class Copy {
  readonly wish: CopyWish
  /** When it was over. */
  overMs: number | undefined
  readonly result: Promise<PushResult>
  readonly #abort = new AbortController()
  readonly #followers = new Set<(json: string) => void>()
  readonly #outcomes: string[] = []
  #plan: Plan | undefined
  #progress: Progress | undefined
  #rateBytesPerSecond = 0
  #add: ((link: NodeLink) => Promise<void>) | undefined
  #settle!: { resolve: (result: PushResult) => void; reject: (error: unknown) => void }

  constructor(wish: CopyWish) {
    this.wish = wish
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Nobody has to follow.
    this.result.catch(() => undefined)
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  abort(reason: unknown): void {
    this.#abort.abort(reason)
  }

  /** Settles with what `run` comes to. */
  async carryOut(run: Promise<PushResult>): Promise<void> {
    await run.then(this.#settle.resolve, this.#settle.reject)
  }

  /** Tells what there is to tell, then what comes. The result ends it. */
  follow(tell: (json: string) => void): () => void {
    if (this.#plan !== undefined) tell(JSON.stringify(this.#plan))
    for (const outcome of this.#outcomes) tell(outcome)
    if (this.#progress !== undefined) tell(JSON.stringify(this.#progress))
    this.#followers.add(tell)
    return () => this.#followers.delete(tell)
  }

  get audience(): PushAudience {
    return {
      plan: (plan) => {
        this.#plan = plan
        this.#tell(plan)
      },
      progress: (progress) => {
        this.#note(progress)
        this.#tell(progress)
      },
      node: (outcome) => {
        const json = this.#tell({ event: 'node', ...outcome })
        // A node that is tried again later, or added again, has another one.
        if (this.#outcomes.length < limits.nodesPerCopy * (1 + limits.retries))
          this.#outcomes.push(json)
      },
      running: (add) => {
        this.#add = add
      },
    }
  }

  /** Has a node added; undefined: it has not begun. */
  add(link: NodeLink): Promise<void> | undefined {
    return this.#add?.(link)
  }

  #note(progress: Progress): void {
    const before = this.#progress
    this.#progress = progress
    if (before === undefined || progress.seconds <= before.seconds) return
    const bytes = progress.originBytesSent - before.originBytesSent
    this.#rateBytesPerSecond = Math.max(0, bytes) / (progress.seconds - before.seconds)
  }

  #tell(report: Report): string {
    const json = JSON.stringify(report)
    for (const tell of this.#followers) tell(json)
    return json
  }

  /** What became of it; call once it is over. */
  async ending(): Promise<Ending> {
    const { transfer, name, bytes, coordinator, term, source } = this.view()
    const about = { transfer, name, bytes, coordinator, term, source, role: 'origin' } as const
    try {
      const { nodes } = await this.result
      const { code = null, reason = null } = nodes.find((node) => node.code !== null) ?? {}
      return { ...about, outcome: outcomeOf(nodes), code, reason }
    } catch (error) {
      const { code, message } = asFrError(error, 'ERR_FR_INTERNAL')
      return { ...about, outcome: 'failed', code, reason: `${code}: ${message}` }
    }
  }

  view(): TransferStatus {
    const { transfer, as } = this.wish
    const progress = this.#progress
    const bytes = progress?.bytes ?? this.#plan?.bytes ?? 0
    const nodes = progress?.nodes ?? []
    const living = nodes.filter(({ state }) => state !== 'failed' && state !== 'refused')
    const mean = (of: 'landedBytes' | 'verifiedBytes'): number =>
      living.reduce((sum, node) => sum + node[of], 0) / Math.max(1, living.length)
    return {
      transfer,
      name: as.name,
      role: 'origin',
      bytes,
      landedBytes: Math.floor(mean('landedBytes')),
      holeBytes: 0,
      verifiedBytes: Math.floor(mean('verifiedBytes')),
      receivedBytes: 0,
      duplicateBytes: 0,
      sentBytes: progress?.originBytesSent ?? 0,
      pulledBytes: 0,
      servedBytes: 0,
      rateInBytesPerSecond: 0,
      rateOutBytesPerSecond: this.#rateBytesPerSecond,
      etaSeconds: null,
      relays: [],
      faults: progress?.faults ?? [],
      waitsFor: this.#plan === undefined ? 'its nodes' : null,
      coordinator: null,
      term: 1,
      source: null,
    }
  }
}

/** JSON that fits a frame: without warnings and names of failures of nodes where it is too long. */
export function resultJson(result: PushResult): string {
  const json = JSON.stringify(result)
  // The frame holds the text as a JSON string, with escaped quotes.
  if (Buffer.byteLength(JSON.stringify(json)) <= limits.frameBytes - KIB) return json
  const nodes = result.nodes.map(({ tree, ...outcome }) => {
    return { ...outcome, warnings: [], ...(tree && { tree: { ...tree, failures: [] } }) }
  })
  return JSON.stringify({ ...result, nodes })
}
