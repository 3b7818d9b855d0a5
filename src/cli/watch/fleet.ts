/** Watches nodes and masters: what each of them said last, and what is wrong with it now. */
import { setTimeout as sleep } from 'node:timers/promises'
import { links, nodes, plan } from '../../api/master-client.js'
import type { NodeTold, PlanTold, ResourceTold } from '../../api/master-client-types.js'
import { watchStatus } from '../../api/status.js'
import type { NodeStatus, StatusOptions } from '../../api/types.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { allOf } from '../render/all-of.js'
import { failureText, statusOfFailure } from '../render/failures.js'

/** What a master tells of its nodes, links and copies. */
export interface SeenMaster {
  readonly nodes: readonly NodeTold[]
  readonly links: readonly ResourceTold[]
  readonly copies: readonly PlanTold[]
}

export interface Seen {
  readonly address: string
  /** What it said last, also where it is away by now; null: nothing yet, or it is a master. */
  readonly status: NodeStatus | null
  readonly master: SeenMaster | null
  /** Why it does not answer; null: it does, or has not been asked. */
  readonly fault: { readonly code: string | null; readonly text: string } | null
}

export interface FleetOptions {
  readonly addresses: readonly string[]
  readonly asked: Pick<StatusOptions, 'key' | 'tls'>
  readonly everyMs: number
  /** Called with each answer and each failure. */
  readonly changed: (seen: Seen) => void
}

export class Fleet {
  readonly #options: FleetOptions
  readonly #seen = new Map<string, Seen>()

  constructor(options: FleetOptions) {
    this.#options = options
    for (const address of options.addresses)
      this.#seen.set(address, { address, status: null, master: null, fault: null })
  }

  get all(): readonly Seen[] {
    return [...this.#seen.values()]
  }

  /** Until the signal; rejects with its reason, or for what is wrong with the request itself. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController()
    const until = AbortSignal.any([signal, stop.signal])
    try {
      await Promise.all(this.#options.addresses.map((address) => this.#watch(address, until)))
    } finally {
      stop.abort()
    }
  }

  async #watch(address: string, signal: AbortSignal): Promise<void> {
    let waitMs: number = limits.watchAgainMs
    for (;;) {
      try {
        for await (const said of this.#listen(address, signal)) {
          waitMs = limits.watchAgainMs
          this.#set({ address, ...said, fault: null })
        }
      } catch (error) {
        signal.throwIfAborted()
        if (statusOfFailure(error) !== 1) throw error
        const code = error instanceof FrError ? error.code : null
        const { status = null, master = null } = this.#seen.get(address) ?? {}
        this.#set({ address, status, master, fault: { code, text: failureText(error) } })
      }
      await rest(waitMs, signal)
      waitMs = Math.min(2 * waitMs, limits.watchAgainMsMax)
    }
  }

  /** A master refuses what only a node can say. */
  async *#listen(
    address: string,
    signal: AbortSignal,
  ): AsyncGenerator<Pick<Seen, 'status' | 'master'>> {
    const { asked, everyMs } = this.#options
    try {
      const statuses = watchStatus(address, { ...asked, signal, everyMs })
      for await (const status of statuses) yield { status, master: null }
    } catch (error) {
      if (!(error instanceof FrError && error.code === 'ERR_FR_UNSUPPORTED')) throw error
    }
    for (;;) {
      const within = { ...asked, signal }
      const [told, carried, copies] = await Promise.all([
        allOf(nodes(address, within)),
        allOf(links(address, within)),
        allOf(plan(address, within)),
      ])
      yield { status: null, master: { nodes: told, links: carried, copies } }
      await rest(everyMs, signal)
    }
  }

  #set(seen: Seen): void {
    this.#seen.set(seen.address, seen)
    this.#options.changed(seen)
  }
}

/** Rejects with the reason of the signal. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
  signal.throwIfAborted()
}
