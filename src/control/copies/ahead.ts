/**
 * The schedule that is computed ahead: which site has each part of each file from which other one.
 *
 * The idea: what two sites copy from each other is paid by the byte, and links between them are
 * what all files share. So a file is cut into slices, and each takes the cheapest tree of the sites
 * that want it, at prices that rise with how full a link is already. A first round knows no cost:
 * it finds how soon all could be done. The second knows the cost, and may use each link for that
 * time and the slack that was granted; and then each slice is taken out once more and put where it
 * is cheapest now. Inside a site nodes exchange: each byte comes into a site once.
 *
 * The prices of the first round are those of Garg and Könemann's multicommodity flows (SIAM J.
 * Comput. 37, 2007): they grow exponentially with the time that a link is busy.
 */
import { limits } from '../../base/limits.js'
import { cheapestTree } from './cheapest-tree.js'
import { copyUnitOf } from './copy-unit.js'
import type { Network, SiteId } from './network.js'

/** What nodes of a site carry together, in bytes a second. */
export interface SiteRates {
  readonly up: number
  readonly down: number
}

/** Bytes that some sites have and others want. */
export interface Spread {
  readonly bytes: number
  readonly holders: readonly SiteId[]
  /** None of the holders. */
  readonly wanting: readonly SiteId[]
  /** Whether one site may copy it from the other; always unless given. */
  readonly mayCopy?: (from: SiteId, to: SiteId) => boolean
}

/** A part of a file, and the site that each has it from. */
export interface Slice {
  readonly offset: number
  readonly length: number
  readonly from: ReadonlyMap<SiteId, SiteId>
}

export interface Ahead {
  /** For each spread, in their order; empty: some site cannot be reached. */
  readonly slices: readonly (readonly Slice[])[]
  /** How long the busiest resource is busy. */
  readonly seconds: number
  readonly cost: number
}

export interface AheadOptions {
  /** How much longer than the shortest time all may take, so that it costs less; 1 and more. */
  readonly slack: number
  readonly nowMs: number
  /** Of the nodes that hold or want any of it. */
  readonly ratesOf: (site: SiteId) => SiteRates
  /** What cannot be used now. */
  readonly isFailed?: (resource: number) => boolean
}

interface Piece {
  readonly spread: Spread
  readonly bytes: number
  /** Place 0 stands for all holders. */
  readonly places: readonly SiteId[]
  readonly placeOf: ReadonlyMap<SiteId, number>
  readonly holding: ReadonlySet<SiteId>
  /** By place. */
  from: readonly SiteId[] | null
}

const bytesPerGb = 1e9
const refinements = 2

export function planAhead(
  spreads: readonly Spread[],
  network: Network,
  options: AheadOptions,
): Ahead {
  const ways = spreads.reduce((sum, spread) => sum + waysOf(spread), 0)
  const most = Math.max(1, Math.min(limits.planSlices, Math.floor(limits.planWays / ways)))
  const pieces = spreads.map((spread) => piecesOf(spread, most))
  const plan = new Plan(network, options)
  for (let round = 0; round <= refinements; round++) {
    for (const piece of interleaved(pieces)) {
      plan.takeOut(piece)
      plan.fastest(piece)
    }
  }
  const seconds = plan.seconds
  for (let round = 0; round <= refinements; round++) {
    for (const piece of interleaved(pieces)) {
      plan.takeOut(piece)
      plan.cheapest(piece, seconds * options.slack)
    }
  }
  return {
    slices: pieces.map((some, i) => slicesOf(some, (spreads[i] as Spread).bytes)),
    seconds: plan.seconds,
    cost: plan.cost,
  }
}

/** About how many ways from one site to another a tree for it is chosen from. */
export function waysOf({ wanting: { length } }: Spread): number {
  return Math.max(1, length) * Math.min(Math.max(1, length), limits.exactTreeSites)
}

function piecesOf(spread: Spread, most: number): Piece[] {
  const { bytes, holders, wanting } = spread
  if (bytes === 0 || wanting.length === 0 || holders.length === 0) return []
  const count = Math.max(1, Math.min(most, Math.floor(bytes / limits.copyBytesMin)))
  const places = [holders[0] as SiteId, ...wanting]
  const placeOf = new Map(places.map((site, place) => [site, place]))
  const holding = new Set(holders)
  // No block is in two slices: it would cross for both.
  const unit = copyUnitOf(bytes)
  const bound = (i: number) => (i === count ? bytes : Math.floor((bytes * i) / count / unit) * unit)
  return Array.from({ length: count }, (_, i) => {
    const length = bound(i + 1) - bound(i)
    return { spread, bytes: length, places, placeOf, holding, from: null }
  })
}

/** The first slices of all, then the second ones. */
function* interleaved(pieces: readonly (readonly Piece[])[]): IterableIterator<Piece> {
  const most = pieces.reduce((max, { length }) => Math.max(max, length), 0)
  for (let i = 0; i < most; i++) {
    for (const some of pieces) {
      const piece = some[i]
      if (piece !== undefined) yield piece
    }
  }
}

function slicesOf(pieces: readonly Piece[], bytes: number): Slice[] {
  const slices: Slice[] = []
  let offset = 0
  for (const { bytes: length, places, from } of pieces) {
    if (from === null) return []
    const last = slices.at(-1)
    const parents = new Map(places.slice(1).map((site, i) => [site, from[i + 1] as SiteId]))
    // Neighbours that go the same way are one.
    if (last !== undefined && isSame(last.from, parents))
      slices[slices.length - 1] = { ...last, length: last.length + length }
    else slices.push({ offset, length, from: parents })
    offset += length
  }
  return offset === bytes ? slices : []
}

function isSame(a: ReadonlyMap<SiteId, SiteId>, b: ReadonlyMap<SiteId, SiteId>): boolean {
  if (a.size !== b.size) return false
  for (const [site, from] of a) if (b.get(site) !== from) return false
  return true
}

/** A resource of the network, or what the nodes of a site carry together, and what it has to. */
interface Load {
  readonly bytesPerSecond: number
  readonly costPerGb: number
  bytes: number
}

class Plan {
  readonly #network: Network
  readonly #options: AheadOptions
  readonly #loads = new Map<string | number, Load>()
  readonly #ways = new Map<number, readonly Load[] | null>()

  constructor(network: Network, options: AheadOptions) {
    this.#network = network
    this.#options = options
  }

  get seconds(): number {
    let most = 0
    for (const load of this.#loads.values()) most = Math.max(most, secondsOf(load, load.bytes))
    return most
  }

  get cost(): number {
    let cost = 0
    for (const { bytes, costPerGb } of this.#loads.values())
      cost += (bytes / bytesPerGb) * costPerGb
    return cost
  }

  takeOut(piece: Piece): void {
    this.#add(piece, -piece.bytes)
    piece.from = null
  }

  /** Puts a slice where all are done soonest. */
  fastest(piece: Piece): void {
    // What is twice as busy as all are by now costs e^3 times as much a second.
    const typical = Math.max(this.seconds, 1e-9)
    this.#put(piece, (load) => {
      const busy = secondsOf(load, load.bytes + piece.bytes)
      return (secondsOf(load, piece.bytes) + 1e-12) * Math.exp(Math.min(60, (3 * busy) / typical))
    })
  }

  /** Puts a slice where it costs least, and nothing is busy for longer where that can be. */
  cheapest(piece: Piece, seconds: number): void {
    const dearest = this.#dearest()
    this.#put(piece, (load) => {
      const busy = secondsOf(load, load.bytes + piece.bytes)
      // Too long is dearer than any way round, and the more so the longer it is.
      const over = busy > seconds * (1 + 1e-9) ? overPrice * (busy / Math.max(seconds, 1e-9)) : 0
      const full = (1e-3 * busy) / Math.max(seconds, 1e-9)
      return load.costPerGb + dearest * (over + full)
    })
  }

  #dearest(): number {
    let dearest = 0
    for (const { costPerGb } of this.#loads.values()) dearest = Math.max(dearest, costPerGb)
    return dearest === 0 ? 1 : dearest
  }

  #put(piece: Piece, priceOf: (load: Load) => number): void {
    const prices = new Map<Load, number>()
    const price = (load: Load): number => {
      let known = prices.get(load)
      if (known === undefined) {
        known = priceOf(load)
        prices.set(load, known)
      }
      return known
    }
    const nearest = new Map<number, SiteId>()
    const between = (from: SiteId, to: SiteId): number => {
      const way = this.#way(piece.spread, from, to)
      if (way === null) return Number.POSITIVE_INFINITY
      let sum = 0
      for (const load of way) sum += price(load)
      return sum
    }
    const priceFor = (from: number, to: number): number => {
      const target = piece.places[to] as SiteId
      if (from !== 0) return between(piece.places[from] as SiteId, target)
      let least = Number.POSITIVE_INFINITY
      for (const holder of this.#holdersFor(piece, target)) {
        const sum = between(holder, target)
        if (sum < least) nearest.set(to, holder)
        least = Math.min(least, sum)
      }
      return least
    }
    const { length } = piece.places
    const parents = cheapestTree(length, priceFor, (place) => this.#near(piece, place))
    if (parents === null) return
    piece.from = parents.map((from, to) =>
      from === 0 ? (nearest.get(to) as SiteId) : (piece.places[from] as SiteId),
    )
    this.#add(piece, piece.bytes)
  }

  /** Places to which a link leads from this one. */
  #near({ places, placeOf }: Piece, place: number): number[] {
    const near = this.#network.neighbours(places[place] as SiteId)
    return near.flatMap((site) => placeOf.get(site) ?? [])
  }

  /** Holders that may be the cheapest: of many those that are one link away, and some others. */
  #holdersFor({ spread: { holders }, holding }: Piece, target: SiteId): readonly SiteId[] {
    if (holders.length <= limits.holdersPlanned) return holders
    const near = this.#network.neighbours(target).filter((site) => holding.has(site))
    const step = Math.ceil(holders.length / limits.holdersPlanned)
    return [...near, ...holders.filter((_, i) => i % step === 0)]
  }

  #add(piece: Piece, bytes: number): void {
    if (piece.from === null) return
    for (let place = 1; place < piece.places.length; place++) {
      const [from, to] = [piece.from[place] as SiteId, piece.places[place] as SiteId]
      for (const load of this.#way(piece.spread, from, to) ?? []) load.bytes += bytes
    }
  }

  /** All that a copy from one site to another uses; null: it cannot be. */
  #way(spread: Spread, from: SiteId, to: SiteId): readonly Load[] | null {
    if (spread.mayCopy?.(from, to) === false) return null
    const key = from * limits.masterSites + to
    const known = this.#ways.get(key)
    if (known !== undefined) return known
    const way = this.#wayOf(from, to)
    this.#ways.set(key, way)
    return way
  }

  #wayOf(from: SiteId, to: SiteId): readonly Load[] | null {
    const { resources } = this.#network
    const route = this.#network.siteRoute(from, to)
    if (route === undefined) return null
    const { isFailed, nowMs, ratesOf } = this.#options
    const loads = route.resources.map((id) => {
      const { costPerGb = 0 } = resources.spec(id)
      return this.#load(id, resources.capability(id, nowMs), costPerGb)
    })
    const failed = route.resources.some((id) => isFailed?.(id) === true)
    if (failed || loads.some(({ bytesPerSecond }) => bytesPerSecond === 0)) return null
    const [{ up }, { down }] = [ratesOf(from), ratesOf(to)]
    if (up === 0 || down === 0) return null
    return [this.#load(`${from} up`, up, 0), ...loads, this.#load(`${to} down`, down, 0)]
  }

  #load(key: string | number, bytesPerSecond: number, costPerGb: number): Load {
    const known = this.#loads.get(key)
    if (known !== undefined) return known
    const load = { bytesPerSecond, costPerGb, bytes: 0 }
    this.#loads.set(key, load)
    return load
  }
}

/** What a link that is busy for too long costs, of what the dearest one does. */
const overPrice = 1_000

function secondsOf({ bytesPerSecond }: Load, bytes: number): number {
  return bytesPerSecond === Number.POSITIVE_INFINITY ? 0 : bytes / bytesPerSecond
}
