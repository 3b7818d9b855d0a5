/**
 * The model `fluid`: the shipping planner and dealer over bytes that flow (fluid-network.ts), with
 * no sessions. The dealer is told what the coordinator tells it, as often: what nodes report of
 * themselves, made as they make it, and the counters of the origin's feeds.
 *
 * Control frames are counted where the dealer lives by them: reports, by what the shipping codec
 * makes of them. Nothing fails here.
 */
import { limits } from '../base/limits.js'
import type { Dealer, DealerFact, Send } from '../control/dealing/dealer.js'
import { dealerOf } from '../control/dealing/strategies.js'
import type { Frame, Route } from '../control/messages/types.js'
import { Backlog, type MateSample } from '../control/receiver/backlog.js'
import { encodeBody, encodeFrame } from '../protocol/frames.js'
import type { FluidEdge } from './fluid-edges.js'
import { FluidNetwork } from './fluid-network.js'
import { FluidPulls, pullEdges } from './fluid-pulls.js'
import { SiteLinks } from './site-links.js'
import {
  type Answer,
  type NodePace,
  pacesOf,
  simulatedBlockBytes,
  UseLog,
  type Wanted,
} from './wanted.js'

/** Steps of a simulation at most, about, and movements of nodes; a step lasts so many ms. */
const stepsWanted = 50_000
const movesWanted = 25_000_000
const stepMs = { least: 0.5, most: 5 }
/**
 * Milliseconds between two reports of a node that the origin does not feed: what it says matters
 * where its column is held up for long, and with many groups its reports are most of the work.
 */
const reportMsBelow = 200
/** Steps between two looks at whether somebody has stopped it. */
const stepsAtOnce = 50
/** Bytes that may be missing of a whole file: sums of fractions are not exact. */
const crumbs = 64

/** All that goes from one node to another. */
interface Feed {
  readonly member: number
  readonly edges: number[]
}

type Reported = DealerFact & { readonly type: 'reported' }

/** Yields now and then. */
export function* simulateFluid(wanted: Wanted): Generator<void, Answer> {
  const push = new FluidPush(wanted)
  for (let steps = 1; !push.step(); steps++) if (steps % stepsAtOnce === 0) yield
  return push.answer()
}

class FluidPush {
  readonly #wanted: Wanted
  readonly #dealer: Dealer
  readonly #network: FluidNetwork
  readonly #pulls: FluidPulls
  /** Edges of the origin, by the row of the receiver and the route. */
  readonly #origins = new Map<string, number>()
  /** Nodes that the origin has edges to, with those. */
  readonly #fed: ReadonlyMap<number, readonly number[]>
  /** By node: its edges to each other node, and those to it that it passes on. */
  readonly #feeds: readonly (readonly Feed[])[]
  readonly #entries: readonly (readonly number[])[]
  readonly #stepMs: number
  /** Part of what moved in a step that is not known to have come. */
  readonly #unacked: number
  readonly #startMs: number
  readonly #relaysFromMs: number
  readonly #use: UseLog
  readonly #backlogs: readonly Backlog[]
  readonly #reports: { readonly atMs: number; readonly fact: Reported }[] = []
  readonly #completeMs: number[]
  readonly #paces: readonly NodePace[]
  #open: number[]
  #excluded = ''
  #nowMs: number
  #countMs: number
  #lookMs: number
  #messages = 0
  #messageBytes = 0
  readonly #frameBytes = new Map<string, number>()

  constructor(wanted: Wanted) {
    const { nodes, bytes, strategy, shape, grouping, latencyMs } = wanted
    this.#wanted = wanted
    const origin = { uplinkBytesPerSecond: wanted.originUplinkBytesPerSecond }
    const speeds = wanted.tellsRates ? { origin, nodes: () => nodes } : {}
    const blockBytes = simulatedBlockBytes(bytes)
    this.#dealer = dealerOf(strategy, shape, bytes, blockBytes, speeds, [], grouping)
    this.#paces = pacesOf(wanted)
    // A node is offered the push and answers, while the origin opens its feed to it in six trips.
    const ready = this.#paces.map(
      ({ connectMs, prepareMs }) => connectMs + Math.max(6 * latencyMs, 2 * latencyMs + prepareMs),
    )
    this.#startMs = ready.reduce((most, one) => Math.max(most, one), 0)
    // Nodes hear of each other with the plan, and open feeds in three trips.
    this.#relaysFromMs = this.#startMs + 4 * latencyMs
    this.#nowMs = this.#countMs = this.#lookMs = this.#startMs
    this.#completeMs = nodes.map(() => Number.POSITIVE_INFINITY)
    this.#open = nodes.map((_, i) => i + 1)
    this.#backlogs = nodes.map(() => new Backlog())
    const slowest = nodes.reduce(
      (least, node) => Math.min(least, node.downlinkBytesPerSecond),
      wanted.originUplinkBytesPerSecond,
    )
    const places = nodes.map(({ site, ...node }, i) => ({
      node: i,
      ...(site !== undefined && { site }),
      ...(wanted.tellsRates && node),
    }))
    this.#dealer.chain.start(places)
    const numbers = [...nodes.keys()].filter((node) => !this.#dealer.chain.isSecondary(node))
    const sends = this.#dealer.handle({ type: 'started', nodes: numbers, nowMs: this.#startMs })
    const sites = new SiteLinks(grouping, nodes)
    const edges = this.#edges().map((edge): FluidEdge => {
      return { ...edge, link: sites.between(edge.from, edge.to) }
    })
    const steps = Math.min(stepsWanted, movesWanted / nodes.length)
    const step = (bytes / slowest / steps) * 1000
    // All that is on its way is kept, a number for each edge and step.
    const kept = Math.max(1, Math.floor(limits.simulatedWayBytes / (8 * edges.length)) - 2)
    const least = Math.max(stepMs.least, latencyMs / kept)
    this.#stepMs = Math.max(least, Math.min(stepMs.most, step))
    this.#unacked = Math.min(1, (2 * latencyMs) / this.#stepMs)
    const perStep = (rate: number): number => (rate / 1000) * this.#stepMs
    const uplinks = [wanted.originUplinkBytesPerSecond, ...nodes.map((n) => n.uplinkBytesPerSecond)]
    const downlinks = [0, ...nodes.map((node) => node.downlinkBytesPerSecond)]
    this.#network = new FluidNetwork(
      edges,
      Float64Array.from(uplinks, perStep),
      Float64Array.from(downlinks, perStep),
      sites.bytesPerSecond.map(perStep),
      latencyMs / this.#stepMs,
    )
    const { chain } = this.#dealer
    this.#pulls = new FluidPulls(
      this.#network,
      edges,
      bytes,
      latencyMs,
      { slow: chain.slow, above: (node) => chain.above(node) },
      (row) => (nodes[row - 1]?.downlinkBytesPerSecond ?? 0) / 1000,
    )
    this.#fed = grouped(this.#origins.values(), (i) => (edges[i] as FluidEdge).to - 1)
    const feeds: Feed[][] = nodes.map(() => [])
    const entries: number[][] = nodes.map(() => [])
    for (const [i, { from, to, isEntry }] of edges.entries()) {
      if (isEntry) entries[to - 1]?.push(i)
      const feed = feeds[from - 1]?.find(({ member }) => member === to - 1)
      if (feed === undefined) feeds[from - 1]?.push({ member: to - 1, edges: [i] })
      else feed.edges.push(i)
    }
    this.#feeds = feeds
    this.#entries = entries
    this.#use = new UseLog(
      uplinks.map((rate) => rate / 1000),
      Math.max(this.#stepMs, limits.simulatedLookMs),
    )
    this.#list(sends)
  }

  /** True: everybody is complete. */
  step(): boolean {
    const nowMs = this.#nowMs
    if (nowMs >= this.#lookMs) {
      this.#use.look(nowMs, [...this.#network.sentBytes])
      this.#lookMs = nowMs + this.#use.everyMs
    }
    this.#report(nowMs)
    this.#deal(nowMs)
    this.#pulls.ask(this.#completeMs, nowMs)
    this.#network.step(nowMs >= this.#relaysFromMs)
    this.#nowMs = nowMs + this.#stepMs
    if (this.#nowMs > limits.simulatedMs)
      throw new Error(`hang: ${this.#open.length} nodes are not complete`)
    this.#complete()
    return this.#open.length === 0
  }

  answer(): Answer {
    const { nodes, latencyMs } = this.#wanted
    const seconds = this.#completeMs.map((ms) => (ms + latencyMs) / 1000)
    const last = seconds.reduce((most, one) => Math.max(most, one), 0)
    const [originBytes = 0] = this.#network.sentBytes
    return {
      model: 'fluid',
      seconds: last,
      exchangeSeconds: last - this.#startMs / 1000,
      completeSeconds: seconds,
      failures: [],
      originBytes: Math.round(originBytes),
      messagesPerNode: this.#messages / nodes.length,
      messageBytesPerNode: this.#messageBytes / nodes.length,
      originMessages: this.#messages,
      originMessageBytes: this.#messageBytes,
      use: this.#use.use,
      grain: { stepMs: this.#stepMs },
    }
  }

  /** All ways of the plan: what the origin may be told to list first, then what follows from it. */
  #edges(): FluidEdge[] {
    const { chain, shape } = this.#dealer
    const edges: (FluidEdge & { readonly route: number })[] = []
    const begin = (node: number, route: number): void => {
      const key = `${node + 1} ${route}`
      if (this.#origins.has(key)) return
      this.#origins.set(key, edges.length)
      edges.push({ from: 0, to: node + 1, parent: -1, isEntry: true, route })
    }
    for (const head of chain.heads) {
      for (const column of [...chain.columnsFrom(head), ...chain.pastsFrom(head)])
        begin(head, chain.routeOf(column))
    }
    const direct = shape === 'unicast' ? this.#wanted.nodes.keys() : chain.heads
    for (const node of direct) begin(node, 0)
    const tables = new Map<number, ReadonlyMap<number, Route['to']>>()
    const tableOf = (node: number): ReadonlyMap<number, Route['to']> => {
      const known = tables.get(node)
      if (known !== undefined) return known
      const table = new Map(chain.routes(node).map(({ route, to }) => [route, to]))
      tables.set(node, table)
      return table
    }
    for (let i = 0; i < edges.length; i++) {
      const { to, route } = edges[i] as (typeof edges)[number]
      if (route === 0) continue
      for (const { member, next } of tableOf(to - 1).get(route) ?? [])
        edges.push({ from: to, to: member + 1, parent: i, isEntry: next !== 0, route: next })
    }
    const beside = pullEdges({ slow: chain.slow, above: (node) => chain.above(node) })
    return this.#bySender([...edges, ...beside])
  }

  /** Those of a sender together, the senders in the order in which bytes come to them. */
  #bySender(edges: readonly FluidEdge[]): FluidEdge[] {
    const bySender = grouped(edges.keys(), (i) => (edges[i] as FluidEdge).from)
    const order = [...bySender.values()].flat()
    const places = new Map(order.map((i, place) => [i, place]))
    for (const [key, i] of this.#origins) this.#origins.set(key, places.get(i) as number)
    return order.map((i) => {
      const edge = edges[i] as FluidEdge
      return { ...edge, parent: places.get(edge.parent) ?? -1 }
    })
  }

  #list(sends: readonly Send[]): void {
    const { chain } = this.#dealer
    for (const { node, length, relay, column } of sends) {
      const past = relay ? chain.routeFrom(node) : 0
      const route = column === undefined ? past : chain.routeOf(column)
      const edge = this.#origins.get(`${node + 1} ${route}`)
      if (edge === undefined) throw new TypeError(`no way for route ${route} to node ${node}`)
      this.#network.list(edge, length)
    }
  }

  /** As the coordinator does when it has looked at its feeds. */
  #deal(nowMs: number): void {
    const reports = this.#reports
    let come = 0
    for (const { atMs, fact } of reports) {
      if (atMs > nowMs) break
      come++
      this.#list(this.#dealer.handle({ ...fact, nowMs }))
    }
    reports.splice(0, come)
    if (nowMs < Math.min(this.#countMs, this.#dealer.deadlineMs() ?? this.#countMs)) return
    this.#countMs = nowMs + limits.countMs
    const network = this.#network
    for (const [node, edges] of this.#fed) {
      let sentBytes = 0
      let unackedBytes = 0
      for (const edge of edges) {
        sentBytes += network.sent(edge)
        unackedBytes += network.moved(edge) * this.#unacked
      }
      const queuedBytes = network.queuedTo(node + 1)
      const counted = { queuedBytes, sentBytes, unackedBytes, atMs: nowMs, nowMs }
      this.#list(this.#dealer.handle({ type: 'counted', node, ...counted }))
    }
    this.#list(this.#dealer.handle({ type: 'ticked', nowMs }))
    const excluded = this.#dealer.excluded()
    if (excluded.join() === this.#excluded) return
    this.#excluded = excluded.join()
    for (const backlog of this.#backlogs) backlog.exclude(excluded)
  }

  /** Each node in its turn: not all at the same time. */
  #report(nowMs: number): void {
    const { reportMs } = this.#dealer
    const { nodes, latencyMs } = this.#wanted
    const sinceMs = nowMs - this.#startMs
    const isTurn = (everyMs: number, node: number): boolean => {
      const turn = sinceMs / everyMs - node / nodes.length
      return Math.floor(turn) !== Math.floor(turn - this.#stepMs / everyMs)
    }
    for (const row of this.#open) {
      const node = row - 1
      if (isTurn(limits.progressMs, node)) this.#count('progress', row)
      const isFed = this.#fed.has(node)
      if (reportMs === 0 || !isTurn(isFed ? reportMs : reportMsBelow, node)) continue
      const fact = this.#reportOf(row, nowMs)
      if (fact !== undefined) this.#reports.push({ atMs: nowMs + latencyMs, fact })
    }
  }

  #reportOf(row: number, nowMs: number): Reported | undefined {
    const network = this.#network
    const node = row - 1
    let received = 0
    for (const edge of this.#entries[node] ?? []) received += network.arrived(edge)
    const samples = (this.#feeds[node] ?? []).map(({ member, edges }): MateSample => {
      let queued = 0
      let unacked = 0
      let sent = 0
      for (const edge of edges) {
        queued += network.waits(edge)
        unacked += network.moved(edge) * this.#unacked
        sent += network.sent(edge)
      }
      return {
        member,
        queuedBytes: Math.round(queued),
        unackedBytes: Math.round(unacked),
        sentBytes: Math.round(sent),
      }
    })
    const backlog = this.#backlogs[row - 1] as Backlog
    const { backlogBytes, behind } = backlog.report(samples, nowMs)
    const landedBytes = Math.round(network.receivedBytes[row] as number)
    const said = { landedBytes, receivedBytes: Math.round(received) }
    if (!backlog.isWorthSending({ ...said, backlogBytes, behind }, nowMs)) return undefined
    this.#count(`backlog ${behind.length}`, row)
    return { type: 'reported', node, atMs: nowMs, ...said, backlogBytes, behind, nowMs }
  }

  /** A frame of this kind has been sent; how long it is depends on how many members it names. */
  #count(kind: string, row: number): void {
    const key = kind === 'progress' ? `progress ${this.#feeds[row - 1]?.length ?? 0}` : kind
    let bytes = this.#frameBytes.get(key)
    if (bytes === undefined) {
      const [type = '', count = '0'] = key.split(' ')
      bytes = encodeFrame(encodeBody(sampleOf(type, Number(count)))).length
      this.#frameBytes.set(key, bytes)
    }
    this.#messages++
    this.#messageBytes += bytes
  }

  #complete(): void {
    const network = this.#network
    const { bytes } = this.#wanted
    this.#open = this.#open.filter((row) => {
      if ((network.receivedBytes[row] as number) < bytes - crumbs) return true
      if (network.arrivedAt(row) < bytes - crumbs) return true
      const { hashMs, publishMs } = this.#paces[row - 1] as NodePace
      this.#completeMs[row - 1] = this.#nowMs + hashMs + publishMs
      return false
    })
  }
}

function grouped(items: Iterable<number>, keyOf: (item: number) => number): Map<number, number[]> {
  const groups = new Map<number, number[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}

/** A report that names so many members. */
function sampleOf(type: string, count: number): Frame {
  const atMs = 1_000
  const members = Array.from({ length: count }, (_, member) => member)
  if (type === 'backlog')
    return { type, atMs, landedBytes: 0, receivedBytes: 0, backlogBytes: 0, behind: members }
  const none = { landedBytes: 0, holeBytes: 0, sentBytes: 0, receivedBytes: 0, duplicateBytes: 0 }
  const mates = members.map((member) => ({ member, queuedBytes: 0, unackedBytes: 0 }))
  const received = members.map((member) => ({ member, bytes: 0 }))
  const verified = { verifiedBytes: 0, repairedBytes: 0, pulled: [] }
  return { type: 'progress', atMs, ...none, ...verified, mates, received }
}
