/**
 * Keeps what a master has to know over its restarts, and gives it back to the next run.
 *
 * The idea: after each fact that changes some of it, an entry waits to be written, and all that
 * wait are written together. A disk that takes nothing stops nobody: the master goes on in memory,
 * people are told, and every half a minute all of it is tried to be written anew.
 */
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import type { Component } from '../../control/copies/components.js'
import type { Master, MasterFact } from '../../control/copies/master.js'
import { componentName } from '../../control/copies/rows.js'
import { type Kept, type KeptEntry, type KeptFault, keptOf } from '../../control/messages/kept.js'
import type { StateStore } from '../../store/master/state-store.js'

/** A master that runs. */
export interface KeptMaster {
  readonly master: Master
  /** The master's time. */
  readonly nowMs: number
  post(fact: MasterFact): void
  onFact(listener: (fact: MasterFact) => void): () => void
}

export class Keeping {
  readonly #store: StateStore
  readonly #log: Logger
  readonly #drained = new Set<string>()
  /** Of components that have not joined in this run. */
  readonly #faults = new Map<string, KeptFault>()
  /** Contents that grew when they were written last. */
  readonly #growing = new Set<number>()
  #service: KeptMaster | undefined
  #waiting: KeptEntry[] = []
  /** Contents that were written. */
  #heard = 0
  #areFaultsOld = false
  #isKept = true
  #turn: NodeJS.Immediate | undefined
  #writing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(store: StateStore, log: Logger) {
    this.#store = store
    this.#log = log
  }

  /** What was kept before. Rejects with ERR_FR_STATE. */
  async load(): Promise<Kept> {
    const { entries, notes } = await this.#store.load()
    for (const text of notes) this.#log({ level: 'warn', event: 'state-mended', fields: { text } })
    const kept = keptOf(entries)
    for (const node of kept.drained) this.#drained.add(node)
    for (const fault of kept.faults) this.#faults.set(keyOf(fault), fault)
    return kept
  }

  /**
   * Tells the master what was kept, and keeps what changes from now on. `isNext`: there was a
   * master before it, even where that has kept nothing.
   */
  begin(service: KeptMaster, { heard, sets }: Kept, isNext = false): void {
    this.#service = service
    const { master } = service
    // Only where there was a master before: it listens first then.
    if (heard.length > 0 || isNext) service.post({ type: 'heard', versions: heard })
    this.#heard = master.versions.count
    for (let id = 0; id < this.#heard; id++)
      if (master.versions.of(id).isGrowing) this.#growing.add(id)
    if (sets !== null) service.post({ type: 'sets', sets })
    const { resources } = master.network
    for (let id = 0; id < resources.count; id++) this.#restore({ kind: 'resource', id })
    service.onFact((fact) => this.#changed(fact))
  }

  /** Whether a node is, that may not have joined yet. */
  isDrained(node: string): boolean {
    return this.#drained.has(node)
  }

  /** Resolves when all that has changed is on the disk, or false where that takes nothing. */
  async flushed(): Promise<boolean> {
    while (this.#waiting.length > 0 || this.#writing !== undefined) {
      if (this.#isClosed) return false
      this.#write()
      await this.#writing
      if (!this.#isKept) return false
    }
    return this.#isKept
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    if (this.#service !== undefined) this.#keepFaults()
    await this.flushed()
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#store.close()
  }

  /** Nothing more is kept: another master keeps it now. */
  async abandon(): Promise<void> {
    this.#isClosed = true
    this.#waiting = []
    clearTimeout(this.#timer)
    clearImmediate(this.#turn)
    await this.#writing
    await this.#store.close()
  }

  #changed(fact: MasterFact): void {
    switch (fact.type) {
      case 'sets':
        return this.#keep({ type: 'sets', sets: fact.sets })
      case 'drain':
        if (fact.isDrained === this.#drained.has(fact.node)) return
        if (fact.isDrained) this.#drained.add(fact.node)
        else this.#drained.delete(fact.node)
        return this.#keep({ type: 'drained', node: fact.node, isDrained: fact.isDrained })
      case 'joined':
        return this.#joined(fact.node)
      case 'state':
        return this.#hear()
      case 'copied':
        this.#areFaultsOld ||= fact.ended.cause !== null
        return this.#soon(faultsMs)
      case 'left':
      case 'heard':
        return
      default:
        return fact satisfies never
    }
  }

  #joined(name: string): void {
    const service = this.#running
    const { master } = service
    const id = master.network.nodeId(name)
    if (this.#drained.has(name)) service.post({ type: 'drain', node: name, isDrained: true })
    if (id === undefined || this.#faults.size === 0) return
    this.#restore({ kind: 'node', id })
    this.#restore({ kind: 'disk', id })
    this.#restore({ kind: 'resource', id: master.network.uplink(id) })
    this.#restore({ kind: 'resource', id: master.network.downlink(id) })
  }

  #restore(component: Component): void {
    const { master, nowMs } = this.#running
    const key = keyOf(componentName(master.network, component))
    const fault = this.#faults.get(key)
    if (fault === undefined) return
    this.#faults.delete(key)
    master.components.restore(component, fault, nowMs)
  }

  /** Contents that are new, and those that have ended. */
  #hear(): void {
    const { versions } = this.#running.master
    for (; this.#heard < versions.count; this.#heard++) {
      const said = versions.of(this.#heard)
      if (said.isGrowing) this.#growing.add(said.id)
      this.#keep({ type: 'heard', said: { ...said } })
    }
    for (const said of versions.takeRenewed()) this.#keep({ type: 'heard', said: { ...said } })
    for (const id of this.#growing) {
      const said = versions.of(id)
      if (said.isGrowing) continue
      this.#growing.delete(id)
      this.#keep({ type: 'heard', said: { ...said } })
    }
  }

  #keep(entry: KeptEntry): void {
    if (!this.#isKept || this.#isClosed) return
    this.#waiting.push(entry)
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined
      this.#write()
    })
  }

  #keepFaults(): void {
    if (!this.#areFaultsOld) return
    this.#areFaultsOld = false
    this.#keep(this.#faultsNow())
  }

  #faultsNow(): KeptEntry {
    const { master, nowMs } = this.#running
    const faults = master.components
      .kept(nowMs)
      .map(([component, fault]) => ({ ...fault, ...componentName(master.network, component) }))
    return { type: 'faults', faults: [...faults, ...this.#faults.values()] }
  }

  #write(): void {
    if (this.#writing !== undefined || this.#waiting.length === 0 || this.#isClosed) return
    const entries = this.#waiting.splice(0, entriesAtOnce)
    this.#writing = this.#append(entries).finally(() => {
      this.#writing = undefined
      this.#write()
    })
  }

  async #append(entries: readonly KeptEntry[]): Promise<void> {
    try {
      await this.#store.append(entries)
      if (this.#store.isLarge) await this.#store.snapshot(this.#everything())
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    const { code, message } = asFrError(error, 'ERR_FR_INTERNAL')
    this.#waiting = []
    // Who leads no more is told so elsewhere.
    if (this.#isKept && code !== 'ERR_FR_NOT_LEADING') {
      const text = `${message}: from now on sets, drained nodes and versions are in memory only`
      this.#log({ level: 'error', event: 'state-not-kept', fields: { code, text } })
    }
    this.#isKept = false
    this.#soon(limits.stateRetryMs)
  }

  #soon(ms: number): void {
    if (this.#isClosed || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#isKept) this.#keepFaults()
      else void this.retry()
    }, ms)
    this.#timer.unref()
  }

  /** Writes all of it anew, where the disk has taken nothing until now. */
  retry(): Promise<void> {
    if (this.#isKept || this.#isClosed) return Promise.resolve()
    this.#writing ??= this.#again().finally(() => {
      this.#writing = undefined
      this.#write()
    })
    return this.#writing
  }

  async #again(): Promise<void> {
    // What changes meanwhile is appended to it.
    this.#isKept = true
    this.#heard = this.#running.master.versions.count
    try {
      await this.#store.snapshot(this.#everything())
      this.#log({ level: 'info', event: 'state-kept', fields: { text: 'all of it is kept again' } })
    } catch {
      this.#isKept = false
      this.#waiting = []
      this.#soon(limits.stateRetryMs)
    }
  }

  *#everything(): Generator<KeptEntry> {
    const { versions, scheduler, sets } = this.#running.master
    yield { type: 'sets', sets }
    for (const node of this.#drained) yield { type: 'drained', node, isDrained: true }
    for (const said of versions.inOrder) {
      const isHeld = (scheduler.files.get(said.id)?.holders.count ?? 0) > 0
      // Of what nobody holds only the order among its name is worth something.
      if (isHeld || versions.find(said.name, null) === said)
        yield { type: 'heard', said: { ...said } }
    }
    yield this.#faultsNow()
  }

  get #running(): KeptMaster {
    return this.#service as KeptMaster
  }
}

const entriesAtOnce = 4_096
/** What is held against components is written so often at most. */
const faultsMs = 5_000

function keyOf({ kind, name }: Pick<KeptFault, 'kind' | 'name'>): string {
  return `${kind} ${name}`
}
