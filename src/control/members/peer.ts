/**
 * What the origin knows about one node, or about one attempt of it: in which state it is
 * (peer-state.ts), what is counted of it (counts.ts), and what has to be made good for it.
 *
 * Facts about a node that is in no state to have them change nothing. What the machine itself
 * decides (to join, to complete, to fail) throws where the state has no such edge.
 */
import { errorTable, type Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { NodeLimits } from '../../base/rate-limits.js'
import type { MemberFact } from '../messages/facts.js'
import type { Frame, NodeSettled, Role } from '../messages/types.js'
import { limited } from '../plan/limited.js'
import type { NodeLink } from '../plan/plan.js'
import { reasonOf } from './causes.js'
import { PeerCounts } from './counts.js'
import { Had } from './had.js'
import { firstAttempt, type History } from './history.js'
import type {
  Contact,
  FeedOut,
  Lag,
  Part,
  PeerPhase,
  PeerState,
  Presence,
  Relay,
} from './peer-state.js'

/** Told of what happens to a node, once it has. */
export interface PeerListener {
  /** It is in another state, or another part of one. */
  changed(peer: Peer): void
  /** Something moved there; no more than that. */
  moved(peer: Peer): void
}

const never = Number.POSITIVE_INFINITY
const nobody: PeerListener = { changed: () => {}, moved: () => {} }

export class Peer {
  readonly node: number
  readonly link: NodeLink
  readonly history: History
  readonly role: Role
  readonly counts = new PeerCounts()
  /** Empty: it was never connected to. */
  nodeId = ''
  incarnation: number | undefined
  /** What the node says of itself: HOST:PORT for its mates, what it keeps to. */
  advertise: string | undefined
  #limits: NodeLimits = {}
  isSealed = false
  /** How long a message to it and its answer take, as its handshake showed. */
  rttMs = 0
  readonly had = new Had()
  /** Ranges whose digests come to this node directly, because their relay cannot bring them. */
  readonly directDigests = new RangeSet()
  /** Ranges whose digests this node was given to pass on. */
  readonly relayedDigests = new RangeSet()
  /** Blocks that were bad here. */
  readonly bad = new RangeSet()
  /** Mates (node numbers) whose feed to this node is known to be dead. */
  readonly lostFrom = new Set<number>()
  #state: PeerState
  #listener = nobody

  constructor(
    node: number,
    link: NodeLink,
    nowMs: number,
    history = firstAttempt,
    role: Role = 'receiver',
  ) {
    this.node = node
    this.role = role
    this.link = link
    this.history = history
    const dial = { is: 'dialling' } as const
    this.#state = { phase: 'connecting', sinceMs: nowMs, dial, failed: null }
  }

  listen(listener: PeerListener): void {
    this.#listener = listener
  }

  /** It is to have the file; nobody waits for any other. */
  get isReceiver(): boolean {
    return this.role === 'receiver'
  }

  get state(): PeerState {
    return this.#state
  }

  get phase(): PeerPhase {
    return this.#state.phase
  }

  /** Being dialled for the first time: nothing says yet that it will take long. */
  get isComing(): boolean {
    const state = this.#state
    return state.phase === 'connecting' && state.failed === null
  }

  /** Connected, and has not accepted. */
  get isDeciding(): boolean {
    const state = this.#state
    return state.phase === 'offered' && state.answer !== 'accepted'
  }

  /** Connected, and waits for digests to compare with what it has. */
  get isComparing(): boolean {
    const state = this.#state
    return state.phase === 'offered' && state.answer === 'comparing'
  }

  /** Connected, and has not said whether this push may write the name. */
  get isClaiming(): boolean {
    const state = this.#state
    return state.phase === 'offered' && ['none', 'elsewhere'].includes(state.answer)
  }

  /** Takes part in the exchange: can be sent to. */
  get isServing(): boolean {
    return this.phase === 'running' || (this.phase === 'complete' && this.hasLink)
  }

  get hasLink(): boolean {
    return this.#contact?.link === 'open'
  }

  get feed(): FeedOut {
    return this.#contact?.feed ?? { is: 'none' }
  }

  get presence(): Presence {
    return this.#contact?.presence ?? 'alive'
  }

  get lag(): Lag {
    return this.#part?.lag ?? 'none'
  }

  get relay(): Relay {
    return this.#part?.relay ?? 'none'
  }

  /** Out, and to be tried again: it has no outcome yet. */
  get isToReturn(): boolean {
    const state = this.#state
    return state.phase === 'out' && state.end.is === 'returns'
  }

  /** An attempt that had reached it failed, and it is not connected again. */
  get isLost(): boolean {
    return this.isToReturn || (this.phase === 'connecting' && this.history.triesUsed > 0)
  }

  /** Connected again after an attempt that had reached it failed. */
  get isReturned(): boolean {
    return this.nodeId !== '' && this.history.triesUsed > 0
  }

  /** A later attempt speaks for the node. */
  get isSuperseded(): boolean {
    const state = this.#state
    return state.phase === 'out' && state.end.is === 'superseded'
  }

  /** The push does not wait for it. */
  get isSettled(): boolean {
    return !this.isReceiver || this.outcome !== undefined || this.isSuperseded
  }

  /** The last word about this attempt. */
  get outcome(): NodeSettled | undefined {
    const state = this.#state
    if (state.phase === 'complete') return state.outcome
    return state.phase === 'out' && state.end.is === 'settled' ? state.end.outcome : undefined
  }

  /** When its next dial or attempt is due; Infinity: none is waited for. */
  get dueMs(): number {
    const state = this.#state
    if (state.phase === 'connecting' && state.dial.is === 'waiting') return state.dial.dueMs
    return state.phase === 'out' && state.end.is === 'returns' ? state.end.dueMs : never
  }

  /** Why the last dial or attempt failed that is followed by another, or was to be. */
  get failure(): Failure | undefined {
    const state = this.#state
    if (state.phase === 'connecting') return state.failed?.failure
    return state.phase === 'out' && state.end.is === 'returns' ? state.end.failure : undefined
  }

  get #contact(): Contact | undefined {
    return 'contact' in this.#state ? this.#state.contact : undefined
  }

  get #part(): Part | undefined {
    return 'part' in this.#state ? this.#state.part : undefined
  }

  // --- facts ---

  /** Its link as far as the push may use it. */
  get usable(): NodeLink {
    return limited(this.link, this.#limits)
  }

  /** Nodes that it sends to at once; undefined: any number. */
  get maxFeeds(): number | undefined {
    return this.#limits.maxFeeds
  }

  /** The look-up of its name has begun, or ended. */
  lookUp(isUnderWay: boolean, nowMs: number): void {
    const state = this.#state
    if (state.phase !== 'connecting') return
    state.dial = { is: isUnderWay ? 'lookingUp' : 'dialling' }
    state.sinceMs = nowMs
    this.#listener.changed(this)
  }

  linked(about: MemberFact & { type: 'linked' }, nowMs: number): void {
    this.#from('connecting')
    this.nodeId = about.nodeId
    this.incarnation = about.incarnation
    this.advertise = about.advertise
    this.#limits = about.limits ?? {}
    this.isSealed = about.sealed === true
    this.rttMs = about.rttMs ?? 0
    const contact: Contact = { link: 'open', feed: { is: 'none' }, presence: 'alive' }
    this.#state = { phase: 'offered', sinceMs: nowMs, contact, answer: 'none' }
    this.#listener.changed(this)
  }

  /** Its link is gone, or this side hangs up: nobody waits for its words any more. */
  unlinked(): void {
    const contact = this.#contact
    if (contact === undefined) return
    contact.link = 'gone'
    contact.presence = 'alive'
    this.#listener.changed(this)
  }

  /** A data connection to it is to be opened; false: there is one or was, or nobody answers. */
  wantsFeed(): boolean {
    const contact = this.#contact
    const isWanted = contact?.link === 'open' && contact.feed.is === 'none'
    if (isWanted) contact.feed = { is: 'opening' }
    return isWanted
  }

  fedOut(): void {
    const contact = this.#contact
    if (contact?.feed.is !== 'opening' && contact?.feed.is !== 'cut') return
    contact.feed = { is: 'open' }
    this.#readyUp()
    this.#listener.changed(this)
  }

  /** The data connection to it has ended; the reason that lets it wait least counts. */
  unfed(failure: Failure, untilMs: number): void {
    const contact = this.#contact
    if (contact === undefined) return
    if (contact.feed.is === 'cut' && contact.feed.untilMs <= untilMs) return
    contact.feed = { is: 'cut', failure, untilMs }
    this.#listener.changed(this)
  }

  /** The name is this push's at the node, which has its time to answer again, within bounds. */
  claimed(nowMs: number): void {
    const state = this.#from('offered')
    state.claimedMs ??= nowMs
    this.waits('claimed', Math.min(nowMs, state.claimedMs + limits.claimWaitMs))
  }

  /** It waits for something before it answers, and has its time again. */
  waits(answer: 'comparing' | 'elsewhere' | 'claimed', nowMs: number): void {
    const state = this.#from('offered')
    Object.assign(state, { answer, sinceMs: nowMs })
    if (answer === 'elsewhere') state.contact.feed = { is: 'none' }
    this.#listener.changed(this)
  }

  /** It takes the offer, and says what it holds. */
  accepts(have: readonly RangePair[]): void {
    this.#from('offered').answer = 'accepted'
    this.had.accepts(have)
    this.#readyUp()
    this.#listener.changed(this)
  }

  #readyUp(): void {
    const state = this.#state
    if (state.phase !== 'offered' || state.answer !== 'accepted') return
    const { contact } = state
    if (['open', 'none'].includes(contact.feed.is)) this.#state = { phase: 'ready', contact }
  }

  /** Something has landed or was verified there, or is on its way. */
  moved(nowMs: number): void {
    if (this.#state.phase !== 'running') return
    this.#state.movedMs = nowMs
    this.#listener.moved(this)
  }

  /** A silence has ended: it is no time in which the node stood still. */
  spoke(silentMs: number, nowMs: number): void {
    const state = this.#state
    if (state.phase !== 'running') return
    state.movedMs = Math.min(nowMs, state.movedMs + silentMs)
    this.#listener.moved(this)
  }

  /** What its silence means now; true: something else than before. */
  becomes(presence: Presence): boolean {
    const contact = this.#contact
    if (contact === undefined || contact.presence === presence) return false
    contact.presence = presence
    this.#listener.changed(this)
    return true
  }

  /** Its senders find it behind, or not; true: this is new. */
  lags(isBehind: boolean): boolean {
    const part = this.#part
    if (part === undefined || part.lag === 'waiting') return false
    if ((part.lag !== 'none') === isBehind) return false
    part.lag = isBehind ? 'lagging' : 'none'
    return true
  }

  // --- decisions ---

  /** Its dial failed, and is followed by another. */
  redials(failure: Failure, dueMs: (dials: number) => number): void {
    const state = this.#from('connecting')
    const dials = (state.failed?.dials ?? 0) + 1
    state.failed = { dials, failure }
    state.dial = { is: 'waiting', dueMs: dueMs(dials) }
    this.#listener.changed(this)
  }

  /** It is dialled once more. */
  dials(): void {
    this.#from('connecting').dial = { is: 'dialling' }
    this.#listener.changed(this)
  }

  /** Takes part in the exchange from now on. */
  join(nowMs: number): void {
    const { contact } = this.#from('ready')
    const part: Part = { lag: 'none', relay: 'none' }
    this.#state = { phase: 'running', contact, part, movedMs: nowMs }
    this.#listener.changed(this)
  }

  /** What the others had is still to come, or comes once its group is complete: until then. */
  trails(lag: 'catchingUp' | 'waiting' | 'none'): void {
    this.#from('running').part.lag = lag
  }

  /** Opens data connections to its mates and passes on what is marked. */
  relays(): void {
    this.#from('running').part.relay = 'relays'
  }

  /** It rests, is tried again, or is false, which it stays. */
  relaysAs(relay: Exclude<Relay, 'none'>): void {
    const part = this.#part
    if (part?.relay === 'relays' || part?.relay === 'rests') part.relay = relay
  }

  /** It has published the whole file. */
  completes(frame: Frame & { type: 'complete' }, digest: string | null): NodeSettled {
    const { contact, part } = this.#from('running')
    this.counts.completed(frame)
    const { warnings, applied } = frame
    const told = { warnings: [...warnings], ...(applied && { applied }) }
    const outcome = this.#outcomeOf('complete', digest, null, told)
    this.#state = { phase: 'complete', contact, part, outcome }
    this.#listener.changed(this)
    return outcome
  }

  /** The attempt has failed, and is followed by another. */
  returns(failure: Failure, dueMs: number): void {
    this.#from('connecting', 'offered', 'ready', 'running')
    this.#state = { phase: 'out', end: { is: 'returns', failure, dueMs } }
    this.#listener.changed(this)
  }

  /** The attempt has failed, and none follows. `before`: what failed last before that. */
  fails(status: 'failed' | 'refused', failure: Failure, before: Failure | undefined): NodeSettled {
    const state = this.#from('connecting', 'offered', 'ready', 'running', 'out')
    if (state.phase === 'out' && state.end.is !== 'returns')
      throw new TypeError('a node that has its outcome gets no other')
    const cause = { ...failure, before: before ?? this.history.before }
    const outcome = this.#outcomeOf(status, null, cause, { warnings: [] })
    this.#state = { phase: 'out', end: { is: 'settled', outcome } }
    this.#listener.changed(this)
    return outcome
  }

  /** A later attempt speaks for the node. */
  supersede(): void {
    this.#from('connecting', 'out')
    this.#state = { phase: 'out', end: { is: 'superseded' } }
    this.#listener.changed(this)
  }

  #from<P extends PeerPhase>(...phases: readonly P[]): PeerState & { readonly phase: P } {
    const state = this.#state
    if (!phases.some((phase) => phase === state.phase))
      throw new TypeError(`a node that is ${state.phase} is not ${phases.join(' or ')}`)
    return state as PeerState & { readonly phase: P }
  }

  #outcomeOf(
    status: NodeSettled['status'],
    digest: string | null,
    failure: (Failure & { readonly before: Failure | undefined }) | null,
    told: Pick<NodeSettled, 'warnings' | 'applied'>,
  ): NodeSettled {
    const { counts } = this
    return {
      node: this.link.address,
      status,
      bytes: counts.verifiedBytes,
      digest,
      repairedBytes: counts.repairedBytes,
      receivedBytes: counts.receivedBytes,
      duplicateBytes: counts.duplicateBytes,
      heldBytes: this.had.heldBytes,
      filledBytes: this.had.filled.bytes,
      holeBytes: counts.holeBytes,
      code: failure?.code ?? null,
      retryable: failure !== null && errorTable[failure.code].retryable,
      reason: failure === null ? null : reasonOf(failure, failure.before),
      attempts: this.history.attempts,
      rejoined: this.isReturned,
      reopened: counts.reopened,
      ...told,
    }
  }
}
