/** What the page knows of a node and of its transfers, kept true by streams of events. */
import { type Api, type Connection, pause, type Refused, textOf } from './api.js'
import { type Flows, flowsHere, flowsOf } from './flows.js'
import { History } from './history.js'
import { Store } from './store.js'
import type {
  NodeOutcome,
  NodeStatus,
  NodeTransfer,
  Plan,
  Progress,
  TransferSummary,
  TransferTold,
} from './told.js'

const listEveryMs = 1_500
const smoothing = 0.5

export class TransferModel extends Store {
  readonly id: string
  summary: TransferSummary | null = null
  plan: Plan | null = null
  progress: Progress | null = null
  readonly outcomes = new Map<string, NodeOutcome>()
  /** As the node itself has it, where it was begun elsewhere. */
  here: NodeTransfer | null = null
  result: TransferTold['result'] = null
  /** How it ended at this node, where it was begun elsewhere. */
  ended: TransferTold['ended'] = null
  originBytesPerSecond = 0
  /** What lands at all nodes together, and what leaves the origin. */
  readonly history = new History(2)
  #last: { readonly seconds: number; readonly sent: number } | null = null

  constructor(id: string) {
    super()
    this.id = id
  }

  async watch(api: Api, signal: AbortSignal): Promise<void> {
    const event = (name: string, data: unknown): void => this.#heard(name, data)
    await api.watch(`/transfers/${this.id}/events`, { event }, signal)
    if (signal.aborted) return
    const whole = await api.get<TransferTold>(`/transfers/${this.id}`, signal).catch(() => null)
    this.result = whole?.result ?? null
    this.ended = whole?.ended ?? null
    this.changed()
  }

  flows(self: string): Flows {
    if (this.plan === null && this.progress === null && this.here !== null)
      return flowsHere(this.here, self)
    return flowsOf(this)
  }

  get isOver(): boolean {
    return this.summary !== null && this.summary.state !== 'running'
  }

  #heard(name: string, data: unknown): void {
    if (name === 'transfer' || (name === 'end' && data !== null))
      this.summary = data as TransferSummary
    else if (name === 'plan') this.plan = data as Plan
    else if (name === 'node') {
      const outcome = data as NodeOutcome
      this.outcomes.set(outcome.node, outcome)
    } else if (name === 'progress') this.#progressed(data as Progress)
    else if (name === 'status') this.here = data as NodeTransfer
    if (name === 'end') this.originBytesPerSecond = 0
    this.changed()
  }

  #progressed(progress: Progress): void {
    const { seconds, originBytesSent: sent } = progress
    const last = this.#last
    if (last !== null && seconds > last.seconds) {
      const rate = Math.max(0, (sent - last.sent) / (seconds - last.seconds))
      this.originBytesPerSecond += smoothing * (rate - this.originBytesPerSecond)
    }
    this.#last = { seconds, sent }
    this.progress = progress
    const landing = progress.nodes.reduce(
      (sum, { rateBytesPerSecond }) => sum + rateBytesPerSecond,
      0,
    )
    this.history.add(Date.now() / 1000, [landing, this.originBytesPerSecond])
  }
}

export class NodeModel extends Store {
  readonly api: Api
  connection: Connection = 'connecting'
  status: NodeStatus | null = null
  /** Why nothing is told; null: it is. */
  fault: string | null = null
  /** The newest first. */
  transfers: readonly TransferSummary[] = []
  /** What comes in, what goes out. */
  readonly history = new History(2)

  constructor(api: Api) {
    super()
    this.api = api
  }

  /** Until the signal. */
  run(signal: AbortSignal): void {
    const event = (name: string, data: unknown): void => {
      if (name !== 'status') return
      this.status = data as NodeStatus
      const { inBytesPerSecond, outBytesPerSecond } = this.status.rates
      this.history.add(Date.now() / 1000, [inBytesPerSecond, outBytesPerSecond])
      this.changed()
    }
    const connection = (state: Connection): void => {
      this.connection = state
      this.changed()
    }
    const refused = (error: Refused): void => {
      this.fault = textOf(error)
      connection('lost')
    }
    void this.api.watch('/node/events?every=500', { event, connection, refused }, signal)
    void this.#list(signal)
  }

  async refresh(signal?: AbortSignal): Promise<void> {
    const { items } = await this.api.get<{ items: TransferSummary[] }>('/transfers', signal)
    this.transfers = items.sort(newestFirst)
    this.changed()
  }

  async #list(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.api.wanted === null && !document.hidden) await this.refresh(signal).catch(() => {})
      await pause(listEveryMs, signal)
    }
  }
}

function newestFirst(a: TransferSummary, b: TransferSummary): number {
  const running = Number(b.state === 'running') - Number(a.state === 'running')
  return running || (b.startedAt ?? '').localeCompare(a.startedAt ?? '') || a.id.localeCompare(b.id)
}
