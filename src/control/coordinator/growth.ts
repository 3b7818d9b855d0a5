/**
 * What the coordinator does for a content that is still written: what has come is dealt and hashed,
 * nodes hear how much may come and how far all are, and the end is signed once it is known.
 *
 * The idea: everything else goes on as for any content, of which there happens to be more each
 * time. So this only moves three lines on: the frontier (what there is), what nodes may receive so
 * far, which runs ahead of it, and the floor (floor.ts), before which nobody keeps who was dealt
 * what. Whoever follows is told to ask mates for what lies before the floor.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { blockStart } from '../../base/sections.js'
import { ObservedRate } from '../members/observed.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { LagFigures } from '../messages/outcomes.js'
import { Cuts, type CutWish } from './cuts.js'
import type { OriginExchange } from './exchange.js'
import type { Extent } from './extent.js'
import { Floor } from './floor.js'
import { Lag } from './lag.js'
import type { OriginOutbox } from './outbox.js'
import type { OriginSource } from './source.js'

const never = Number.POSITIVE_INFINITY

export class OriginGrowth {
  readonly #extent: Extent
  readonly #source: OriginSource
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  readonly #exchange: OriginExchange
  readonly #cuts = new Cuts()
  readonly #floor = new Floor()
  readonly #lag = new Lag()
  readonly #rate = new ObservedRate()
  /** Dealt, or with the dealer from the start. */
  #dealtBytes: number
  /** So much may come, as all were told. */
  #toldBytes = 0
  /** Members of the floor. */
  readonly #members = new Set<Peer>()
  /** When the floor is looked at next; Infinity: nothing has moved. */
  #floorMs = never

  constructor(
    extent: Extent,
    source: OriginSource,
    peers: Peers,
    outbox: OriginOutbox,
    exchange: OriginExchange,
    nowMs: number,
  ) {
    this.#extent = extent
    this.#source = source
    this.#peers = peers
    this.#outbox = outbox
    this.#exchange = exchange
    this.#dealtBytes = extent.bytes
    this.#lag.grew(extent.bytes, nowMs)
  }

  /** Everything before this is verified at all who keep up. */
  get floorBytes(): number {
    return this.#floor.bytes
  }

  /** Whether the floor waits for this node. */
  isLevel(node: number): boolean {
    return this.#floor.isLevel(node)
  }

  /** Of one node; null: it has said nothing of itself. */
  lag(node: number): LagFigures | null {
    return this.#lag.of(node)
  }

  /** When `advance` has something to do although nothing else happens. */
  get dueMs(): number {
    if (!this.#exchange.isPlanned) return never
    return Math.min(this.#cuts.dueMs, this.#floorMs, this.#floor.dueMs)
  }

  /** There is so much now. */
  grew(bytes: number, isFinal: boolean, nowMs: number): void {
    const before = this.#extent.bytes
    if (!this.#extent.grow(bytes, isFinal)) return
    this.#lag.grew(this.#extent.bytes, nowMs)
    this.#rate.add(this.#extent.bytes, nowMs)
    // Who had all has its time again to land this.
    for (const peer of this.#peers.serving)
      if (peer.counts.reachedBytes >= before) peer.moved(nowMs)
  }

  /** The end of what there is was hashed. */
  cutMade({ type: _, ...run }: { type: 'cutMade'; digests: Uint8Array } & CutWish, nowMs: number) {
    this.#cuts.done(nowMs)
    this.#source.cut(run)
    this.#exchange.hashed(run.offset, run.length, nowMs)
    if (run.isFinal) for (const peer of this.#peers.serving) this.endTo(peer)
  }

  /** Where the content ends, by the origin itself: what mates passed on may be lost. */
  endTo(peer: Peer): void {
    if (this.#source.isEnded && peer.isReceiver && peer.phase === 'running')
      this.#exchange.digests.end(peer)
  }

  /** A node takes part from now on, and has its plan. */
  joins(peer: Peer, nowMs: number): void {
    if (peer.isReceiver) {
      const [first] = peer.had.have.present(0, this.#extent.bytes)
      peer.counts.reachedBytes = first?.[0] === 0 ? first[1] : 0
      this.#floor.joins(peer.node)
      this.#floor.reached(peer.node, this.#wholeOf(peer.counts.reachedBytes))
      this.#lag.joins(peer.node, peer.counts.reachedBytes, this.#extent.bytes)
      this.#members.add(peer)
      this.#stir(nowMs)
    }
    this.#outbox.say(peer, { type: 'grown', bytes: this.#mayCome() })
    this.endTo(peer)
  }

  /** Everything before `bytes` is verified there. False: that cannot be. */
  reached(peer: Peer, bytes: number, nowMs: number): boolean {
    if (bytes > this.#extent.bytes) return false
    const { counts } = peer
    if (bytes <= counts.reachedBytes) return true
    counts.reachedBytes = bytes
    peer.moved(nowMs)
    this.#floor.reached(peer.node, this.#wholeOf(bytes))
    this.#lag.reached(peer.node, bytes, nowMs)
    this.#stir(nowMs)
    return true
  }

  /** Whatever follows from what there is and from the time. */
  advance(nowMs: number): void {
    if (!this.#exchange.isPlanned) return
    const { bytes } = this.#extent
    if (this.#mayCome() > this.#toldBytes) this.#tellGrown()
    if (bytes > this.#dealtBytes) {
      const range: RangePair = [this.#dealtBytes, bytes - this.#dealtBytes]
      this.#dealtBytes = bytes
      this.#exchange.sends.tell({ type: 'grown', range, nowMs })
    }
    this.#hash(nowMs)
    if (nowMs >= this.#floorMs || nowMs >= this.#floor.dueMs) this.#moveFloor(nowMs)
  }

  /** The floor lies between blocks: those who follow ask for whole ones. */
  #wholeOf(bytes: number): number {
    const isAll = this.#extent.isFinal && bytes === this.#extent.bytes
    return isAll ? bytes : blockStart(bytes, this.#extent.blockBytes)
  }

  /** What nodes may receive by now: it is told again when half of what was ahead has come. */
  #mayCome(): number {
    const { bytes, isFinal } = this.#extent
    const timeBytes = (this.#rate.recent * limits.grownAheadMs) / 1000
    const aheadBytes = isFinal ? 0 : Math.max(limits.grownAheadBytes, Math.ceil(timeBytes))
    const isEnough = bytes + aheadBytes / 2 <= this.#toldBytes
    return isEnough ? this.#toldBytes : Math.min(limits.growingSpanBytes, bytes + aheadBytes)
  }

  #tellGrown(): void {
    this.#toldBytes = this.#mayCome()
    for (const peer of this.#peers.serving)
      this.#outbox.say(peer, { type: 'grown', bytes: this.#toldBytes })
  }

  #hash(nowMs: number): void {
    for (;;) {
      const { hashTo, cut } = this.#cuts.advance(this.#extent, this.#source.isCaughtUp, nowMs)
      if (cut !== undefined) this.#outbox.wish({ type: 'cut', ...cut })
      if (hashTo === undefined) return
      this.#source.extend(hashTo)
    }
  }

  #stir(nowMs: number): void {
    this.#floorMs = Math.min(this.#floorMs, nowMs + limits.floorMs)
  }

  #moveFloor(nowMs: number): void {
    this.#floorMs = never
    for (const peer of this.#members) this.#look(peer)
    for (const { member, range } of this.#floor.advance(this.#extent.bytes))
      this.#exchange.sends.follow(this.#peers.of(member), range, this.#members, nowMs)
    const bytes = this.#floor.news(nowMs)
    if (bytes === null) return
    this.#exchange.sends.floored(bytes)
    for (const peer of this.#peers.serving) this.#outbox.say(peer, { type: 'floor', bytes })
  }

  #look(peer: Peer): void {
    if (peer.phase !== 'running' && peer.phase !== 'complete') {
      this.#floor.leaves(peer.node)
      this.#members.delete(peer)
    } else this.#floor.lags(peer.node, peer.lag !== 'none' || peer.presence === 'away')
  }
}
