/**
 * Transfers that were begun through a door: how each goes, for whoever asks and for whoever
 * watches. They live in this process and end with it; those that are over are kept for a while.
 */
import { randomBytes } from 'node:crypto'
import type {
  NodeOutcome,
  Plan,
  Progress,
  PublishResult,
  PushResult,
  Transfer,
} from '../../api/index.js'
import { doorLimits } from '../../base/door-limits.js'
import { type Outcome, outcomeOf } from '../../base/outcome.js'
import { nowMs } from '../../base/time/awake.js'
import type { Who } from '../mount.js'
import { HttpError, type Problem, problemOf } from '../problem.js'

export type Kind = 'copy' | 'push' | 'publish'
export type State = Outcome | 'running' | 'cancelled'

export type Watcher = (event: 'plan' | 'progress' | 'node' | 'end', data: unknown) => void

export interface PublishHooks {
  readonly signal: AbortSignal
  /** Called later than `publish` has returned. */
  readonly progress: (progress: Progress) => void
}

export class Running {
  readonly id: string
  readonly kind: Kind
  readonly name: string
  /** What cancels it may do. */
  readonly mayCancel: (who: Who) => void
  readonly startedAt = new Date().toISOString()
  state: State = 'running'
  endedAt: string | null = null
  endedMs = 0
  plan: Plan | null = null
  progress: Progress | null = null
  readonly nodes: NodeOutcome[] = []
  result: PushResult | null = null
  published: PublishResult | null = null
  problem: Problem | null = null
  readonly over: Promise<void>
  readonly #watchers = new Set<Watcher>()
  readonly #abort: (reason: unknown) => void
  readonly #add: Transfer['add'] | null
  #isCancelled = false

  private constructor(
    about: Pick<Running, 'kind' | 'name' | 'mayCancel'> & { readonly id: string },
    work: Promise<PushResult | PublishResult>,
    abort: (reason: unknown) => void,
    add: Transfer['add'] | null,
  ) {
    this.id = about.id
    this.kind = about.kind
    this.name = about.name
    this.mayCancel = about.mayCancel
    this.#abort = abort
    this.#add = add
    this.over = work.then(
      (result) => this.#end(stateOf(result), () => this.#keep(result)),
      (error: unknown) =>
        this.#end(this.#isCancelled ? 'cancelled' : 'failed', () => {
          this.problem = problemOf(error)
        }),
    )
  }

  static ofTransfer(
    about: Pick<Running, 'kind' | 'name' | 'mayCancel'>,
    transfer: Transfer,
  ): Running {
    const abort = (reason: unknown): void => transfer.cancel(reason)
    const running = new Running({ ...about, id: transfer.id }, transfer.result, abort, (to) =>
      transfer.add(to),
    )
    transfer.on('plan', (plan) => {
      running.plan = plan
      running.#tell('plan', plan)
    })
    transfer.on('progress', (progress) => running.#heard(progress))
    transfer.on('node', (outcome) => {
      running.nodes.push(outcome)
      running.#tell('node', outcome)
    })
    return running
  }

  static ofPublication(
    about: Pick<Running, 'name' | 'mayCancel'>,
    publish: (hooks: PublishHooks) => Promise<PublishResult>,
  ): Running {
    const controller = new AbortController()
    const id = randomBytes(16).toString('hex')
    const abort = (reason: unknown): void => controller.abort(reason)
    const { signal } = controller
    const work = publish({ signal, progress: (progress) => running.#heard(progress) })
    const running = new Running({ ...about, id, kind: 'publish' }, work, abort, null)
    return running
  }

  get bytes(): number | null {
    const { result, published, progress, plan } = this
    return result?.bytes ?? published?.bytes ?? progress?.bytes ?? plan?.bytes ?? null
  }

  get share(): number | null {
    if (this.state === 'complete') return 1
    return this.progress?.share ?? null
  }

  /** Resolves when it is over. */
  cancel(): Promise<void> {
    this.#isCancelled = this.state === 'running'
    this.#abort(new HttpError(409, 'ERR_FR_ABORTED', 'it was cancelled'))
    return this.over
  }

  /** Rejects as `Transfer.add`. A copy takes nodes once its node has begun. */
  async add(to: Parameters<Transfer['add']>[0]): Promise<void> {
    if (this.#add === null)
      throw new HttpError(409, 'ERR_FR_UNSUPPORTED', 'a publication goes to whom its criteria say')
    if (this.plan === null && this.state === 'running') await this.#planned()
    await this.#add(to)
  }

  #planned(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.watch((event) => {
        if (event === 'progress' || event === 'node') return
        stop()
        resolve()
      })
    })
  }

  /** Returns what ends it. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  #heard(progress: Progress): void {
    this.progress = progress
    this.#tell('progress', progress)
  }

  #keep(result: PushResult | PublishResult): void {
    if (result.event === 'published') this.published = result
    else this.result = result
  }

  #end(state: State, keep: () => void): void {
    keep()
    this.state = state
    this.endedAt = new Date().toISOString()
    this.endedMs = nowMs()
    this.#tell('end', null)
    this.#watchers.clear()
  }

  #tell(...[event, data]: Parameters<Watcher>): void {
    for (const watcher of this.#watchers) watcher(event, data)
  }
}

function stateOf(result: PushResult | PublishResult): State {
  return result.event === 'published' ? 'complete' : outcomeOf(result.nodes)
}

/** Those of one door. */
export class RunningTransfers {
  /** The oldest first. */
  readonly #all = new Map<string, Running>()
  #isClosed = false

  get all(): Running[] {
    this.#forget()
    return [...this.#all.values()]
  }

  find(id: string): Running | undefined {
    this.#forget()
    return this.#all.get(id)
  }

  /** `start` is called where there is room. Throws HttpError 503 and what it throws. */
  begin(start: () => Running): Running {
    if (this.#isClosed) throw new HttpError(503, 'ERR_FR_CLOSED', 'the door is closed')
    const running = this.all.filter(({ state }) => state === 'running').length
    if (running >= doorLimits.transfers)
      throw new HttpError(503, 'ERR_FR_LIMIT', `${running} transfers run already`, {
        'retry-after': '5',
      })
    const one = start()
    this.#all.set(one.id, one)
    return one
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#all.values()].map((one) => one.cancel()))
  }

  #forget(): void {
    const over = [...this.#all.values()].filter(({ state }) => state !== 'running')
    const since = nowMs() - doorLimits.endedMs
    const tooMany = over.length - doorLimits.ended
    for (const [at, { id, endedMs }] of over.entries())
      if (at < tooMany || endedMs < since) this.#all.delete(id)
  }
}
