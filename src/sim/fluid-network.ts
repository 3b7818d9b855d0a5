/**
 * Bytes as a fluid: what flows along each route of a plan, step by step.
 *
 * The idea: a way is a tree of edges, and all that is known of an edge is how much it has carried.
 * In a step an edge carries what has come to its sender on the edge before, a latency ago, as far
 * as the uplink of the sender shares out; a receiver that is offered more than its downlink takes
 * says in the next step how much it takes of each. Senders are looked at in the order in which
 * bytes come to them, so a hop costs its latency and no step. Rates are in bytes a step.
 *
 * What a node passes on of one edge it sends to all its mates, most often as much to each. Such
 * edges are a *bundle* with one place in all arrays (`#places`), until one of them carries less
 * than the others: a large network fits a cache so, and the results are the same to the last bit.
 */
import { bundlesOf, type FluidEdge } from './fluid-edges.js'

/** What a downlink has not used it may use within so many steps: arrivals are no even stream. */
const roomSteps = 4
/** What counts as nothing: sums of fractions are not exact. */
const crumb = 0.5

export class FluidNetwork {
  /** By row, all that was sent to it. */
  readonly receivedBytes: Float64Array
  /** Bytes that have left each row. */
  readonly sentBytes: Float64Array
  /** Of edges without another before: what was listed or asked for so far. */
  readonly listed: Float64Array
  /** By place: what edges have carried, and what of it in the last step. */
  readonly #sent: Float64Array
  readonly #moved: Float64Array
  /** By edge. */
  readonly #places: Int32Array
  /** Places in use; those from here on are free. */
  #used: number
  /** Where bundles begin, one behind the last included, and which are one of several edges. */
  readonly #bundles: Int32Array
  readonly #isWhole: Uint8Array
  readonly #queues = new Map<number, { readonly edge: number; bytes: number }[]>()
  readonly #past: Float64Array[]
  readonly #back: number
  readonly #part: number
  #at = 0
  readonly #uplinks: Float64Array
  readonly #downlinks: Float64Array
  readonly #from: Int32Array
  readonly #to: Int32Array
  readonly #parents: Int32Array
  /** Senders but for the origin, in the order of their edges, and where their bundles begin. */
  readonly #order: Int32Array
  readonly #first: Int32Array
  readonly #end: Int32Array
  /**
   * Row of the link between sites that an edge crosses, behind those of hosts; 0: none. Null where
   * there are no links: most networks have none, and each step looks at every edge.
   */
  readonly #via: Int32Array | null
  /** Edges to each receiver, and over each link between sites. */
  readonly #in: readonly Int32Array[]
  readonly #wants: Float64Array
  readonly #offered: Float64Array
  readonly #levels: Float64Array
  /** Somebody takes less than it is offered. */
  #isLevelled = false
  readonly #room: Float64Array
  readonly #wanted: Float64Array

  /**
   * `edges`: those of a sender together, the senders in the order in which bytes come to them, the
   * origin first. `uplinks`, `downlinks`, `links`: of hosts by row and of links between sites, in
   * bytes a step; nothing is sent to the origin. `latency`: of every edge, in steps.
   */
  constructor(
    edges: readonly FluidEdge[],
    uplinks: Float64Array,
    downlinks: Float64Array,
    links: readonly number[],
    latency: number,
  ) {
    const count = edges.length
    const hosts = uplinks.length
    const rows = hosts + links.length
    this.#sent = new Float64Array(count)
    this.#moved = new Float64Array(count)
    this.listed = new Float64Array(count)
    this.sentBytes = new Float64Array(hosts)
    this.receivedBytes = new Float64Array(hosts)
    this.#uplinks = uplinks
    // In the origin's place stands what crosses no link, which nothing limits.
    this.#downlinks = new Float64Array(rows)
    this.#downlinks.set(downlinks)
    this.#downlinks.set(links, hosts)
    this.#downlinks[0] = Number.POSITIVE_INFINITY
    const rowOf = ({ link }: FluidEdge): number => (link === undefined ? 0 : hosts + link)
    this.#via = links.length === 0 ? null : Int32Array.from(edges, rowOf)
    this.#wants = new Float64Array(count)
    this.#offered = new Float64Array(rows)
    this.#levels = new Float64Array(rows).fill(Number.POSITIVE_INFINITY)
    this.#room = new Float64Array(rows)
    this.#back = Math.floor(latency)
    this.#part = latency - this.#back
    this.#past = Array.from({ length: this.#back + 2 }, () => new Float64Array(count))
    this.#from = Int32Array.from(edges, ({ from }) => from)
    this.#to = Int32Array.from(edges, ({ to }) => to)
    this.#parents = Int32Array.from(edges, ({ parent }) => parent)
    const bundles = bundlesOf(edges)
    this.#bundles = Int32Array.from([...bundles, count])
    this.#isWhole = Uint8Array.from(bundles, (first, i) => {
      return (this.#bundles[i + 1] as number) - first > 1 ? 1 : 0
    })
    this.#places = new Int32Array(count)
    this.#used = bundles.length
    this.#first = new Int32Array(rows)
    this.#end = new Int32Array(rows)
    const order = new Set<number>()
    for (const [bundle, first] of bundles.entries()) {
      const { from } = edges[first] as FluidEdge
      this.#places.fill(bundle, first, this.#bundles[bundle + 1])
      if (!order.has(from)) this.#first[from] = bundle
      order.add(from)
      this.#end[from] = bundle + 1
    }
    const into: number[][] = Array.from({ length: rows }, () => [])
    for (const [i, { to, link }] of edges.entries()) {
      into[to]?.push(i)
      if (link !== undefined) into[hosts + link]?.push(i)
    }
    order.delete(0)
    this.#order = Int32Array.from(order)
    this.#in = into.map((list) => Int32Array.from(list))
    this.#wanted = new Float64Array(Math.max(rows, count))
  }

  /** What an edge has carried. */
  sent(edge: number): number {
    return this.#sent[this.#places[edge] as number] as number
  }

  /** What an edge carried in the last step. */
  moved(edge: number): number {
    return this.#moved[this.#places[edge] as number] as number
  }

  /** Bytes for the origin to send on one of its edges, behind those before to the same node. */
  list(edge: number, bytes: number): void {
    const to = this.#to[edge] as number
    const queue = this.#queues.get(to) ?? []
    this.#queues.set(to, queue)
    this.listed[edge] = (this.listed[edge] as number) + bytes
    const last = queue.at(-1)
    if (last?.edge === edge) last.bytes += bytes
    else queue.push({ edge, bytes })
  }

  /** Bytes that a node asks of another, who has them. */
  ask(edge: number, bytes: number): void {
    this.listed[edge] = (this.listed[edge] as number) + bytes
  }

  /** Listed on the origin's feed to this row and not sent. */
  queuedTo(row: number): number {
    return (this.#queues.get(row) ?? []).reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** What of an edge has arrived. */
  arrived(edge: number): number {
    const past = this.#past
    const late = past[(this.#at + this.#back) % past.length] as Float64Array
    const later = past[(this.#at + this.#back + 1) % past.length] as Float64Array
    const place = this.#places[edge] as number
    return (late[place] as number) * (1 - this.#part) + (later[place] as number) * this.#part
  }

  /** What has arrived at a row. */
  arrivedAt(row: number): number {
    return (this.#in[row] as Int32Array).reduce((sum, edge) => sum + this.arrived(edge), 0)
  }

  /** What has come to the sender of an edge and is not sent on. */
  waits(edge: number): number {
    const parent = this.#parents[edge] as number
    const come = parent < 0 ? (this.listed[edge] as number) : this.arrived(parent)
    return Math.max(0, come - this.sent(edge))
  }

  /** One step; `areRelaysOpen`: nodes pass on what they have. */
  step(areRelaysOpen: boolean): void {
    const past = this.#past
    this.#at = (this.#at + past.length - 1) % past.length
    const now = past[this.#at] as Float64Array
    now.set(this.#sent.subarray(0, this.#used))
    this.#moved.fill(0, 0, this.#used)
    this.#offered.fill(0)
    const room = this.#room
    for (let row = 0; row < room.length; row++) {
      const each = this.#downlinks[row] as number
      room[row] = Math.min(roomSteps * each, (room[row] as number) + each)
    }
    this.#sendFromOrigin(now)
    const late = past[(this.#at + this.#back) % past.length] as Float64Array
    const later = past[(this.#at + this.#back + 1) % past.length] as Float64Array
    if (areRelaysOpen) for (const row of this.#order) this.#sendFrom(row, late, later, now)
    this.#level()
  }

  #sendFromOrigin(now: Float64Array): void {
    const rows = [...this.#queues].filter(([, queue]) => queue.length > 0).map(([row]) => row)
    const wanted = this.#wanted
    for (const [i, row] of rows.entries())
      wanted[i] = Math.min(this.queuedTo(row), this.#levels[row] as number, this.#acrossTo(row))
    const level = waterLevel(wanted, rows.length, this.#uplinks[0] as number)
    for (const [i, row] of rows.entries()) {
      const queue = this.#queues.get(row) ?? []
      const via = this.#viaOf(queue[0]?.edge as number)
      const room = Math.min(this.#room[row] as number, this.#room[via] as number)
      let left = Math.min(wanted[i] as number, level, room)
      const offered = Math.min(this.queuedTo(row), level)
      this.#offered[row] = (this.#offered[row] as number) + offered
      this.#offered[via] = (this.#offered[via] as number) + offered
      for (let first = queue[0]; first !== undefined && left > 0; first = queue[0]) {
        const bytes = Math.min(first.bytes, left)
        this.#carry(first.edge, bytes, now)
        this.#wants[this.#places[first.edge] as number] = bytes
        left -= bytes
        first.bytes -= bytes
        if (first.bytes < crumb) {
          this.#carry(first.edge, first.bytes, now)
          queue.shift()
        }
      }
    }
  }

  #sendFrom(row: number, late: Float64Array, later: Float64Array, now: Float64Array): void {
    const first = this.#first[row] as number
    const end = this.#end[row] as number
    const [bundles, wants] = [this.#bundles, this.#wants]
    const base = bundles[first] as number
    let sum = 0
    for (let bundle = first; bundle < end; bundle++) {
      const begin = bundles[bundle] as number
      const behind = bundles[bundle + 1] as number
      if (this.#isWhole[bundle] === 1) {
        const waits = this.#waiting(begin, late, later)
        if (!this.#isLevelled || this.#takes(this.#levels, begin, behind, waits)) {
          wants[bundle] = waits
          for (let edge = begin; edge < behind; edge++) sum += waits
          continue
        }
        this.#split(bundle)
      }
      for (let edge = begin; edge < behind; edge++) {
        const waits = this.#waiting(edge, late, later)
        const limit = this.#levelOf(edge)
        const want = waits < limit ? waits : limit
        wants[this.#places[edge] as number] = waits
        this.#wanted[edge - base] = want
        sum += want
      }
    }
    if (sum === 0) return
    const level = this.#levelFor(row, sum)
    for (let bundle = first; bundle < end; bundle++) {
      const begin = bundles[bundle] as number
      const behind = bundles[bundle + 1] as number
      if (this.#isWhole[bundle] === 1) {
        const waits = wants[bundle] as number
        if (waits === 0) continue
        const bytes = Math.min(waits, level)
        if (this.#takes(this.#room, begin, behind, bytes)) {
          this.#carryBundle(row, bundle, bytes, now)
          continue
        }
        this.#want(bundle, base)
        this.#split(bundle)
      }
      for (let edge = begin; edge < behind; edge++)
        this.#sendOn(edge, this.#wanted[edge - base] as number, level, now)
    }
  }

  /** What has come for an edge of a node by now, and is not sent on. */
  #waiting(edge: number, late: Float64Array, later: Float64Array): number {
    const parent = this.#parents[edge] as number
    let come = this.listed[edge] as number
    if (parent >= 0) {
      const place = this.#places[parent] as number
      come = (late[place] as number) * (1 - this.#part) + (later[place] as number) * this.#part
    }
    return Math.max(0, come - (this.#sent[this.#places[edge] as number] as number))
  }

  /** Whether all receivers of a bundle have room, or take, so much. */
  #takes(most: Float64Array, begin: number, behind: number, bytes: number): boolean {
    const tos = this.#to
    for (let edge = begin; edge < behind; edge++)
      if ((most[tos[edge] as number] as number) < bytes) return false
    return true
  }

  /** What the receiver of an edge takes, and the link to it. */
  #levelOf(edge: number): number {
    const level = this.#levels[this.#to[edge] as number] as number
    if (this.#via === null) return level
    return Math.min(level, this.#levels[this.#via[edge] as number] as number)
  }

  /** Up to which a row sends on each edge, where that is so much together. */
  #levelFor(row: number, sum: number): number {
    const uplink = this.#uplinks[row] as number
    if (sum <= uplink) return Number.POSITIVE_INFINITY
    const [first, end] = [this.#first[row] as number, this.#end[row] as number]
    const base = this.#bundles[first] as number
    for (let bundle = first; bundle < end; bundle++)
      if (this.#isWhole[bundle] === 1) this.#want(bundle, base)
    return waterLevel(this.#wanted, (this.#bundles[end] as number) - base, uplink)
  }

  /** The same on each edge of a bundle; `base`: the first edge of its sender. */
  #want(bundle: number, base: number): void {
    const [begin, behind] = [this.#bundles[bundle], this.#bundles[bundle + 1]] as [number, number]
    this.#wanted.fill(this.#wants[bundle] as number, begin - base, behind - base)
  }

  #sendOn(edge: number, wanted: number, level: number, now: Float64Array): void {
    const to = this.#to[edge] as number
    const place = this.#places[edge] as number
    const want = Math.min(this.#wants[place] as number, level)
    this.#wants[place] = want
    this.#offered[to] = (this.#offered[to] as number) + want
    let room = this.#room[to] as number
    if (this.#via !== null) {
      const via = this.#via[edge] as number
      this.#offered[via] = (this.#offered[via] as number) + want
      room = Math.min(room, this.#room[via] as number)
    }
    const bytes = Math.min(wanted, level, room)
    if (bytes > 0) this.#carry(edge, bytes, now)
  }

  /** As much on each edge of a bundle. */
  #carryBundle(row: number, bundle: number, bytes: number, now: Float64Array): void {
    const [offered, room, received, tos] = [this.#offered, this.#room, this.receivedBytes, this.#to]
    const behind = this.#bundles[bundle + 1] as number
    let sent = this.sentBytes[row] as number
    for (let edge = this.#bundles[bundle] as number; edge < behind; edge++) {
      const to = tos[edge] as number
      offered[to] = (offered[to] as number) + bytes
      room[to] = (room[to] as number) - bytes
      received[to] = (received[to] as number) + bytes
      sent += bytes
    }
    this.sentBytes[row] = sent
    this.#wants[bundle] = bytes
    this.#sent[bundle] = now[bundle] = (this.#sent[bundle] as number) + bytes
    this.#moved[bundle] = (this.#moved[bundle] as number) + bytes
  }

  /** From now on its edges differ: all but the first go to new places. */
  #split(bundle: number): void {
    this.#isWhole[bundle] = 0
    const behind = this.#bundles[bundle + 1] as number
    const all = [this.#sent, this.#moved, this.#wants, ...this.#past]
    for (let edge = (this.#bundles[bundle] as number) + 1; edge < behind; edge++) {
      const place = this.#used++
      this.#places[edge] = place
      for (const each of all) each[place] = each[bundle] as number
    }
  }

  #carry(edge: number, bytes: number, now: Float64Array): void {
    const from = this.#from[edge] as number
    const to = this.#to[edge] as number
    const place = this.#places[edge] as number
    const sent = (this.#sent[place] as number) + bytes
    this.#sent[place] = sent
    now[place] = sent
    this.#moved[place] = (this.#moved[place] as number) + bytes
    this.sentBytes[from] = (this.sentBytes[from] as number) + bytes
    this.receivedBytes[to] = (this.receivedBytes[to] as number) + bytes
    this.#room[to] = (this.#room[to] as number) - bytes
    if (this.#via === null) return
    const via = this.#via[edge] as number
    this.#room[via] = (this.#room[via] as number) - bytes
  }

  #viaOf(edge: number): number {
    return this.#via?.[edge] ?? 0
  }

  /** How much the link between the sites takes of what the origin sends to a row. */
  #acrossTo(row: number): number {
    const edge = this.#queues.get(row)?.[0]?.edge as number
    return this.#levels[this.#viaOf(edge)] as number
  }

  /** How much each receiver takes of each edge in the next step; links between sites come first. */
  #level(): void {
    const wanted = this.#wanted
    const hosts = this.receivedBytes.length
    this.#isLevelled = false
    for (let row = this.#levels.length - 1; row > 0; row--) {
      const each = this.#downlinks[row] as number
      const room = Math.min(roomSteps * each, (this.#room[row] as number) + each)
      if ((this.#offered[row] as number) <= room) {
        this.#levels[row] = Number.POSITIVE_INFINITY
        continue
      }
      const edges = this.#in[row] as Int32Array
      this.#isLevelled = true
      for (let i = 0; i < edges.length; i++)
        wanted[i] = this.#wants[this.#places[edges[i] as number] as number] as number
      this.#levels[row] = waterLevel(wanted, edges.length, room)
      if (row >= hosts) this.#cut(edges, this.#levels[row] as number)
    }
  }

  /** What does not cross a link is not offered to the receivers behind it. */
  #cut(edges: Int32Array, level: number): void {
    const [wants, offered] = [this.#wants, this.#offered]
    for (const edge of edges) {
      const place = this.#places[edge] as number
      const surplus = (wants[place] as number) - level
      if (surplus <= 0) continue
      wants[place] = level
      const to = this.#to[edge] as number
      offered[to] = (offered[to] as number) - surplus
    }
  }
}

/** The level up to which so many wishes are met where together they are no more than `room`. */
export function waterLevel(wishes: Float64Array, count: number, room: number): number {
  let level = 0
  for (let met = -1; ; ) {
    let sum = 0
    let above = 0
    for (let i = 0; i < count; i++) {
      const wish = wishes[i] as number
      if (wish <= level) sum += wish
      else above++
    }
    if (above === 0) return Number.POSITIVE_INFINITY
    const next = (room - sum) / above
    if (next <= level || above === met) return Math.max(next, level)
    met = above
    level = next
  }
}
