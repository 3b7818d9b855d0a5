/**
 * What is held against components: nodes, links from one node to another, disks, sites.
 *
 * The idea: one fault is chance, several within a short time are the component's own. Each counts
 * and is forgotten by half in some seconds. Over a threshold the component is declared failed, and
 * whoever asks leaves it out; where others of its kind fare no better it is not. After a while it
 * is tried again, and after twice as long each time that it fails again. Nothing is held against
 * more components than the bound: the one with least against it is forgotten first.
 */
import { limits } from '../../base/limits.js'

export interface Charge<C> {
  /** What went wrong: a word of few. */
  readonly cause: string
  /** In faults; 1 unless given. */
  readonly weight?: number
  /** Components that would have the same faults if it were not its own; none unless given. */
  readonly others?: readonly C[]
  /** Its part in what it and they do, 0 to 1; the same as of each unless given. */
  readonly part?: number
}

/** What is told of one component. */
export interface FaultRecord {
  /** Everything that was held against it, by cause. */
  readonly causes: readonly { readonly cause: string; readonly count: number }[]
  /** How often it was declared failed. */
  readonly failures: number
  /** It is left out now. */
  readonly isFailed: boolean
  /** Milliseconds until it is tried again; null: it is not left out. */
  readonly retryMs: number | null
}

/** What people are told of a component. */
export interface ComponentFault extends Omit<FaultRecord, 'retryMs'> {
  readonly kind: 'node' | 'link' | 'disk' | 'site'
  /** HOST:PORT of the node; of a link, of its sender; the name of a site. */
  readonly name: string
  /** Where a link leads; null: it is no link. */
  readonly to: string | null
  /** Seconds until it is tried again; null: it is not left out. */
  readonly retrySeconds: number | null
}

/** What another run has to know of a component. */
export interface KeptRecord {
  /** Thousandths of faults that are not forgotten. */
  readonly thousandths: number
  readonly causes: readonly { readonly cause: string; readonly count: number }[]
  /** How often it was declared failed. */
  readonly times: number
  /** Until it is tried again; null: it is not left out. */
  readonly retryMs: number | null
}

interface Account {
  /** Faults that are not forgotten, at `atMs`. */
  faults: number
  atMs: number
  readonly causes: Map<string, number>
  /** How often it was declared failed. */
  times: number
  /** Until when it is left out; null: it is not. */
  untilMs: number | null
}

/** For how long what has failed is left out: at first, and at most. */
export interface FailedSpan {
  readonly firstMs: number
  readonly mostMs: number
  /** Faults that make a component fail; 2.5 unless given. */
  readonly faults?: number
  /** In what time half of them are forgotten; 20,000 unless given. */
  readonly halfLifeMs?: number
}

const usual: FailedSpan = { firstMs: limits.failedMs, mostMs: limits.failedMsMax }
const halfLifeMs = 20_000
/** Three faults at once, or one every few seconds for a while. */
const threshold = 2.5
/** A fault of this weight is enough. */
export const fatal = threshold
/** How many times the faults of others, by what each does, make them a component's own. */
const timesOthers = 4
const causesMax = 8

export class FaultAccounts<C> {
  readonly #accounts = new Map<C, Account>()
  readonly #span: Required<FailedSpan>

  constructor(span: FailedSpan = usual) {
    this.#span = { faults: threshold, halfLifeMs, ...span }
  }

  /** Nothing is held against anything. */
  get isEmpty(): boolean {
    return this.#accounts.size === 0
  }

  /** Faults that are not forgotten. */
  faults(component: C, nowMs: number): number {
    const account = this.#accounts.get(component)
    return account === undefined ? 0 : this.#left(account, nowMs)
  }

  /** Something went wrong at the component; true: it is declared failed by that. */
  charge(component: C, nowMs: number, { cause, weight = 1, ...beside }: Charge<C>): boolean {
    const account = this.#of(component, nowMs)
    account.faults = this.#left(account, nowMs) + weight
    account.atMs = nowMs
    if (account.causes.has(cause) || account.causes.size < causesMax)
      account.causes.set(cause, (account.causes.get(cause) ?? 0) + 1)
    if (account.untilMs !== null || account.faults < this.#span.faults) return false
    if (beside.others !== undefined && !this.#isWorst(account, beside, nowMs)) return false
    const forMs = Math.min(this.#span.mostMs, this.#span.firstMs * 2 ** account.times)
    Object.assign(account, { times: account.times + 1, untilMs: nowMs + forMs })
    return true
  }

  isFailed(component: C): boolean {
    return this.untilMs(component) !== null
  }

  /** When it is tried again; null: it is not left out. */
  untilMs(component: C): number | null {
    return this.#accounts.get(component)?.untilMs ?? null
  }

  /** What was held against it was another's. */
  forgive(component: C): void {
    const account = this.#accounts.get(component)
    if (account !== undefined) account.faults = 0
  }

  /** It is left out no more, although its time is not over. */
  works(component: C): void {
    const account = this.#accounts.get(component)
    if (account !== undefined) Object.assign(account, { faults: 0, untilMs: null })
  }

  /** When the first of those that are left out is tried again; infinite: none is. */
  get retryAtMs(): number {
    let first = Number.POSITIVE_INFINITY
    for (const { untilMs } of this.#accounts.values())
      if (untilMs !== null) first = Math.min(first, untilMs)
    return first
  }

  /** Those that are tried again from now on, with nothing held against them but their past. */
  retried(nowMs: number): C[] {
    const retried: C[] = []
    for (const [component, account] of this.#accounts) {
      if (account.untilMs === null || nowMs < account.untilMs) continue
      Object.assign(account, { faults: 0, untilMs: null })
      retried.push(component)
    }
    return retried
  }

  /** What is held against each, to be restored in another run. */
  kept(nowMs: number): [C, KeptRecord][] {
    return [...this.#accounts].map(([component, account]) => [
      component,
      {
        thousandths: Math.round(1_000 * this.#left(account, nowMs)),
        causes: [...account.causes].map(([cause, count]) => ({ cause, count })),
        times: account.times,
        retryMs: account.untilMs === null ? null : Math.max(0, account.untilMs - nowMs),
      },
    ])
  }

  restore(component: C, { thousandths, causes, times, retryMs }: KeptRecord, nowMs: number): void {
    Object.assign(this.#of(component, nowMs), {
      ...{ faults: thousandths / 1_000, atMs: nowMs, times },
      causes: new Map(causes.slice(0, causesMax).map(({ cause, count }) => [cause, count])),
      untilMs: retryMs === null ? null : nowMs + retryMs,
    })
  }

  /** Those with most against them first. */
  records(nowMs: number): [C, FaultRecord][] {
    const all = [...this.#accounts].sort(
      ([, a], [, b]) => this.#weightOf(b, nowMs) - this.#weightOf(a, nowMs),
    )
    return all.map(([component, { causes, times, untilMs }]) => [
      component,
      {
        causes: [...causes].map(([cause, count]) => ({ cause, count })),
        failures: times,
        isFailed: untilMs !== null,
        retryMs: untilMs === null ? null : Math.max(0, untilMs - nowMs),
      },
    ])
  }

  #isWorst({ faults }: Account, { others = [], part }: Partial<Charge<C>>, nowMs: number): boolean {
    const own = part ?? 1 / (others.length + 1)
    let theirs = 0
    for (const other of others) {
      const account = this.#accounts.get(other)
      if (account !== undefined) theirs += this.#left(account, nowMs)
    }
    return own < 1 && faults * (1 - own) > timesOthers * theirs * own
  }

  #of(component: C, nowMs: number): Account {
    const known = this.#accounts.get(component)
    if (known !== undefined) return known
    if (this.#accounts.size >= limits.faultAccounts) this.#forgetOne(nowMs)
    const account = { faults: 0, atMs: nowMs, causes: new Map(), times: 0, untilMs: null }
    this.#accounts.set(component, account)
    return account
  }

  #left({ faults, atMs }: Account, nowMs: number): number {
    return faults * 0.5 ** ((nowMs - atMs) / this.#span.halfLifeMs)
  }

  /** What has failed counts above all that has not. */
  #weightOf(account: Account, nowMs: number): number {
    return this.#left(account, nowMs) + (account.untilMs === null ? 0 : 1_000)
  }

  #forgetOne(nowMs: number): void {
    const [[component] = []] = this.records(nowMs).slice(-1)
    if (component !== undefined) this.#accounts.delete(component)
  }
}

export function faultView(
  [kind, name, to]: readonly [ComponentFault['kind'], string, string?],
  { retryMs, ...record }: FaultRecord,
): ComponentFault {
  return {
    kind,
    name,
    to: to ?? null,
    ...record,
    retrySeconds: retryMs === null ? null : retryMs / 1_000,
  }
}

/** What several transfers hold against the same components. */
export function mergedFaults(all: readonly ComponentFault[]): ComponentFault[] {
  const merged = new Map<string, ComponentFault>()
  for (const one of all) {
    const key = JSON.stringify([one.kind, one.name, one.to])
    const known = merged.get(key)
    merged.set(key, known === undefined ? one : sumOf(known, one))
  }
  const worst = [...merged.values()].sort((a, b) => b.failures - a.failures)
  return worst.slice(0, limits.faultsTold)
}

function sumOf(a: ComponentFault, b: ComponentFault): ComponentFault {
  const causes = new Map(a.causes.map(({ cause, count }) => [cause, count]))
  for (const { cause, count } of b.causes)
    if (causes.has(cause) || causes.size < causesMax)
      causes.set(cause, (causes.get(cause) ?? 0) + count)
  const isFailed = a.isFailed || b.isFailed
  return {
    ...a,
    causes: [...causes].map(([cause, count]) => ({ cause, count })),
    failures: a.failures + b.failures,
    isFailed,
    retrySeconds: isFailed ? Math.max(a.retrySeconds ?? 0, b.retrySeconds ?? 0) : null,
  }
}
