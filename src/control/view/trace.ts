/**
 * The timeline of a push in the Chrome trace event format: what the origin's machine is told and
 * what it wishes, as a viewer (Perfetto, chrome://tracing) shows it.
 *
 * The idea: one process for the origin and one for each node; threads for what was dealt to it,
 * sent to it directly, asked for by it, for its lag, and for its own stages; counters for what
 * landed, what waits, and what came from which mate. It looks at the facts and wishes that pass by,
 * and is no part of the machine: nothing is decided here, no payload is held, and without a trace
 * none of this runs.
 *
 * Times are microseconds since the start and never go back. Counters come at most every 50 ms,
 * later more rarely, so a node adds as many to a long push as to ten short ones. Pulls are counted
 * once more at the node's end: the last count is what the node said last.
 */
import type { RangePair } from '../../base/ranges.js'
import type { OriginFact, OriginWish } from '../coordinator/events.js'
import type { OutgoingCount } from '../messages/facts.js'
import type { Frame } from '../messages/types.js'

type Listed = OriginWish & { readonly type: 'list' }

export interface TraceEvent {
  readonly name: string
  /** M metadata, B and E begin and end of a slice, i instant, C counter. */
  readonly ph: 'M' | 'B' | 'E' | 'i' | 'C'
  readonly pid: number
  readonly tid: number
  readonly ts: number
  /** Instants: drawn on their thread. */
  readonly s?: 't'
  readonly args?: Readonly<Record<string, unknown>>
}

/** Where events go. `isRare`: few of them, and a timeline without them would mislead. */
export type TraceSink = (event: TraceEvent, isRare: boolean) => void

/** The threads of every process; their numbers are positions in this list, from 1. */
export const traceThreads = ['stages', 'deals', 'direct', 'pulls', 'lag', 'landed'] as const
type Thread = (typeof traceThreads)[number]

/** The process number of the origin. */
export const originPid = 1
const counterMs = 50
/** Counters are this part of the elapsed time apart. */
const counterShare = 1 / 400

interface Track {
  readonly pid: number
  stage: string | null
  isLagging: boolean
  countedMs: number
  /** When its last progress was shown, by the trace's clock and by the node's own. */
  progressMs: number
  progressAtMs: number | undefined
  landedBytes: number
  sentBytes: number
  /** By mate: what the node says it has pulled so far, and what of it is shown. */
  readonly pulled: Map<number, { bytes: number; shownBytes: number }>
}

export class PushTrace {
  readonly #addressOf: (node: number) => string
  readonly #startMs: number
  readonly #emit: TraceSink
  readonly #tracks = new Map<number, Track>()
  readonly #origin: Track
  #nowMs: number

  /** `addressOf`: HOST:PORT of a node. */
  constructor(addressOf: (node: number) => string, startMs: number, emit: TraceSink) {
    this.#addressOf = addressOf
    this.#startMs = this.#nowMs = startMs
    this.#emit = emit
    this.#origin = this.#introduce(originPid, 'origin')
  }

  /** Before the machine handles the fact. */
  fact(fact: OriginFact, nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    switch (fact.type) {
      case 'linked':
        return this.#stage(this.#track(fact.member), 'offered')
      case 'said':
        return this.#frame(this.#track(fact.member), fact.frame)
      case 'summed':
        return this.#instant(this.#origin, 'stages', 'seal', { fileDigest: fact.fileDigest })
      case 'stopped':
        return this.#instant(this.#origin, 'stages', 'cancelled', { text: fact.text })
      case 'sampled':
        return this.#counted(fact.sample.outgoing)
      default:
        return
    }
  }

  /** The origin's process got no turn for `ms` milliseconds. */
  late(ms: number, nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    this.#instant(this.#origin, 'lag', 'origin was late', { ms })
  }

  /** After the machine has wished them, all for the same reason. */
  wishes(wishes: readonly OriginWish[], nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    const runs = new Map<string, Listed & { readonly units: number }>()
    for (const wish of wishes) {
      if (wish.type === 'list') this.#listed(wish, runs)
      else this.#wish(wish)
    }
    for (const run of runs.values()) this.#sent(run)
  }

  #wish(wish: Exclude<OriginWish, { type: 'list' }>): void {
    switch (wish.type) {
      case 'connect':
        return this.#stage(this.#track(wish.member), 'connecting')
      case 'announcePlan': {
        const { strategy, shape, nodes } = wish.plan
        const names = nodes.map((node) => this.#addressOf(node))
        for (const node of nodes) this.#stage(this.#track(node), 'receiving')
        return this.#instant(this.#origin, 'stages', 'plan', { strategy, shape, nodes: names })
      }
      case 'announceOutcome': {
        const { status, reason } = wish.outcome
        const track = this.#track(wish.member)
        this.#showPulled(track)
        this.#stage(track, null)
        return this.#instant(track, 'stages', status, { reason })
      }
      case 'note':
        return wish.member === undefined ? undefined : this.#noted(this.#track(wish.member), wish)
      case 'end':
        return this.#end(wish.failure)
      default:
        return
    }
  }

  /** Closes what is still open; more than once does nothing. */
  close(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    for (const track of this.#tracks.values()) {
      this.#showPulled(track)
      this.#stage(track, null)
      this.#lag(track, false)
    }
  }

  #end(failure: { readonly code: string; readonly text: string } | null): void {
    this.close(this.#nowMs)
    this.#instant(this.#origin, 'stages', failure === null ? 'finish' : 'abort', { ...failure })
  }

  #frame(track: Track, frame: Frame): void {
    switch (frame.type) {
      case 'accept':
        return this.#stage(track, 'ready')
      case 'backlog': {
        if (!this.#isCounterDue(track)) return
        this.#counter(track, 'landed', { bytes: frame.landedBytes })
        return this.#counter(track, 'backlog', { bytes: frame.backlogBytes })
      }
      case 'progress':
        return this.#progress(track, frame)
      case 'need': {
        const { scratch, ranges } = frame
        const name = scratch ? 'repair' : 'need'
        return this.#instant(track, 'pulls', name, { ranges: ranges.length, ...extent(ranges) })
      }
      case 'bad': {
        const { offset, length } = frame
        return this.#instant(track, 'pulls', 'bad', { offset, length })
      }
      case 'edgeLost':
      case 'edgeBack': {
        const { type, member, incoming } = frame
        const what = type === 'edgeLost' ? 'edge lost' : 'edge back'
        return this.#instant(track, 'lag', what, { mate: member, incoming })
      }
      default:
        return
    }
  }

  #progress(track: Track, frame: Frame & { type: 'progress' }): void {
    for (const { member, bytes } of frame.pulled) this.#pulled(track, member, bytes)
    const apartMs = this.#nowMs - track.progressMs
    if (apartMs < counterMs || apartMs < this.#elapsedMs * counterShare) return
    // By the node's clock: reports that were held up are read together.
    const elapsedMs = frame.atMs - (track.progressAtMs ?? frame.atMs)
    const rate = (now: number, before: number): number =>
      elapsedMs > 0 ? Math.round((Math.max(0, now - before) / elapsedMs) * 1000) : 0
    this.#counter(track, 'verified', { bytes: frame.verifiedBytes })
    this.#counter(track, 'bytes a second', {
      in: rate(frame.landedBytes, track.landedBytes),
      out: rate(frame.sentBytes, track.sentBytes),
    })
    for (const { member, queuedBytes, unackedBytes } of frame.mates)
      this.#counter(track, `to mate ${member}`, { queued: queuedBytes, unacked: unackedBytes })
    this.#showPulled(track)
    track.progressMs = this.#nowMs
    track.progressAtMs = frame.atMs
    track.landedBytes = frame.landedBytes
    track.sentBytes = frame.sentBytes
  }

  #pulled(track: Track, mate: number, bytes: number): void {
    const known = track.pulled.get(mate)
    if (known !== undefined) known.bytes = bytes
    else {
      track.pulled.set(mate, { bytes, shownBytes: 0 })
      this.#instant(track, 'pulls', `pulls from mate ${mate}`, { mate, bytes })
    }
  }

  /** What has changed since it was last shown. */
  #showPulled(track: Track): void {
    for (const [mate, pulled] of track.pulled) {
      const { bytes, shownBytes } = pulled
      if (bytes === shownBytes) continue
      this.#counter(track, `pulled from mate ${mate}`, { bytes })
      pulled.shownBytes = bytes
    }
  }

  #counted(feeds: readonly OutgoingCount[]): void {
    if (!this.#isCounterDue(this.#origin)) return
    const sum = (of: 'sentBytes' | 'queuedBytes'): number =>
      feeds.reduce((total, feed) => total + feed[of], 0)
    this.#counter(this.#origin, 'sent on open feeds', { bytes: sum('sentBytes') })
    this.#counter(this.#origin, 'queued', { bytes: sum('queuedBytes') })
  }

  /** What is dealt at once and touches is shown as one. */
  #listed(send: Listed, runs: Map<string, Listed & { readonly units: number }>): void {
    const key = `${send.member} ${send.why} ${send.route} ${send.scratch}`
    const run = runs.get(key)
    if (run !== undefined && run.offset + run.length === send.offset) {
      runs.set(key, { ...run, length: run.length + send.length, units: run.units + 1 })
      return
    }
    if (run !== undefined) this.#sent(run)
    runs.set(key, { ...send, units: 1 })
  }

  #sent({ member, offset, length, route, scratch, why, units }: Listed & { units: number }): void {
    const args = { offset, length, route, units }
    const track = this.#track(member)
    if (why === 'share') return this.#instant(track, 'deals', 'deal', args, false)
    if (why === 'everybody') return this.#instant(track, 'direct', 'direct', args, false)
    this.#instant(track, 'pulls', scratch ? 'repair sent' : `${why} sent`, args, false)
  }

  /** What the machine notes of a node; what comes as a fact anyway is left out. */
  #noted(track: Track, { event, fields }: OriginWish & { type: 'note' }): void {
    if (event === 'lags' || event === 'keeps-up') return this.#lag(track, event === 'lags')
    if (event === 'joined') return this.#stage(track, 'receiving')
    if (event === 'suspected' || event === 'left') this.#instant(track, 'lag', event, fields)
  }

  #lag(track: Track, isLagging: boolean): void {
    if (track.isLagging === isLagging) return
    track.isLagging = isLagging
    this.#put(isLagging ? 'B' : 'E', track, 'lag', 'lagging', undefined, true)
  }

  /** A node is in one stage at a time. */
  #stage(track: Track, stage: string | null): void {
    if (track.stage === stage) return
    if (track.stage !== null) this.#put('E', track, 'stages', track.stage, undefined, true)
    if (stage !== null) this.#put('B', track, 'stages', stage, undefined, true)
    track.stage = stage
  }

  #instant(
    track: Track,
    thread: Thread,
    name: string,
    args: Readonly<Record<string, unknown>>,
    isRare = true,
  ): void {
    this.#put('i', track, thread, name, args, isRare)
  }

  #counter(track: Track, name: string, args: Readonly<Record<string, number>>): void {
    this.#put('C', track, 'landed', name, args, false)
  }

  #put(
    ph: TraceEvent['ph'],
    { pid }: Track,
    thread: Thread,
    name: string,
    args: TraceEvent['args'],
    isRare: boolean,
  ): void {
    const ts = Math.round(this.#elapsedMs * 1000)
    const tid = traceThreads.indexOf(thread) + 1
    const event = { name, ph, pid, tid, ts, ...(args === undefined ? {} : { args }) }
    this.#emit(ph === 'i' ? { ...event, s: 't' } : event, isRare)
  }

  #isCounterDue(track: Track): boolean {
    const apartMs = Math.max(counterMs, this.#elapsedMs * counterShare)
    if (this.#nowMs - track.countedMs < apartMs) return false
    track.countedMs = this.#nowMs
    return true
  }

  get #elapsedMs(): number {
    return this.#nowMs - this.#startMs
  }

  #track(node: number): Track {
    const known = this.#tracks.get(node)
    if (known !== undefined) return known
    const track = this.#introduce(originPid + 1 + node, this.#addressOf(node))
    this.#tracks.set(node, track)
    return track
  }

  #introduce(pid: number, name: string): Track {
    const say = (kind: string, tid: number, args: Readonly<Record<string, unknown>>): void =>
      this.#emit({ name: kind, ph: 'M', pid, tid, ts: 0, args }, true)
    say('process_name', 0, { name })
    say('process_sort_index', 0, { sort_index: pid })
    for (const [i, thread] of traceThreads.entries()) say('thread_name', i + 1, { name: thread })
    const long = Number.NEGATIVE_INFINITY
    const bytes = { landedBytes: 0, sentBytes: 0 }
    return {
      pid,
      stage: null,
      isLagging: false,
      countedMs: long,
      progressMs: this.#startMs,
      progressAtMs: undefined,
      pulled: new Map(),
      ...bytes,
    }
  }
}

function extent(ranges: readonly RangePair[]): { bytes: number; offset: number } {
  const bytes = ranges.reduce((sum, [, length]) => sum + length, 0)
  return { bytes, offset: ranges[0]?.[0] ?? 0 }
}
