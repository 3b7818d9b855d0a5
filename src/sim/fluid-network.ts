/**
 * Bytes as a fluid: what flows along each route of a plan, step by step.
 *
 * The idea: a way is a tree of edges, and all that is known of an edge is how much it has carried.
 * In a step an edge carries what has come to its sender on the edge before, a latency ago, as far
 * as the uplink of the sender shares out; a receiver that is offered more than its downlink takes
 * says in the next step how much it takes of each. Senders are looked at in the order in which
 * bytes come to them, so a hop costs its latency and no step. Rates are in bytes a step.
 */
export interface FluidEdge {
  /** Rows of hosts: the origin's is 0. */
  readonly from: number
  readonly to: number
  /** Index of the edge that brings what this one passes on; -1: its sender has all of it. */
  readonly parent: number
  /** It comes from no mate. */
  readonly isEntry: boolean
  /** Index of the link between sites that it crosses. */
  readonly link?: number | undefined
}

/** What a downlink has not used it may use within so many steps: arrivals are no even stream. */
const roomSteps = 4
/** What counts as nothing: sums of fractions are not exact. */
const crumb = 0.5

export class FluidNetwork {
  readonly sent: Float64Array
  /** By row, all that was sent to it. */
  readonly receivedBytes: Float64Array
  /** What an edge carried in the last step. */
  readonly moved: Float64Array
  /** Bytes that have left each row. */
  readonly sentBytes: Float64Array
  /** Of edges without another before: what was listed or asked for so far. */
  readonly listed: Float64Array
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
  /** Senders but for the origin, in the order of their edges, and where those begin and end. */
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
    this.sent = new Float64Array(count)
    this.moved = new Float64Array(count)
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
    this.#first = new Int32Array(rows)
    this.#end = new Int32Array(rows)
    const order = new Set<number>()
    const into: number[][] = Array.from({ length: rows }, () => [])
    for (const [i, { from, to, link }] of edges.entries()) {
      if (!order.has(from)) this.#first[from] = i
      order.add(from)
      this.#end[from] = i + 1
      into[to]?.push(i)
      if (link !== undefined) into[hosts + link]?.push(i)
    }
    order.delete(0)
    this.#order = Int32Array.from(order)
    this.#in = into.map((list) => Int32Array.from(list))
    const most = into.reduce((max, { length }) => Math.max(max, length), rows)
    this.#wanted = new Float64Array(Math.max(most, count > 0 ? this.#mostOut() : 0))
  }

  #mostOut(): number {
    return this.#order.reduce((most, row) => {
      return Math.max(most, (this.#end[row] as number) - (this.#first[row] as number))
    }, 0)
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
    return (late[edge] as number) * (1 - this.#part) + (later[edge] as number) * this.#part
  }

  /** What has arrived at a row. */
  arrivedAt(row: number): number {
    return (this.#in[row] as Int32Array).reduce((sum, edge) => sum + this.arrived(edge), 0)
  }

  /** What has come to the sender of an edge and is not sent on. */
  waits(edge: number): number {
    const parent = this.#parents[edge] as number
    const come = parent < 0 ? (this.listed[edge] as number) : this.arrived(parent)
    return Math.max(0, come - (this.sent[edge] as number))
  }

  /** One step; `areRelaysOpen`: nodes pass on what they have. */
  step(areRelaysOpen: boolean): void {
    const past = this.#past
    this.#at = (this.#at + past.length - 1) % past.length
    const now = past[this.#at] as Float64Array
    now.set(this.sent)
    this.moved.fill(0)
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
        this.#wants[first.edge] = bytes
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
    const [wanted, wants, tos, vias] = [this.#wanted, this.#wants, this.#to, this.#via]
    const part = this.#part
    let sum = 0
    for (let edge = first; edge < end; edge++) {
      const parent = this.#parents[edge] as number
      const come =
        parent < 0
          ? (this.listed[edge] as number)
          : (late[parent] as number) * (1 - part) + (later[parent] as number) * part
      const waits = Math.max(0, come - (this.sent[edge] as number))
      let limit = this.#levels[tos[edge] as number] as number
      if (vias !== null) limit = Math.min(limit, this.#levels[vias[edge] as number] as number)
      const want = waits < limit ? waits : limit
      wants[edge] = waits
      wanted[edge - first] = want
      sum += want
    }
    if (sum === 0) return
    const uplink = this.#uplinks[row] as number
    const level = sum <= uplink ? Number.POSITIVE_INFINITY : waterLevel(wanted, end - first, uplink)
    for (let edge = first; edge < end; edge++) {
      const to = tos[edge] as number
      const want = Math.min(wants[edge] as number, level)
      wants[edge] = want
      this.#offered[to] = (this.#offered[to] as number) + want
      let room = this.#room[to] as number
      if (vias !== null) {
        const via = vias[edge] as number
        this.#offered[via] = (this.#offered[via] as number) + want
        room = Math.min(room, this.#room[via] as number)
      }
      const bytes = Math.min(wanted[edge - first] as number, level, room)
      if (bytes > 0) this.#carry(edge, bytes, now)
    }
  }

  #carry(edge: number, bytes: number, now: Float64Array): void {
    const from = this.#from[edge] as number
    const to = this.#to[edge] as number
    const sent = (this.sent[edge] as number) + bytes
    this.sent[edge] = sent
    now[edge] = sent
    this.moved[edge] = (this.moved[edge] as number) + bytes
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
    for (let row = this.#levels.length - 1; row > 0; row--) {
      const each = this.#downlinks[row] as number
      const room = Math.min(roomSteps * each, (this.#room[row] as number) + each)
      if ((this.#offered[row] as number) <= room) {
        this.#levels[row] = Number.POSITIVE_INFINITY
        continue
      }
      const edges = this.#in[row] as Int32Array
      for (let i = 0; i < edges.length; i++) wanted[i] = this.#wants[edges[i] as number] as number
      this.#levels[row] = waterLevel(wanted, edges.length, room)
      if (row >= hosts) this.#cut(edges, this.#levels[row] as number)
    }
  }

  /** What does not cross a link is not offered to the receivers behind it. */
  #cut(edges: Int32Array, level: number): void {
    const [wants, offered] = [this.#wants, this.#offered]
    for (const edge of edges) {
      const surplus = (wants[edge] as number) - level
      if (surplus <= 0) continue
      wants[edge] = level
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
