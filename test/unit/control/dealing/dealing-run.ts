/**
 * A fluid network around the dealer of a group: how near to the bound its rules come, whatever the
 * rates are. Bytes flow in steps of a millisecond or so; what is simulated is what rules have to
 * live with: feeds that share an uplink unevenly, queues of downlinks, bytes that a kernel has
 * taken and not sent, reports every so often, and processes that come late to their turns.
 */
import { KIB } from '../../../../src/base/limits.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import type { DealerFact } from '../../../../src/control/dealing/dealer.js'
import type { GroupDealer } from '../../../../src/control/dealing/group.js'
import { Backlog, type MateSample } from '../../../../src/control/receiver/backlog.js'
import { Random } from '../../../../src/sim/random.js'

export interface DealingNet {
  readonly bytes: number
  /** Bytes per millisecond. */
  readonly originUp: number
  readonly nodes: readonly { readonly up: number; readonly down: number }[]
  /** One queue that every byte of everybody passes, and nothing else: bytes per millisecond. */
  readonly shared?: number
  /** Three turns of ten of any process come so late: least and most milliseconds. */
  readonly lateMs?: readonly [number, number]
  /** Feeds of one sender have equal shares of its uplink, instead of shares that wander. */
  readonly isFair?: boolean
  readonly seed?: number
}

export interface DealingResult {
  /** Until the last node has the file; Infinity: it never had. */
  readonly ms: number
  /** The same as a ratio to the bound. */
  readonly ratio: number
  /** Files that the origin sent. */
  readonly copies: number
  /** When everything was dealt. */
  readonly dealtMs: number
}

/** Bytes per millisecond that no scheme beats: min(u0, min d, (u0 + U) / n). */
export function bestRate({
  originUp,
  nodes,
  shared = Number.POSITIVE_INFINITY,
}: DealingNet): number {
  const uplinks = nodes.reduce((sum, { up }) => sum + up, originUp)
  const downlinks = nodes.map(({ down }) => down)
  return Math.min(originUp, ...downlinks, uplinks / nodes.length, shared / nodes.length)
}

const latencyMs = 0.5
/** What the queue of a downlink holds, and what a kernel takes of a feed ahead of the wire. */
const downQueueMs = 25
const downQueueBytes = 32 * KIB
const unsentBytes = 16 * KIB
const upQueueMs = 15
/** Shares of feeds wander so often, by a factor of three. */
const shareMs = 150
const lateChance = 0.3
/** What sums of parts of bytes may be short of whole ones. */
const roundingBytes = 0.5
/** Rounds in which what a feed cannot use of an uplink goes to the others. */
const rounds = 3

interface Unit extends Record<'offset' | 'length', number> {
  readonly relay: boolean
  /** Position on its feed where it ends. */
  readonly end: number
}

interface Node {
  readonly have: RangeSet
  readonly backlog: Backlog
  /** What the origin listed for it, and of it what it is to relay. */
  readonly units: Unit[]
  head: number
  readonly relays: Unit[]
  listed: number
  relayListed: number
  /** Of its to relay, landed; and the unit of them that lands next. */
  relayLanded: number
  relayHead: number
  nextReportMs: number
}

type Report = DealerFact & { type: 'reported' }

export class DealingRun {
  readonly #net: DealingNet
  readonly #dealer: GroupDealer
  readonly #random: Random
  readonly #n: number
  readonly #nodes: Node[]
  readonly #stepMs: number
  // Flows by sender and receiver: those of the origin come first, then those of each node.
  readonly #waiting: Float64Array
  readonly #sent: Float64Array
  readonly #inDown: Float64Array
  readonly #arrived: Float64Array
  readonly #weights: Float64Array
  /** The unit that is arriving on a flow between nodes. */
  readonly #unit: Int32Array
  readonly #downTotal: Float64Array
  readonly #landed: Float64Array
  readonly #reports: { atMs: number; report: Report }[] = []
  #nowMs = 0
  #originFreeMs = 0
  #shareAtMs = 0
  #dealtMs = Number.POSITIVE_INFINITY

  constructor(net: DealingNet, dealer: GroupDealer) {
    this.#net = net
    this.#dealer = dealer
    this.#random = new Random(net.seed ?? 1)
    const n = net.nodes.length
    this.#n = n
    this.#stepMs = net.bytes / bestRate(net) > 10_000 ? 2.5 : 1
    this.#nodes = net.nodes.map(() => ({
      have: new RangeSet(),
      backlog: new Backlog(),
      units: [],
      head: 0,
      relays: [],
      listed: 0,
      relayListed: 0,
      relayLanded: 0,
      relayHead: 0,
      nextReportMs: this.#random.between(0, dealer.reportMs),
    }))
    const flows = n * (n + 1)
    this.#waiting = new Float64Array(flows)
    this.#sent = new Float64Array(flows)
    this.#inDown = new Float64Array(flows)
    this.#arrived = new Float64Array(flows)
    this.#weights = new Float64Array(flows).fill(1)
    this.#unit = new Int32Array(flows)
    this.#downTotal = new Float64Array(n)
    this.#landed = new Float64Array(n)
  }

  run(): DealingResult {
    const { bytes } = this.#net
    const boundMs = bytes / bestRate(this.#net)
    this.#tell({ type: 'started', nodes: [...this.#nodes.keys()], nowMs: 0 })
    while (!this.#nodes.every(({ have }) => have.bytes === bytes)) {
      if (this.#nowMs > 30 * boundMs + 10_000) return this.#result(Number.POSITIVE_INFINITY)
      this.#nowMs += this.#stepMs
      this.#flow()
      this.#talk()
    }
    return this.#result(this.#nowMs)
  }

  #result(ms: number): DealingResult {
    const { bytes } = this.#net
    let sent = 0
    for (let i = 0; i < this.#n; i++) sent += this.#sent[i] as number
    const dealtMs = this.#dealtMs
    return { ms, ratio: (ms * bestRate(this.#net)) / bytes, copies: sent / bytes, dealtMs }
  }

  #tell(fact: DealerFact): void {
    for (const { node, offset, length, relay } of this.#dealer.handle(fact)) {
      const to = this.#nodes[node] as Node
      to.listed += length
      to.units.push({ offset, length, relay, end: to.listed })
      if (relay) {
        to.relayListed += length
        to.relays.push({ offset, length, relay, end: to.relayListed })
      }
      this.#waiting[node] = (this.#waiting[node] as number) + length
    }
    if (this.#dealer.openBytes === 0 && this.#dealtMs === Number.POSITIVE_INFINITY)
      this.#dealtMs = this.#nowMs
  }

  // --- bytes ---

  #flow(): void {
    const n = this.#n
    if (this.#net.isFair !== true && this.#nowMs >= this.#shareAtMs) {
      this.#shareAtMs = this.#nowMs + shareMs
      const { length } = this.#weights
      for (let f = 0; f < length; f++) this.#weights[f] = 10 ** this.#random.between(-0.25, 0.25)
    }
    if (this.#net.shared !== undefined) this.#send(0, n * (n + 1), this.#net.shared)
    else {
      this.#send(0, n, this.#net.originUp)
      for (let i = 0; i < n; i++)
        this.#send(n * (i + 1), n * (i + 2), (this.#net.nodes[i] as { up: number }).up)
    }
    for (let j = 0; j < n; j++) this.#receive(j)
  }

  /** What these flows get of their uplink. */
  #send(from: number, to: number, rate: number): void {
    const n = this.#n
    let room = rate * this.#stepMs
    for (let round = 0; round < rounds && room > 1e-6; round++) {
      let weights = 0
      for (let f = from; f < to; f++) if (this.#isOpen(f, n)) weights += this.#weights[f] as number
      if (weights === 0) return
      const part = room / weights
      for (let f = from; f < to; f++) {
        if (!this.#isOpen(f, n)) continue
        const waiting = this.#waiting[f] as number
        const bytes = Math.min(waiting, part * (this.#weights[f] as number))
        this.#waiting[f] = bytes === waiting ? 0 : waiting - bytes
        this.#sent[f] = (this.#sent[f] as number) + bytes
        this.#inDown[f] = (this.#inDown[f] as number) + bytes
        this.#downTotal[f % n] = (this.#downTotal[f % n] as number) + bytes
        room -= bytes
      }
    }
  }

  #isOpen(f: number, n: number): boolean {
    if (this.#waiting[f] === 0) return false
    const { down } = this.#net.nodes[f % n] as { down: number }
    return (this.#downTotal[f % n] as number) < downQueueMs * down + downQueueBytes
  }

  #receive(j: number): void {
    const total = this.#downTotal[j] as number
    if (total === 0) return
    const n = this.#n
    const can = (this.#net.nodes[j] as { down: number }).down * this.#stepMs
    const share = Math.min(1, can / total)
    this.#downTotal[j] = share === 1 ? 0 : total - can
    for (let f = j; f < n * (n + 1); f += n) {
      const inDown = this.#inDown[f] as number
      if (inDown === 0) continue
      const bytes = share === 1 ? inDown : inDown * share
      this.#inDown[f] = share === 1 ? 0 : inDown - bytes
      this.#arrived[f] = (this.#arrived[f] as number) + bytes
      this.#landed[j] = (this.#landed[j] as number) + bytes
      if (f < n) this.#landOfOrigin(j)
      else this.#landOfMate(f, j)
    }
  }

  #landOfOrigin(j: number): void {
    const node = this.#nodes[j] as Node
    const arrived = (this.#arrived[j] as number) + roundingBytes
    let fresh = 0
    let at = node.relayLanded
    for (let unit = node.units[node.head]; unit !== undefined; unit = node.units[node.head]) {
      const isWhole = unit.end <= arrived
      if (unit.relay) {
        const landed = Math.min(unit.length, Math.max(0, arrived - (unit.end - unit.length)))
        fresh = this.#relayStart(node) + landed - node.relayLanded
        at = node.relayLanded + fresh
      }
      if (!isWhole) break
      node.have.add(unit.offset, unit.length)
      node.head++
      if (unit.relay) this.#pass(j, node, at)
    }
    if (fresh > 0) this.#pass(j, node, at)
  }

  /** Where the relayed unit at the head of its feed begins among what it relays. */
  #relayStart(node: Node): number {
    const unit = node.relays[node.relayHead] as Unit
    return unit.end - unit.length
  }

  #pass(i: number, node: Node, landed: number): void {
    const fresh = landed - node.relayLanded
    node.relayLanded = landed
    while ((node.relays[node.relayHead]?.end ?? Number.POSITIVE_INFINITY) <= landed)
      node.relayHead++
    if (fresh <= 0) return
    const n = this.#n
    for (let j = 0; j < n; j++) {
      const f = n * (i + 1) + j
      if (j !== i) this.#waiting[f] = (this.#waiting[f] as number) + fresh
    }
  }

  #landOfMate(f: number, j: number): void {
    const { relays } = this.#nodes[Math.floor(f / this.#n) - 1] as Node
    const arrived = (this.#arrived[f] as number) + roundingBytes
    let at = this.#unit[f] as number
    for (let unit = relays[at]; unit !== undefined && unit.end <= arrived; unit = relays[++at])
      (this.#nodes[j] as Node).have.add(unit.offset, unit.length)
    this.#unit[f] = at
  }

  // --- words ---

  #talk(): void {
    for (const [i, node] of this.#nodes.entries()) {
      if (this.#nowMs < node.nextReportMs) continue
      node.nextReportMs = this.#nowMs + this.#dealer.reportMs + this.#lateness()
      this.#report(i, node)
    }
    if (this.#nowMs < this.#originFreeMs) return
    const due = this.#reports.filter(({ atMs }) => atMs <= this.#nowMs)
    if (due.length > 0) {
      const later = this.#reports.filter(({ atMs }) => atMs > this.#nowMs)
      this.#reports.splice(0, this.#reports.length, ...later)
      for (const { report } of due) this.#tell({ ...report, nowMs: this.#nowMs })
    }
    if (this.#nowMs < (this.#dealer.deadlineMs() ?? Number.POSITIVE_INFINITY)) return
    this.#look()
    this.#originFreeMs = this.#nowMs + this.#lateness()
  }

  #lateness(): number {
    const { lateMs } = this.#net
    if (lateMs === undefined || !this.#random.chance(lateChance)) return 0
    return this.#random.between(...lateMs)
  }

  #report(i: number, node: Node): void {
    const n = this.#n
    const mates: MateSample[] = []
    for (let j = 0; j < n; j++) {
      if (j === i) continue
      const f = n * (i + 1) + j
      const [queuedBytes, unackedBytes] = [this.#waiting[f] as number, this.#inDown[f] as number]
      mates.push({ member: j, queuedBytes, unackedBytes, sentBytes: this.#sent[f] as number })
    }
    const atMs = Math.round(this.#nowMs)
    const said = node.backlog.report(mates, this.#nowMs)
    const landedBytes = this.#landed[i] as number
    const receivedBytes = this.#arrived[i] as number
    const report = { ...said, landedBytes, receivedBytes }
    if (!node.backlog.isWorthSending(report, this.#nowMs)) return
    const fact: Report = { type: 'reported', node: i, atMs, ...report, nowMs: 0 }
    this.#reports.push({ atMs: this.#nowMs + latencyMs, report: fact })
  }

  /** The origin reads its counters and deals. */
  #look(): void {
    const nowMs = this.#nowMs
    let active = 0
    for (let i = 0; i < this.#n; i++) if ((this.#waiting[i] as number) > 0) active++
    const taken = unsentBytes + (upQueueMs * this.#net.originUp) / Math.max(1, active)
    for (let node = 0; node < this.#n; node++) {
      const waiting = this.#waiting[node] as number
      const inKernel = Math.min(waiting, taken)
      const sentBytes = (this.#sent[node] as number) + inKernel
      const unackedBytes = inKernel + (this.#inDown[node] as number)
      const queuedBytes = waiting - inKernel
      const counted = { node, sentBytes, queuedBytes, unackedBytes }
      this.#tell({ type: 'counted', ...counted, atMs: nowMs, nowMs })
    }
    this.#tell({ type: 'ticked', nowMs })
    const excluded = this.#dealer.excluded()
    for (const { backlog } of this.#nodes) backlog.exclude(excluded)
  }
}
