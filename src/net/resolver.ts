/**
 * Look-ups of host names, shared by all who dial the same hosts: each host is looked up once.
 *
 * The time of a look-up is not the peer's time, so it has a limit and an error text of its own, and
 * the peer's clock starts when the address is known. A resolver that skips a dead name server is
 * slow but keeps answering, and look-ups wait for each other; so open look-ups fail only when none
 * has finished for limits.lookupMs.
 *
 * A look-up that is abandoned, or that nobody waits for, is cancelled and keeps no process alive;
 * see lookup.ts.
 */
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { Patience } from '../base/time/patience.js'
import { isIp } from './address.js'
import { systemDetails } from './hello-stream.js'
import { type HostLookup, systemLookup } from './lookup.js'

export interface ResolverOptions {
  /** The system's look-up by default. */
  readonly lookup?: HostLookup
  /** Default limits.lookupMs. */
  readonly lookupMs?: number
}

interface Caller {
  readonly resolve: (addresses: readonly string[]) => void
  readonly reject: (error: FrError) => void
}

export class Resolver {
  readonly #lookup: HostLookup
  readonly #lookupMs: number
  readonly #known = new Map<string, readonly string[]>()
  /** Callers that wait for each host. */
  readonly #waiting = new Map<string, Set<Caller>>()
  readonly #queued = new Set<string>()
  /** Functions that cancel the running look-up of each host. */
  readonly #running = new Map<string, () => void>()
  #patience: Patience | undefined

  constructor(options: ResolverOptions = {}) {
    this.#lookup = options.lookup ?? systemLookup
    this.#lookupMs = options.lookupMs ?? limits.lookupMs
  }

  /** True when the host needs no look-up, or has had it. */
  knows(host: string): boolean {
    return isIp(host) || this.#known.has(host)
  }

  /**
   * IP addresses of a host in the order to try them, at least one and at most
   * limits.addressesPerHost. Rejects with ERR_FR_UNREACHABLE or ERR_FR_ABORTED.
   */
  resolve(host: string, signal?: AbortSignal): Promise<readonly string[]> {
    if (isIp(host)) return Promise.resolve([host])
    const known = this.#known.get(host)
    if (known !== undefined) return Promise.resolve(known)
    if (signal?.aborted) return Promise.reject(cancelled(signal))
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#leave(host, caller)
        reject(cancelled(signal))
      }
      const settle = (): void => signal?.removeEventListener('abort', onAbort)
      const caller: Caller = {
        resolve: (addresses) => {
          settle()
          resolve(addresses)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#wait(host, caller)
    })
  }

  /** Call when this address of the host was reached: it is tried first from then on. */
  prefer(host: string, address: string): void {
    const known = this.#known.get(host)
    if (known === undefined || known[0] === address || !known.includes(address)) return
    this.#known.set(host, [address, ...known.filter((other) => other !== address)])
  }

  #wait(host: string, caller: Caller): void {
    const callers = this.#waiting.get(host) ?? new Set()
    this.#waiting.set(host, callers.add(caller))
    this.#patience ??= this.#newPatience()
    if (!this.#running.has(host)) this.#queued.add(host)
    this.#next()
  }

  #leave(host: string, caller: Caller): void {
    const callers = this.#waiting.get(host)
    callers?.delete(caller)
    if (callers?.size !== 0) return
    this.#waiting.delete(host)
    this.#cancel(host)
    this.#rest()
    this.#next()
  }

  #next(): void {
    for (const host of this.#queued) {
      if (this.#running.size >= limits.lookupsAtOnce) return
      this.#queued.delete(host)
      const cancel = this.#lookup(host, (error, addresses) => {
        if (this.#running.get(host) === cancel) this.#ended(host, error, addresses)
      })
      this.#running.set(host, cancel)
    }
  }

  #ended(host: string, error: NodeJS.ErrnoException | null, found: readonly string[]): void {
    this.#running.delete(host)
    const addresses = inTurns(found)
    if (addresses.length > 0) this.#known.set(host, addresses)
    const callers = this.#take(host)
    this.#patience?.end()
    this.#patience = this.#waiting.size === 0 ? undefined : this.#newPatience()
    for (const caller of callers) {
      if (addresses.length > 0) caller.resolve(addresses)
      else caller.reject(failedError(host, error))
    }
    this.#next()
  }

  /** No look-up has finished for too long: all that wait fail. */
  #giveUp(): void {
    this.#patience = undefined
    for (const host of [...this.#waiting.keys()]) {
      this.#cancel(host)
      for (const caller of this.#take(host)) caller.reject(this.#timeoutError(host))
    }
  }

  #cancel(host: string): void {
    this.#queued.delete(host)
    const cancel = this.#running.get(host)
    this.#running.delete(host)
    cancel?.()
  }

  #take(host: string): Iterable<Caller> {
    const callers = this.#waiting.get(host) ?? []
    this.#waiting.delete(host)
    return callers
  }

  #newPatience(): Patience {
    return new Patience(this.#lookupMs, () => this.#giveUp())
  }

  /** Nobody waits, so no timer may keep the process alive. */
  #rest(): void {
    if (this.#waiting.size > 0) return
    this.#patience?.end()
    this.#patience = undefined
  }

  #timeoutError(host: string): FrError {
    const text =
      `the look-up of the name ${host} got no answer within ${this.#lookupMs} ms: ` +
      'the resolver of this machine is at fault, the node was not contacted'
    return new FrError('ERR_FR_UNREACHABLE', text)
  }
}

function cancelled(signal: AbortSignal | undefined): FrError {
  return new FrError('ERR_FR_ABORTED', 'dialling was cancelled', { cause: signal?.reason })
}

function failedError(host: string, error: NodeJS.ErrnoException | null): FrError {
  const why = error === null ? 'no address' : (error.code ?? error.message)
  const text = `the name ${host} cannot be looked up (${why})`
  return new FrError('ERR_FR_UNREACHABLE', text, error === null ? {} : systemDetails(error))
}

/** Alternates between the families, each in the resolver's order, from its first choice on. */
function inTurns(found: readonly string[]): readonly string[] {
  const isFirst = (address: string): boolean => address.includes(':') === found[0]?.includes(':')
  const first = found.filter(isFirst)
  const others = found.filter((address) => !isFirst(address))
  const turns = Array.from({ length: Math.max(first.length, others.length) }, (_, i) => i)
  const all = turns.flatMap((i) => [first[i], others[i]]).filter((one) => one !== undefined)
  return [...new Set(all)].slice(0, limits.addressesPerHost)
}
