/**
 * Nodes that carry out what the scheduler decides, on a virtual clock: a copy takes as long as its
 * rate says, and may fail. What no resource may carry is looked for at every event.
 */
import { expect } from 'vitest'
import { ComponentAccounts } from '../../../../src/control/copies/components.js'
import type { DemandSpec, Objective } from '../../../../src/control/copies/demand.js'
import { Network, type TopologySpec } from '../../../../src/control/copies/network.js'
import { Plans } from '../../../../src/control/copies/plans.js'
import { type Copy, CopyScheduler } from '../../../../src/control/copies/scheduler.js'
import { scoreBy, usualWeights } from '../../../../src/control/copies/score.js'
import type { ViewKind } from '../../../../src/control/copies/views.js'

export interface WorldSpec {
  readonly topology?: TopologySpec
  readonly view?: ViewKind
  readonly objective?: Objective
  readonly slack?: number
  /** The part of a copy that comes, and what the target then blames; undefined: all of it. */
  readonly failure?: (copy: Copy, world: World) => number | undefined
}

interface Running {
  readonly copy: Copy
  endsMs: number
  /** Bytes that had come when the rate was changed last, and when that was. */
  came: number
  sinceMs: number
}

export class World {
  readonly network: Network
  readonly scheduler: CopyScheduler
  readonly components = new ComponentAccounts()
  readonly plans: Plans
  readonly running = new Map<number, Running>()
  readonly #failure: WorldSpec['failure']
  nowMs = 0
  /** Bytes that have gone over each resource. */
  readonly carried = new Map<number, number>()
  /** Bytes that came into a site from others, by file and site. */
  readonly crossed = new Map<string, number>()
  started = 0
  failed = 0

  constructor(spec: WorldSpec = {}) {
    this.network = new Network(spec.topology)
    const { network, components } = this
    this.#failure = spec.failure
    this.scheduler = new CopyScheduler({
      ...{ network, components, score: scoreBy(usualWeights) },
      ...{ view: spec.view ?? 'near', objective: spec.objective ?? { kind: 'all' } },
    })
    this.plans = new Plans({
      network,
      fileOf: (id) => this.scheduler.files.get(id),
      components,
      slack: spec.slack ?? 1.25,
    })
  }

  node(name: string, site: string, up = 12.5e6, down = up): number {
    return this.network.addNode({
      ...{ name, site },
      ...{ up: { bytesPerSecond: up }, down: { bytesPerSecond: down } },
    })
  }

  file(file: number, size: number, holders: readonly number[]): void {
    this.scheduler.addFile({ file, size })
    for (const node of holders) this.scheduler.holds(file, node, [[0, size]])
  }

  wants(spec: Partial<DemandSpec> & { file: number; node: number }): void {
    this.scheduler.wants({ priority: 5, sinceMs: this.nowMs, ...spec })
    this.plans.changed(spec.file)
  }

  get isIdle(): boolean {
    return this.running.size === 0
  }

  /** What is wanted and not held. */
  get open(): number {
    let open = 0
    for (const { demands } of this.scheduler.files.values()) open += demands.size
    return open
  }

  /** Runs until nothing happens any more, or until then; returns the time. */
  run(untilMs = Number.POSITIVE_INFINITY): number {
    for (let steps = 0; ; steps++) {
      if (steps > 100_000) throw new Error(`no end at ${this.nowMs} ms: ${this.#stuck()}`)
      this.#decide()
      const next = Math.min(this.#nextEnd(), this.#nextDue())
      if (next === Number.POSITIVE_INFINITY || next > untilMs) break
      this.nowMs = Math.max(this.nowMs, next)
      this.#endDue()
    }
    if (untilMs < Number.POSITIVE_INFINITY) this.nowMs = Math.max(this.nowMs, untilMs)
    return this.nowMs
  }

  #stuck(): string {
    const of = [...this.scheduler.files.values()].flatMap(({ demands }) => [...demands.values()])
    return JSON.stringify({
      due: this.scheduler.dueMs(this.nowMs),
      changes: this.network.resources.changesAt(this.nowMs),
      demands: of.slice(0, 5).map(({ file, node, state }) => ({ file, node, state })),
    })
  }

  #nextDue(): number {
    const due = this.scheduler.dueMs(this.nowMs)
    const retry = this.components
      .records(this.nowMs)
      .flatMap(([, { retryMs }]) => (retryMs === null ? [] : [this.nowMs + retryMs]))
    // Without anybody who waits nothing is due.
    return this.open === 0 ? Number.POSITIVE_INFINITY : Math.min(due, ...retry)
  }

  #decide(): void {
    for (const one of this.components.retried(this.nowMs)) {
      if (one.kind === 'resource') this.scheduler.hasRoom(one.id)
      this.#replan()
    }
    while (!this.plans.isCurrent) {
      const { files, ahead } = this.plans.revise(this.nowMs)
      for (const [i, file] of files.entries())
        this.scheduler.planned(file.id, ahead.slices[i] ?? [])
    }
    for (const { kind, copy } of this.scheduler.advance(this.nowMs)) {
      if (kind === 'start') this.#start(copy)
      else if (kind === 'stop') this.running.delete(copy.id)
      else this.#changeRate(copy)
    }
    this.check()
  }

  #replan(): void {
    for (const { id, demands } of this.scheduler.files.values())
      if (demands.size > 0) this.plans.changed(id)
  }

  #start(copy: Copy): void {
    this.started += 1
    this.running.set(copy.id, { copy, endsMs: this.#endOf(copy, 0), came: 0, sinceMs: this.nowMs })
    if (!copy.crosses) return
    const key = `${copy.file} ${this.network.siteOf(copy.target)}`
    this.crossed.set(key, (this.crossed.get(key) ?? 0) + copy.length)
  }

  #changeRate(copy: Copy): void {
    const running = this.running.get(copy.id) as Running
    // What came meanwhile came at the earlier rate, which is not known any more: count from here.
    running.endsMs = this.#endOf(copy, running.came)
    running.sinceMs = this.nowMs
  }

  #endOf({ length, rate }: Copy, came: number): number {
    if (rate === Number.POSITIVE_INFINITY) return this.nowMs + 1
    return this.nowMs + Math.max(1, ((length - came) / rate) * 1_000)
  }

  #nextEnd(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { endsMs } of this.running.values()) next = Math.min(next, endsMs)
    return next
  }

  #endDue(): void {
    for (const { copy, endsMs } of [...this.running.values()]) {
      if (endsMs > this.nowMs) continue
      this.running.delete(copy.id)
      const part = this.#failure?.(copy, this)
      if (part !== undefined) this.failed += 1
      const came = part === undefined ? copy.length : Math.floor(copy.length * part)
      for (const id of copy.route) this.carried.set(id, (this.carried.get(id) ?? 0) + came)
      const between = copy.route.slice(1, -1)
      const links = between.map((id) => ({ kind: 'resource', id }) as const)
      const used = [
        { kind: 'node', id: copy.source } as const,
        { kind: 'disk', id: copy.target } as const,
        ...links,
      ]
      if (part === undefined) this.components.worked(used)
      else if (this.components.failed(used, 'lost', this.nowMs).length > 0) this.#replan()
      this.scheduler.ended(copy.id, came)
    }
  }

  /** No resource has more allocated than it may carry, and all that is allocated is of copies. */
  check(): void {
    const { resources } = this.network
    const sums = new Map<number, number>()
    const byTarget = new Map<string, number>()
    for (const { copy } of this.running.values()) {
      for (const id of copy.route)
        sums.set(id, (sums.get(id) ?? 0) + (copy.rate === Number.POSITIVE_INFINITY ? 0 : copy.rate))
      const key = `${copy.file} ${copy.target}`
      byTarget.set(key, (byTarget.get(key) ?? 0) + copy.length)
    }
    for (let id = 0; id < resources.count; id++) {
      const allocated = resources.allocated(id)
      if (allocated !== (sums.get(id) ?? 0)) expect(allocated).toBe(sums.get(id) ?? 0)
      const capability = resources.capability(id, this.nowMs)
      if (allocated > capability) expect(allocated).toBeLessThanOrEqual(capability)
    }
    for (const file of this.scheduler.files.values())
      for (const { node, coming } of file.demands.values())
        if ((coming?.bytes ?? 0) !== (byTarget.get(`${file.id} ${node}`) ?? 0))
          expect(coming?.bytes).toBe(byTarget.get(`${file.id} ${node}`))
  }
}
