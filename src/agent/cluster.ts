/**
 * What a process does for a node that is several processes over one directory (shared-dir.ts): it
 * says that it is there, and, where it is a controller, hands over who wants to send something.
 *
 * The idea: one controller acts, which is the one that has a lease in the directory. It takes
 * nothing itself: whoever dials it for a transfer is told which distributing process to dial, and
 * the others name the one that acts. What it knows is in files, so that any of them can go on.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import type { Admitted } from '../net/handshake.js'
import type { Lease, Leases } from '../store/shared/leases.js'
import {
  Registration,
  Servers,
  type ServersSpec,
  type ServerWord,
} from '../store/shared/servers.js'

export interface ClusterSpec {
  /** What this process says of itself. */
  readonly role: ServerWord['role']
  readonly id: string
  readonly servers: ServersSpec
  readonly leases: Leases
  readonly log: Logger
}

/** What of the node is told to others. */
export interface ClusterMember {
  /** HOST:PORT at which it is reached. */
  readonly address: () => string
  readonly transfers: () => number
}

/** Key of the lease. */
const controller = 'controller'

export class Cluster {
  readonly #spec: ClusterSpec
  readonly #servers: Servers
  #registration: Registration | undefined
  #lease: Lease | undefined
  #leading: Promise<void> | undefined
  readonly #over = new AbortController()
  /** Where this process is reached. */
  #own = (): string => ''

  constructor(spec: ClusterSpec) {
    this.#spec = spec
    this.#servers = new Servers(spec.servers)
  }

  /** Whoever wants to send something is handed over to another process. */
  get handsOver(): boolean {
    return this.#spec.role === 'control'
  }

  /** It has the lease, as far as it knows. */
  get acts(): boolean {
    return this.#lease?.isLost === false
  }

  /** Once the node listens; resolves when the others can know of it. */
  async start({ address, transfers }: ClusterMember): Promise<void> {
    const { role, servers, id } = this.#spec
    this.#own = address
    const word = () => ({ role, address: address(), transfers: transfers(), acts: this.acts })
    this.#registration = new Registration(servers, id, word)
    await this.#registration.say()
    if (!this.handsOver) return
    await this.#servers.look().catch(() => [])
    this.#leading = this.#lead().catch((error: unknown) => this.#failed(error))
  }

  async #lead(): Promise<void> {
    const { signal } = this.#over
    const isOver = async (): Promise<boolean> => signal.aborted
    for (;;) {
      const lease = await this.#spec.leases.take(controller, isOver).catch((error: unknown) => {
        this.#failed(error)
        return undefined
      })
      this.#lease = lease
      if (lease !== undefined) this.#log('acting')
      await this.#registration?.say()
      while (!signal.aborted && lease?.isLost === false)
        await sleep(limits.sharedLookMs, undefined, { signal }).catch(() => {})
      if (lease !== undefined && !signal.aborted) this.#log('standing-by')
      await lease?.release()
      if (signal.aborted) return
      await sleep(limits.sharedRenewMs, undefined, { signal }).catch(() => {})
    }
  }

  /** The dialler is told whom to dial; never rejects. */
  async handOver(admitted: Admitted): Promise<void> {
    try {
      const address = await this.#place()
      this.#spec.log({ level: 'debug', event: 'handed-over', fields: { to: address } })
      admitted.refuse('ERR_FR_MOVED', `${address} takes it`, address)
    } catch (error) {
      const { code, message } = asFrError(error, 'ERR_FR_MOVED')
      admitted.refuse(code, message)
    }
  }

  /** Addresses of the processes that distribute. Rejects with what the system said. */
  async distributing(): Promise<string[]> {
    const those = (await this.#servers.look()).filter(({ role }) => role === 'distribute')
    return those.map(({ address }) => address)
  }

  async #place(): Promise<string> {
    if (await this.#lease?.isHeld()) {
      const next = await this.#servers.next()
      if (next !== null) return next
      throw new FrError('ERR_FR_MOVED', 'no process that distributes is there')
    }
    const others = (await this.#servers.look()).filter(({ address }) => address !== this.#own())
    const acting = others.find(({ role, acts }) => role === 'control' && acts)
    if (acting !== undefined) return acting.address
    throw new FrError('ERR_FR_MOVED', 'no controller acts at the moment')
  }

  #log(event: 'acting' | 'standing-by'): void {
    this.#spec.log({ level: 'info', event: `controller-${event}`, fields: {} })
  }

  #failed(error: unknown): void {
    const { code, message: text } = asFrError(error, 'ERR_FR_IO')
    this.#spec.log({ level: 'warn', event: 'controller-failed', fields: { code, text } })
  }

  /** Before the node stops listening, so that nobody is sent to it any more. */
  async close(): Promise<void> {
    this.#over.abort()
    await this.#leading
    await this.#registration?.close()
  }
}
