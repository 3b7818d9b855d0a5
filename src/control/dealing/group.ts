/**
 * Dealing in windows: a relay is dealt the next unit when it has room, so that nobody waits long
 * for a byte that is queued elsewhere (Kumar & Ross, HotWeb 2006, for the bound; the queues are
 * those of Mutualcast). Which unit that is, and whose turn, the stock knows (stock.ts).
 *
 * The idea: every relay has a short queue of bytes it was dealt and has not forwarded: what is
 * still on the origin's feed plus the backlog of its worst feed to a mate. A queue may hold a
 * window of a tenth of a second of that relay's own rate. When all windows are full and the origin
 * itself would run dry, its spare uplink sends a unit directly to everybody. A relay that falls
 * silent or stands still is dealt nothing, and what it has not forwarded goes back to the stock
 * (out-relays.ts); a receiver that most relays find slow no longer counts in their backlog.
 *
 * A unit is a range of bytes; blocks do not matter here. It must never wait for a slow receiver,
 * and never grow a window to fill an idle origin: a network limited by its relays fills any window.
 */
import { KIB, limits, MIB } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Role, Strategy } from '../messages/types.js'
import { Chain } from '../plan/chain.js'
import type { Dealer, DealerFact, Send, SendReason } from './dealer.js'
import { DirectAnswers } from './direct-answers.js'
import { LagVotes } from './lag-votes.js'
import { lastUnits } from './last-units.js'
import { able, isIn, OutRelays } from './out-relays.js'
import { OwnUplink } from './own-uplink.js'
import { DealtRelay } from './relay-queue.js'
import { SlowRelays } from './slow-relays.js'
import type { Stock } from './stock.js'
import { wholePages } from './units.js'

/** The origin looks at its feeds this often. */
const tickMs = 10
/** Units go to everybody only when relays have said how fast they are. */
const directAfterMs = 100
/** A feed that has moved nothing for this long stands still. */
const feedStandMs = 600
/** Without relays: a unit that goes to everybody, and what may wait on a feed before the next. */
const directUnitBytes = 32 * KIB
const directQueueMax = 1 * MIB
/**
 * A file is dealt in so many units at most: each is a piece that the tables of relays
 * (limits.landedPieces) and what is known of them here have to hold.
 */
const unitsMax = limits.landedPieces / 2

export class GroupDealer implements Dealer {
  readonly shape = 'group'
  readonly chain = new Chain({ shape: 'group' })
  readonly #stock: Stock
  readonly #relays = new Map<number, DealtRelay>()
  readonly #answers = new DirectAnswers()
  readonly #lag = new LagVotes()
  readonly #out = new OutRelays()
  readonly #slow: SlowRelays
  /** What nodes that are gone had forwarded, as far as was known. */
  readonly #left = new Map<number, RangeSet>()
  /** Receivers that a relay does not reach. */
  readonly #cut = new Map<number, Set<number>>()
  readonly #rates: () => ReadonlyMap<number, number>
  #expected: ReadonlyMap<number, number> | undefined
  readonly #holes: readonly RangePair[]
  readonly #isLastRelieved: boolean
  #startMs = 0
  /** When the counters of the origin's feeds were read last; undefined: never. */
  #countedMs: number | undefined
  #own = new OwnUplink(0, tickMs)
  #unitBytesMin = 0
  /** What each relay gets when all get the same. */
  #shareBytes = 0
  #tickAtMs: number | null = null
  /** Bytes of units that went to everybody, for the record of what limited the transfer. */
  directBytes = 0

  /**
   * `rates`: bytes a second that each node is expected to forward, where anything is known. Asked
   * once, when dealing begins.
   * `holes`: large ranges without data, which are no work for a relay. `isLastRelieved`: at the end
   * what the slowest relay has left goes to everybody; not where nodes pass relayed bytes on, too:
   * each byte has one route there.
   */
  constructor(
    stock: Stock,
    rates: () => ReadonlyMap<number, number> = () => new Map(),
    holes: readonly RangePair[] = [],
    isLastRelieved = true,
    demoteBelow = 0,
  ) {
    this.#slow = new SlowRelays(demoteBelow)
    this.#stock = stock
    this.#rates = rates
    this.#holes = holes
    this.#isLastRelieved = isLastRelieved
  }

  get strategy(): Strategy {
    return this.#stock.strategy
  }

  get reportMs(): number {
    return this.#stock.reportMs
  }

  mayRelay(node: number): boolean {
    return this.#stock.mayRelay(node)
  }

  share(node: number): RangePair | null {
    return this.#stock.share(node)
  }

  dealt(node: number): readonly RangePair[] {
    return (this.#relays.get(node)?.dealt ?? this.#left.get(node))?.toArray() ?? []
  }

  along(): readonly RangePair[] {
    return []
  }

  dealtBytes(node: number): number {
    return (this.#relays.get(node)?.dealt ?? this.#left.get(node))?.bytes ?? 0
  }

  get openBytes(): number {
    return this.#stock.openBytes
  }

  queueBytes(node: number): number | null {
    return Math.max(0, Math.round(this.#relays.get(node)?.queue ?? 0))
  }

  claimedBytes(node: number): number | null {
    const relay = this.#relays.get(node)
    return relay === undefined ? null : this.#stock.claimedBytes(relay)
  }

  /** Nodes whose backlog is not to count: they lag, catch up, or have gone silent. */
  excluded(): readonly number[] {
    const silent = [...this.#relays.values()]
      .filter((relay) => relay.isSilent || relay.out !== 'no')
      .map((relay) => relay.node)
    const { lagging, catchingUp } = this.#lag
    return [...new Set([...lagging, ...catchingUp, ...silent])].sort((a, b) => a - b)
  }

  get demoted(): readonly number[] {
    return [...this.#relays.values()].filter(({ isSlow }) => isSlow).map(({ node }) => node)
  }

  deadlineMs(): number | null {
    return this.#tickAtMs
  }

  /** What a relay passes on waits further on: this many bytes at the slowest place. */
  beyond(node: number, backlogBytes: number): void {
    this.#relays.get(node)?.beyond(backlogBytes)
  }

  /** What a node that is no relay here lacks and nobody else brings, as far as it is dealt. */
  bring(node: number, missing: readonly RangePair[], nowMs: number): Send[] {
    const wanted = RangeSet.of(missing)
    this.#stock.subtractFrom(wanted)
    return this.#listed(this.#answers.bring(node, wanted.toArray(), nowMs))
  }

  handle(fact: DealerFact): Send[] {
    switch (fact.type) {
      case 'started':
        this.#stock.start(fact.nodes, fact.leftOut ? [fact.leftOut] : [], this.#holes)
        return this.#start(fact)
      case 'grown':
        this.#stock.grow(fact.range)
        // A short append would wait for the next tick as long as for all else together.
        return this.#tickAtMs === null ? [] : this.#deal(fact.nowMs)
      case 'floored':
        this.#floored(fact.bytes)
        return []
      case 'nodeJoined':
        return this.#join(fact)
      case 'reported': {
        const relay = this.#relays.get(fact.node)
        if (relay === undefined) return []
        this.#out.heard(relay, this.#relays.values(), fact.nowMs)
        relay.reported(fact, fact.nowMs)
        this.#lag.reported(fact.node, fact.landedBytes, fact.behind, fact.atMs)
        // Dealt upon at the next tick: a deal for every report cost more than it gained.
        return []
      }
      case 'counted': {
        const relay = this.#relays.get(fact.node)
        relay?.counted(fact, fact.nowMs)
        this.#countedMs = fact.atMs
        const { node, queuedBytes, nowMs } = fact
        return this.#listed(this.#answers.counted(node, queuedBytes, nowMs, relay?.window))
      }
      case 'needed':
        return this.#listed(this.#answers.answer(fact.scratch ? fact : this.#asDealt(fact)))
      case 'bypassed':
        return this.#listed(this.#answers.bypass(fact))
      case 'nodeFailed':
        return this.#fail(fact.node, fact.nowMs)
      case 'edgeLost':
        this.#cut.set(fact.from, (this.#cut.get(fact.from) ?? new Set()).add(fact.to))
        return []
      case 'edgeBack':
        this.#cut.get(fact.from)?.delete(fact.to)
        return []
      case 'rested': {
        const relay = this.#relays.get(fact.node)
        if (relay === undefined) return []
        relay.isResting = fact.isResting
        this.#stock.takeBack(relay)
        return this.#deal(fact.nowMs)
      }
      case 'confirmed':
        this.#relays.get(fact.node)?.confirm()
        return []
      case 'distrusted': {
        const relay = this.#relays.get(fact.node)
        if (relay === undefined) return []
        relay.isTrusted = false
        this.#stock.takeBackClaims(relay)
        return this.#deal(fact.nowMs)
      }
      case 'ticked':
        return this.#tick(fact.nowMs)
      default:
        return fact satisfies never
    }
  }

  #start({ nodes, mirrors, gateways, isGrowing, nowMs }: DealerFact & { type: 'started' }): Send[] {
    this.#startMs = nowMs
    // Of what grows the pieces before the floor are forgotten.
    this.#unitBytesMin = isGrowing ? 0 : wholePages(this.#stock.openBytes / unitsMax)
    this.#shareBytes = this.#stock.openBytes / Math.max(1, nodes.length)
    this.#own = new OwnUplink(nowMs, tickMs, this.#stock.isSpareOwed)
    for (const node of nodes) {
      const role = mirrors?.has(node) ? 'mirror' : gateways?.has(node) ? 'gateway' : 'receiver'
      this.#relays.set(node, this.#relayOf(node, nowMs, role))
    }
    this.#lag.started(this.#receivers.map(({ node }) => node))
    this.#tickAtMs = nowMs + tickMs
    return [...this.#dealHoles(), ...this.#deal(nowMs)]
  }

  #floored(bytes: number): void {
    this.#stock.forget(bytes)
    this.#answers.floored(bytes)
    for (const relay of this.#relays.values()) relay.forget(bytes)
    for (const ranges of this.#left.values()) ranges.remove(0, bytes)
  }

  /** A hole is one small record, however long it is: to everybody at once, behind nothing. */
  #dealHoles(): Send[] {
    const sends: Send[] = []
    for (const relay of this.#receivers) {
      for (const [offset, length] of this.#holes) {
        relay.listedHole(length)
        const hole = { offset, length, relay: false, scratch: false }
        sends.push({ ...hole, node: relay.node, why: 'hole' })
      }
    }
    return sends
  }

  /** It relays from now on like the others, with an empty queue. */
  #join({ node, missing, role, nowMs }: DealerFact & { type: 'nodeJoined' }): Send[] {
    const relay = this.#relayOf(node, nowMs, role)
    this.#relays.set(node, relay)
    // Only who is to have the file is brought anything.
    if (relay.role !== 'receiver') return this.#deal(nowMs)
    this.#lag.joined(node)
    return [...this.bring(node, missing, nowMs), ...this.#deal(nowMs)]
  }

  /** The part of a need that was dealt: the rest comes with the deal, and then from relays. */
  #asDealt(fact: DealerFact & { type: 'needed' }): DealerFact & { type: 'needed' } {
    const wanted = RangeSet.of(fact.ranges)
    this.#stock.subtractFrom(wanted)
    return { ...fact, ranges: wanted.toArray() }
  }

  #tick(nowMs: number): Send[] {
    if (this.#tickAtMs === null || nowMs < this.#tickAtMs) return []
    this.#tickAtMs = nowMs + tickMs
    this.#lookAtUplink(nowMs)
    this.#lag.ticked(nowMs)
    const relays = [...this.#relays.values()]
    for (const relay of this.#out.look(relays, nowMs)) this.#stock.takeBack(relay)
    if (this.#out.isOwnSide) return []
    for (const relay of this.#slow.look(this.#worth(relays), nowMs)) this.#stock.takeBack(relay)
    const sends = this.#deal(nowMs)
    if (this.#stock.openBytes > 0) {
      if (nowMs - this.#startMs >= directAfterMs) this.#dealDirectly(sends, nowMs)
    } else if (this.#isLastRelieved) this.#end(sends)
    return sends
  }

  #lookAtUplink(nowMs: number): void {
    if (this.#countedMs !== undefined) {
      let arrived = 0
      for (const relay of this.#relays.values()) arrived += relay.sentBytes - relay.unackedBytes
      this.#own.sent(arrived, this.#countedMs)
    }
    this.#own.look(this.#level(nowMs), nowMs)
  }

  #end(sends: Send[]): void {
    for (const { range, others } of lastUnits([...this.#relays.values()], this.#own, this.#stock)) {
      this.directBytes += range[1]
      for (const relay of others) this.#sendPast(relay, range, 'everybody', sends)
    }
  }

  #fail(node: number, nowMs: number): Send[] {
    const relay = this.#relays.get(node)
    this.#answers.forget(node)
    this.#lag.left(node)
    if (relay === undefined) return []
    this.#stock.takeBack(relay)
    this.#relays.delete(node)
    this.#left.set(node, relay.dealt)
    return this.#deal(nowMs)
  }

  #deal(nowMs: number): Send[] {
    if (this.#out.isOwnSide) return []
    const sends: Send[] = []
    const live = [...this.#relays.values()].filter(
      ({ node, isSilent }) => !isSilent && this.#canRelay(node) && this.#stock.mayRelay(node),
    )
    if (live.length === 0) return this.#dealWithoutRelays()
    const farthestMs = Math.max(...this.#receivers.map(({ rttMs }) => rttMs), 0)
    for (const relay of live) relay.look(nowMs, this.#own.lateMs, farthestMs)
    const choose = this.#stock.chooser(this.#worth(live), (node) => this.#lag.lagging.has(node))
    for (let relay = choose(); relay !== undefined; relay = choose())
      this.#dealUnit(relay, sends, nowMs)
    return sends
  }

  readonly #canRelay = (node: number): boolean => {
    const relay = this.#relays.get(node)
    return relay !== undefined && isIn(relay)
  }

  /** Where the origin is the limit: each node that a relay does not reach costs it a copy. */
  #worth(live: readonly DealtRelay[]): readonly DealtRelay[] {
    if (this.#own.isIdle || this.#stock.isSpareOwed) return live
    const whole = live.filter(({ node }) => !this.#cut.get(node)?.size)
    return whole.length > 0 ? whole : live
  }

  #dealUnit(relay: DealtRelay, sends: Send[], nowMs: number): void {
    const [offset, length] = this.#stock.take(relay.node, relay.unitBytes)
    relay.deal(offset, length, nowMs)
    const unit = { offset, length, scratch: false }
    // Marked also while it is alone: that is its history for a node that joins.
    sends.push({ ...unit, node: relay.node, relay: true, why: 'share' })
    for (const node of this.#cut.get(relay.node) ?? []) {
      const beyond = this.#relays.get(node)
      if (beyond !== undefined) this.#sendPast(beyond, [offset, length], 'bypass', sends)
    }
  }

  /** A unit past the relays; a node that is far behind gets it later. */
  #sendPast(to: DealtRelay, range: RangePair, why: SendReason, sends: Send[]): void {
    if (this.#answers.isBehind(to.node, to.queuedBytes))
      return this.#answers.owe(to.node, range, why)
    const [offset, length] = range
    to.listedPast(length)
    sends.push({ node: to.node, offset, length, relay: false, scratch: false, why })
  }

  /** Those by whose feeds it is judged whether the origin has something to send. */
  #level(nowMs: number): readonly DealtRelay[] {
    const heard = this.#receivers.filter((relay) => !relay.isSilent)
    // What waits for a node behind the others, or does not move, keeps the origin busy for nobody.
    const { lagging, catchingUp } = this.#lag
    const level = heard.filter((relay) => {
      const isBehind = lagging.has(relay.node) || catchingUp.has(relay.node)
      return relay.out === 'no' && !isBehind && relay.feedStoodMs(nowMs) < feedStandMs
    })
    return level.length > 0 ? level : able(heard)
  }

  /**
   * The origin's spare uplink, when every relay is full. Nobody is left out, not even the silent.
   */
  #dealDirectly(sends: Send[], nowMs: number): void {
    const level = this.#level(nowMs)
    let queued = level.reduce((sum, relay) => sum + relay.queuedBytes, 0)
    while (level.length > 0 && this.#hasSpare && this.#own.wants(queued)) {
      const bytes = this.#unitToAll(sends, this.#own.unitBytes)
      this.#own.helped(bytes)
      queued += bytes * level.length
    }
  }

  /** Nobody can relay: everybody who is left, silent or lagging, is still sent what it misses. */
  #dealWithoutRelays(): Send[] {
    const sends: Send[] = []
    const relays = able(this.#receivers)
    while (this.#hasSpare && relays.length > 0) {
      if (relays.some((relay) => this.#isBusy(relay))) break
      this.#unitToAll(sends, directUnitBytes)
    }
    return sends
  }

  /** What brings one node level with the others keeps the origin busy for nobody else. */
  #isBusy({ node, queuedBytes }: DealtRelay): boolean {
    const areLevel = this.#lag.catchingUp.size < this.#receivers.length
    if (areLevel && this.#lag.catchingUp.has(node)) return false
    return queuedBytes > directQueueMax || this.#answers.isBehind(node, queuedBytes)
  }

  get #hasSpare(): boolean {
    return this.#stock.hasSpare(this.#canRelay)
  }

  /** Those that are to have the file. */
  get #receivers(): DealtRelay[] {
    return [...this.#relays.values()].filter((relay) => relay.role === 'receiver')
  }

  #relayOf(node: number, nowMs: number, role?: Role): DealtRelay {
    this.#expected ??= this.#rates()
    const rate = this.#expected.get(node)
    return new DealtRelay(node, nowMs, rate, this.#unitBytesMin, this.#shareBytes, role)
  }

  #unitToAll(sends: Send[], least: number): number {
    const bytes = Math.max(least, this.#unitBytesMin)
    const [offset, length] = this.#stock.takeSpare(bytes, this.#canRelay)
    this.directBytes += length
    for (const relay of this.#receivers) this.#sendPast(relay, [offset, length], 'everybody', sends)
    return length
  }

  #listed(sends: Send[]): Send[] {
    for (const send of sends) this.#relays.get(send.node)?.listed(send.length)
    return sends
  }
}
