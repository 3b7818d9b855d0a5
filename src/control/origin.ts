/**
 * One push, seen from the origin.
 *
 * The idea: bring every node to `ready` or out, make the plan, list everything the dealer deals,
 * hash beside it, and from then on only react: to needs, to broken edges, to nodes that die. A
 * node's fate never stops the others. Only the source failing or the caller cancelling ends it all.
 *
 * It must never wait without an end: links and answers have time limits, silence fails a node, and
 * so does a node at which nothing moves although it is alive.
 */
import type { FrErrorCode } from '../errors.js'
import { limits } from '../limits.js'
import type { Dealer, Send } from './dealer.js'
import type { OriginCommand, OriginConfig, OriginEvent } from './origin-events.js'
import { describeRanges, detourFrames, planFrame } from './origin-frames.js'
import { OriginSource } from './origin-source.js'
import { Peer } from './peer.js'
import { PeerWatch } from './peer-watch.js'
import { expectedShares } from './plan.js'
import { RangeSet } from './ranges.js'
import type { Frame, NodeOutcome, RangePair, Strategy } from './types.js'

/** Owner of bytes that nobody in particular is sent. */
const anyone = -1

export class OriginMachine {
  readonly #config: OriginConfig
  readonly #dealer: Dealer
  readonly #peers: Peer[]
  readonly #watch: PeerWatch
  readonly #source: OriginSource
  readonly #startMs: number
  #commands: OriginCommand[] = []
  #group: Peer[] = []
  #countMs = Number.POSITIVE_INFINITY
  #beatMs = Number.POSITIVE_INFINITY
  #excluded: readonly number[] = []
  #digestTurn = 0
  #isEnded = false

  constructor(config: OriginConfig, dealer: Dealer, nowMs: number) {
    this.#config = config
    this.#dealer = dealer
    this.#startMs = nowMs
    this.#peers = config.nodes.map((link, node) => new Peer(node, link, nowMs))
    this.#source = new OriginSource(config)
    this.#watch = new PeerWatch(config)
  }

  /** The first wishes; call once. */
  start(): OriginCommand[] {
    return this.#peers.map((peer) => ({ type: 'dial', node: peer.node }))
  }

  get peers(): readonly Peer[] {
    return this.#peers
  }

  get strategy(): Strategy {
    return this.#dealer.strategy
  }

  get fileDigest(): string | null {
    return this.#source.fileDigest ?? null
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  handle(event: OriginEvent, nowMs: number): OriginCommand[] {
    if (this.#isEnded) return []
    this.#commands = []
    this.#on(event, nowMs)
    if (!this.isEnded) this.#advance(nowMs)
    return this.#commands
  }

  /** When `ticked` must come at the latest; null: never. */
  deadlineMs(): number | null {
    if (this.#isEnded) return null
    const watchMs = this.#watch.deadlineMs(this.#peers)
    const at = Math.min(this.#countMs, this.#beatMs, watchMs)
    const dealMs = this.#dealer.deadlineMs() ?? at
    return Number.isFinite(Math.min(at, dealMs)) ? Math.min(at, dealMs) : null
  }

  #on(event: OriginEvent, nowMs: number): void {
    switch (event.type) {
      case 'linkOpened':
        return this.#onLinkOpened(this.#peer(event.node), event.nodeId, nowMs)
      case 'linkClosed': {
        const peer = this.#peer(event.node)
        peer.hasLink = false
        return this.#lose(peer, event.code, event.text, nowMs)
      }
      case 'feedOpened': {
        const peer = this.#peer(event.node)
        peer.hasFeed = true
        return this.#readyUp(peer)
      }
      case 'feedClosed': {
        const peer = this.#peer(event.node)
        peer.hasFeed = false
        return this.#lose(peer, event.code, event.text, nowMs)
      }
      case 'frameArrived':
        return this.#onFrame(this.#peer(event.node), event.frame, nowMs)
      case 'hashed':
        return this.#onHashed(event)
      case 'summed':
        this.#source.fileDigest = event.fileDigest
        for (const peer of this.#group) this.#sealTo(peer)
        return
      case 'sourceChecked':
        return this.#onSourceChecked()
      case 'sourceFailed':
        return this.#abortAll(event.code, event.text)
      case 'readFailed':
        return this.#wish(this.#source.doubt({ code: event.code, text: event.text }))
      case 'counted':
        return this.#onCounted(event, nowMs)
      case 'cancelled':
        return this.#abortAll('ERR_FR_ABORTED', event.text)
      case 'delayed':
        return this.#watch.excuse(this.#peers, event.lateMs)
      case 'ticked':
        return
      default:
        return event satisfies never
    }
  }

  #onLinkOpened(peer: Peer, nodeId: string, nowMs: number): void {
    if (peer.phase !== 'connecting') return
    peer.hasLink = true
    const twin = this.#peers.find(
      (other) => other !== peer && other.hasLink && other.nodeId === nodeId,
    )
    if (twin !== undefined) {
      const text = `${peer.link.address} and ${twin.link.address} are the same node`
      return this.#out(peer, 'refused', 'ERR_FR_SAME_NODE', text, nowMs)
    }
    peer.nodeId = nodeId
    peer.phase = 'offered'
    peer.sinceMs = nowMs
    this.#beatMs = Math.min(this.#beatMs, nowMs + limits.beatMs)
    this.#commands.push({ type: 'offer', node: peer.node })
  }

  #onFrame(peer: Peer, frame: Frame, nowMs: number): void {
    if (!peer.hasLink) return
    this.#watch.heard(peer, nowMs)
    switch (frame.type) {
      case 'accept':
        if (peer.phase !== 'offered')
          return this.#lose(peer, 'ERR_FR_PROTOCOL', 'a second accept', nowMs)
        peer.hasAccepted = true
        this.#watch.begin(peer, nowMs)
        return this.#readyUp(peer)
      case 'refuse':
        return this.#out(peer, 'refused', frame.code, frame.text, nowMs)
      case 'progress':
        return this.#onProgress(peer, frame, nowMs)
      case 'need':
        return this.#onNeed(peer, frame, nowMs)
      case 'backlog':
        return this.#onBacklog(peer, frame, nowMs)
      case 'bad':
        return this.#onBad(peer, frame)
      case 'edgeLost':
        return this.#onEdgeLost(peer, frame)
      case 'published':
        return
      case 'complete':
        return this.#onComplete(peer, frame, nowMs)
      case 'failed':
        return this.#lose(peer, frame.code, frame.text, nowMs)
      default:
        return this.#lose(peer, 'ERR_FR_PROTOCOL', `unexpected frame '${frame.type}'`, nowMs)
    }
  }

  #readyUp(peer: Peer): void {
    if (peer.phase === 'offered' && peer.hasAccepted && peer.hasFeed) peer.phase = 'ready'
  }

  #onProgress(peer: Peer, frame: Frame & { type: 'progress' }, nowMs: number): void {
    if (peer.report(frame.landedBytes, frame.verifiedBytes, nowMs)) peer.movedMs = nowMs
    peer.repairedBytes = frame.repairedBytes
  }

  #onBacklog(peer: Peer, frame: Frame & { type: 'backlog' }, nowMs: number): void {
    if (!peer.isServing) return
    const { landedBytes, backlogBytes } = frame
    const behind = frame.behind.flatMap((index) => this.#group[index]?.node ?? [])
    const { node } = peer
    this.#list(
      this.#dealer.handle({ type: 'reported', node, landedBytes, backlogBytes, behind, nowMs }),
    )
  }

  /**
   * The sender of a bad block is most often innocent: relays forward what they have not yet
   * verified. Blamed is the first hop at which the block was bad.
   */
  #onBad(peer: Peer, frame: Frame & { type: 'bad' }): void {
    const { offset, length } = frame
    peer.bad.add(offset, length)
    const relay = this.#group.find((other) => other !== peer && this.#relayed(other, offset))
    const isInnocent = relay === undefined || relay.bad.present(offset, length).length > 0
    const from = relay === undefined || isInnocent ? 'the origin' : relay.link.address
    const to = relay !== undefined && isInnocent ? relay.link.address : peer.link.address
    this.#log(
      'warn',
      'bad-block',
      peer,
      `offset ${offset}, length ${length}, first bad between ${from} and ${to}`,
    )
  }

  #relayed(peer: Peer, offset: number): boolean {
    return RangeSet.of(this.#dealer.dealt(peer.node)).contains(offset, 1)
  }

  #onNeed(peer: Peer, frame: Frame & { type: 'need' }, nowMs: number): void {
    if (peer.phase !== 'running') return
    const fits = frame.ranges.every(
      ([offset, length]) => length > 0 && offset + length <= this.#config.bytes,
    )
    if (frame.stream !== 0 || !fits)
      return this.#lose(peer, 'ERR_FR_PROTOCOL', 'a need beyond the file', nowMs)
    this.#log('info', frame.scratch ? 'repair' : 'need', peer, describeRanges(frame.ranges))
    // A block that is wrong at a node is most often a source that changed after it was hashed.
    if (frame.scratch) this.#wish(this.#source.check())
    else this.#digestsDirectly(peer, frame.ranges)
    const { node } = peer
    const { stream, scratch, ranges } = frame
    this.#list(this.#dealer.handle({ type: 'needed', node, stream, scratch, ranges, nowMs }))
  }

  #onEdgeLost(peer: Peer, frame: Frame & { type: 'edgeLost' }): void {
    const mate = this.#group[frame.index]
    if (mate === undefined || mate === peer) return
    const [from, to] = frame.incoming ? [mate, peer] : [peer, mate]
    if (to.phase !== 'running' || !from.isServing || to.lostFrom.has(from.node)) return
    this.#log('warn', 'edge-lost', to, `feed from ${from.link.address}`)
    to.lostFrom.add(from.node)
    this.#list(this.#dealer.handle({ type: 'edgeLost', from: from.node, to: to.node }))
    this.#detour(to, from, false)
  }

  #onComplete(peer: Peer, frame: Frame & { type: 'complete' }, nowMs: number): void {
    if (peer.phase !== 'running') return
    if (frame.fileDigest !== this.#source.fileDigest || frame.bytes !== this.#config.bytes) {
      return this.#lose(
        peer,
        'ERR_FR_DIGEST',
        'the node is complete with another file digest',
        nowMs,
      )
    }
    peer.phase = 'complete'
    peer.landedBytes = peer.verifiedBytes = frame.bytes
    peer.repairedBytes = frame.repairedBytes
    this.#settle(peer, 'complete', null, nowMs)
  }

  #onHashed(event: OriginEvent & { type: 'hashed' }): void {
    const { offset, length } = event
    this.#source.hashed(offset, event.digests)
    for (const { peer, run } of this.#digestRelays(offset, length)) {
      this.#sendDigests(peer, run, true)
      peer.relayedDigests.add(...run)
      for (const other of this.#group)
        if (other.lostFrom.has(peer.node)) other.directDigests.add(...run)
    }
    for (const peer of this.#group) {
      if (peer.phase !== 'running') continue
      for (const run of peer.directDigests.present(offset, length))
        this.#sendDigests(peer, run, false)
    }
    // A complete relay still forwards: it is complete only once all digests are known, so never
    // here.
  }

  /** Who brings the digests of a run to everybody: with fixed shares their owners, else in turn. */
  #digestRelays(offset: number, length: number): { peer: Peer; run: RangePair }[] {
    const running = this.#group.filter((peer) => peer.phase === 'running')
    if (this.#dealer.strategy === 'classic') {
      return running.flatMap((peer) => {
        const owned = RangeSet.of(this.#dealer.dealt(peer.node)).present(offset, length)
        return owned.map((run) => ({ peer, run }))
      })
    }
    const able = running.filter((peer) => !this.#excluded.includes(peer.node))
    const peer = able[this.#digestTurn++ % able.length] ?? running[0]
    return peer === undefined ? [] : [{ peer, run: [offset, length] }]
  }

  #onCounted(event: OriginEvent & { type: 'counted' }, nowMs: number): void {
    for (const feed of event.feeds) {
      const peer = this.#peer(feed.node)
      peer.sentBytes = feed.payloadBytes
      peer.queuedBytes = feed.queuedBytes
      if (!peer.isServing) continue
      const { node } = peer
      const { payloadBytes: sentBytes, queuedBytes } = feed
      this.#list(
        this.#dealer.handle({
          type: 'counted',
          node,
          sentBytes,
          queuedBytes,
          unackedBytes: feed.unackedBytes,
          nowMs,
        }),
      )
    }
    this.#list(this.#dealer.handle({ type: 'ticked', nowMs }))
    this.#tellExcluded()
  }

  /** Relays must not wait for these receivers: they lag, or nobody hears from them. */
  #tellExcluded(): void {
    const excluded = this.#dealer.excluded()
    if (excluded.join() === this.#excluded.join()) return
    this.#excluded = excluded
    const indices = excluded.map((node) => this.#peer(node).mate).sort((a, b) => a - b)
    for (const peer of this.#group) {
      if (peer.isServing) this.#send(peer, { type: 'lagging', indices })
      const isLagging = excluded.includes(peer.node)
      if (isLagging !== peer.isLagging)
        this.#log('info', isLagging ? 'lags' : 'keeps-up', peer, 'by its senders')
      peer.isLagging = isLagging
    }
  }

  #onSourceChecked(): void {
    const next = this.#source.checked()
    if ('code' in next) this.#abortAll(next.code, next.text)
    else this.#wish(next)
  }

  /** Whatever follows from the state and the time alone. */
  #advance(nowMs: number): void {
    for (const peer of this.#peers) this.#judge(peer, nowMs)
    if (this.#group.length === 0) this.#planIfReady(nowMs)
    if (this.#beatMs <= nowMs) this.#beat(nowMs)
    if (Math.min(this.#countMs, this.#dealer.deadlineMs() ?? this.#countMs) <= nowMs) {
      this.#countMs = nowMs + limits.countMs
      this.#commands.push({ type: 'count' })
    }
    // Listed minus queued counts holes as sent too, which a count of payload does not.
    this.#wish(this.#source.more((owner) => this.#sentTo(owner)))
    if (this.#peers.every((peer) => peer.outcome !== undefined)) this.#finish()
  }

  #judge(peer: Peer, nowMs: number): void {
    const failure = this.#watch.failure(peer, nowMs)
    if (failure !== null) return this.#lose(peer, failure.code, failure.text, nowMs)
    const isSuspected = this.#watch.isSuspected(peer, nowMs)
    if (isSuspected && !peer.isSuspected) {
      this.#log('warn', 'suspected', peer, `silent for ${limits.suspectMs} ms`)
    }
    peer.isSuspected = isSuspected
  }

  /** Once nobody is connecting or deciding any more: everyone who is ready is the group. */
  #planIfReady(nowMs: number): void {
    if (this.#peers.some((peer) => peer.phase === 'connecting' || peer.phase === 'offered')) return
    this.#group = this.#peers.filter((peer) => peer.phase === 'ready')
    if (this.#group.length === 0) return
    for (const [index, peer] of this.#group.entries()) peer.join(index, nowMs)
    const nodes = this.#group.map((peer) => peer.node)
    const sends = this.#dealer.handle({ type: 'started', nodes, nowMs })
    const { strategy } = this.#dealer
    const shares = this.#shares(nodes)
    for (const peer of this.#group) this.#send(peer, this.#planFor(peer))
    this.#wish([{ type: 'announcePlan', plan: { strategy, shape: 'group', nodes, shares } }])
    this.#list(sends)
    this.#source.start(
      strategy === 'classic'
        ? nodes.map((owner, i) => ({
            owner,
            offset: shares[i]?.[0] ?? 0,
            length: shares[i]?.[1] ?? 0,
          }))
        : [{ owner: anyone, offset: 0, length: this.#config.bytes }],
    )
    this.#countMs = nowMs + limits.countMs
  }

  #planFor(peer: Peer): Frame {
    const hasShare = !this.#dealer.isAllDealt || this.#dealer.dealt(peer.node).length > 0
    return planFrame(this.#group, peer, hasShare, this.#config.progressMs, this.#dealer)
  }

  /** The share of each node: what it was dealt, or what it can be expected to carry. */
  #shares(nodes: readonly number[]): RangePair[] {
    if (this.#dealer.strategy === 'classic') {
      return nodes.map((node): RangePair => this.#dealer.dealt(node)[0] ?? [0, 0])
    }
    return expectedShares(
      this.#config.bytes,
      nodes.map((node) => this.#peer(node).link),
    )
  }

  /** Bytes that an owner of bytes to hash has been sent. */
  #sentTo(owner: number): number {
    const peers = owner === anyone ? this.#peers : [this.#peer(owner)]
    return peers.reduce((sum, peer) => sum + peer.listedBytes - peer.queuedBytes, 0)
  }

  #beat(nowMs: number): void {
    this.#beatMs = nowMs + limits.beatMs
    for (const peer of this.#peers)
      if (peer.hasLink && peer.phase !== 'out') this.#send(peer, { type: 'beat' })
  }

  #sealTo(peer: Peer): void {
    if (peer.phase === 'running')
      this.#send(peer, { type: 'seal', stream: 0, fileDigest: this.#source.fileDigest as string })
  }

  /** The node is lost: it gets its outcome, and what it was to relay goes another way. */
  #lose(peer: Peer, code: FrErrorCode, text: string, nowMs: number): void {
    if (peer.phase === 'out' || (peer.phase === 'complete' && !this.#watch.isWatched(peer))) return
    if (peer.phase !== 'complete') return this.#out(peer, 'failed', code, text, nowMs)
    this.#log('warn', 'left', peer, `${code}: ${text}`)
    this.#leave(peer, nowMs)
  }

  #out(
    peer: Peer,
    status: 'failed' | 'refused',
    code: FrErrorCode,
    text: string,
    nowMs: number,
  ): void {
    const wasRunning = peer.phase === 'running'
    peer.phase = 'out'
    this.#settle(peer, status, `${code}: ${text}`, nowMs)
    if (peer.hasLink) this.#send(peer, { type: 'abort', code, text })
    if (wasRunning) this.#leave(peer, nowMs)
    else this.#drop(peer)
  }

  /** Out of the exchange: survivors are told to make good what this node was dealt. */
  #leave(peer: Peer, nowMs: number): void {
    this.#drop(peer)
    this.#source.free(peer.node)
    this.#list(this.#dealer.handle({ type: 'nodeFailed', node: peer.node, nowMs }))
    for (const other of this.#group) if (other.phase === 'running') this.#detour(other, peer, true)
  }

  #drop(peer: Peer): void {
    peer.hasLink = false
    peer.hasFeed = false
    this.#watch.forget(peer)
    this.#commands.push({ type: 'drop', node: peer.node })
  }

  #detour(to: Peer, from: Peer, gone: boolean): void {
    const ranges = this.#dealer.dealt(from.node)
    for (const frame of detourFrames(from, gone, ranges)) this.#send(to, frame)
    // Digests on their way through the lost relay are lost as well: those of its share come
    // directly.
    this.#digestsDirectly(to, [...RangeSet.of([...ranges, ...from.relayedDigests.toArray()])])
  }

  #digestsDirectly(to: Peer, ranges: readonly RangePair[]): void {
    for (const [offset, length] of ranges) {
      to.directDigests.add(offset, length)
      for (const run of this.#source.digests.known(offset, length))
        this.#sendDigests(to, run, false)
    }
  }

  #sendDigests(to: Peer, run: RangePair, relay: boolean): void {
    for (const { offset, length, digests } of this.#source.digests.pieces(run)) {
      this.#commands.push({ type: 'digests', node: to.node, offset, length, relay, digests })
    }
  }

  #settle(peer: Peer, status: NodeOutcome['status'], reason: string | null, nowMs: number): void {
    const outcome = peer.settle(status, reason, this.fileDigest, (nowMs - this.#startMs) / 1000)
    this.#commands.push({ type: 'announceOutcome', outcome })
  }

  #finish(): void {
    for (const peer of this.#peers) {
      if (peer.phase !== 'complete' || !peer.hasLink) continue
      this.#send(peer, { type: 'finish' })
      this.#drop(peer)
    }
    this.#isEnded = true
    this.#commands.push({ type: 'end', failure: null })
  }

  #abortAll(code: FrErrorCode, text: string): void {
    for (const peer of this.#peers) {
      if (peer.hasLink) this.#send(peer, { type: 'abort', code, text })
      if (peer.phase !== 'out') this.#drop(peer)
    }
    this.#isEnded = true
    this.#commands.push({ type: 'end', failure: { code, text } })
  }

  #list(sends: readonly Send[]): void {
    for (const send of sends) {
      const peer = this.#peer(send.node)
      peer.listedBytes += send.length
      peer.queuedBytes += send.length
      this.#commands.push({ type: 'list', ...send })
    }
  }

  #wish(commands: readonly OriginCommand[]): void {
    this.#commands.push(...commands)
  }

  #send(peer: Peer, frame: Frame): void {
    this.#commands.push({ type: 'send', node: peer.node, frame })
  }

  #log(level: 'info' | 'warn', event: string, peer: Peer, text: string): void {
    this.#commands.push({ type: 'log', level, event, node: peer.node, text })
  }

  #peer(node: number): Peer {
    return this.#peers[node] as Peer
  }
}
