/**
 * A client that fetches a file from the nodes that hold it: what is asked of whom, what counts.
 *
 * The idea: the content is named by the file digest that the first of the holders says. All block
 * digests together must give it (digest-table.ts), whoever sent them; then each block that lands is
 * compared with its own, and counts when it is right. So nothing that a holder says or sends is
 * believed, and one that lies, dies or changes its file costs what it had promised. Blocks are
 * asked of all holders at once, the nearest and least loaded first (pulling/puller.ts); a wrong one
 * is asked of another holder (repairs.ts).
 *
 * It must never wait without an end: each answer has its time, and so has the whole, from the last
 * block that was verified.
 */
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import type { MemberFact } from '../messages/facts.js'
import type { FetchOffer, Frame } from '../messages/types.js'
import { BlockWork } from './block-work.js'
import { contentOf, rangeFault } from './content.js'
import type { FetchConfig, FetchedContent, FetchFact, FetchWish } from './events.js'
import { FetchHolder, failureOf } from './holders.js'

/** What holders are asked for: a file, or a part of a tree. */
export type FetchAsk = Omit<Extract<Frame, { type: 'fetch' }>, 'type'>

export class FetchMachine {
  readonly holders: readonly FetchHolder[]
  readonly #config: FetchConfig
  readonly #ask: FetchAsk
  readonly #startMs: number
  #content: FetchedContent | undefined
  #work: BlockWork | undefined
  #wishes: FetchWish[] = []
  /** Wanted before the file is open. */
  readonly #more: RangePair[] = []
  #isEnded = false
  /** When something came of it, before its blocks were begun. */
  #movedMs: number
  #offeredMs = Number.POSITIVE_INFINITY

  constructor(config: FetchConfig, ask: FetchAsk, nowMs: number) {
    this.#config = config
    this.#ask = ask
    this.#startMs = nowMs
    this.#movedMs = nowMs
    this.holders = config.holders.map((address, i) => new FetchHolder(i + 1, address))
  }

  /** The first wishes; call once. */
  start(nowMs: number): FetchWish[] {
    this.#advance(nowMs)
    return this.#wishes.splice(0)
  }

  /** Undefined until a holder has said what it is. */
  get content(): FetchedContent | undefined {
    return this.#content
  }

  /** The digests of these blocks of the content, once they are proved. */
  digestsOf(offset: number, length: number): Uint8Array {
    return this.#work?.table.digestsOf(offset, length) ?? new Uint8Array()
  }

  handle(fact: FetchFact, nowMs: number): FetchWish[] {
    if (this.#isEnded) return []
    this.#on(fact, nowMs)
    if (!this.#isEnded) this.#advance(nowMs)
    return this.#wishes.splice(0)
  }

  deadlineMs(): number | null {
    if (this.#isEnded) return null
    const { timeoutMs } = this.#config
    let at = this.#patienceEndMs
    if (timeoutMs !== null) at = Math.min(at, this.#startMs + timeoutMs)
    for (const { state, dueMs } of this.holders)
      if (state === 'waiting' || state === 'asked') at = Math.min(at, dueMs)
    if (this.#content === undefined) at = Math.min(at, this.#offeredMs + limits.fetchChooseMs)
    at = Math.min(at, this.#work?.deadlineMs() ?? at)
    return Number.isFinite(at) ? at : null
  }

  /** A reader that takes nothing is waited for without an end. */
  get #patienceEndMs(): number {
    if (this.#isResting || this.#work?.isWaitingForReader) return Number.POSITIVE_INFINITY
    return (this.#work?.movedMs ?? this.#movedMs) + this.#patienceMs
  }

  /** All that is wanted so far is here, and more may be wanted. */
  get #isResting(): boolean {
    return this.#config.isStanding === true && this.#work?.isDone === true
  }

  /** A large block takes its time, and says nothing before it is whole. */
  get #patienceMs(): number {
    const blockMs = (4 * (this.#content?.blockBytes ?? 0)) / limits.pullSlowBytesPerMs
    const isBusy = this.holders.some(({ failure }) => failure?.code === 'ERR_FR_LIMIT')
    return (isBusy ? limits.fetchBusyMs : this.#config.silenceMs) + blockMs
  }

  #on(fact: FetchFact, nowMs: number): void {
    switch (fact.type) {
      case 'linked':
        return this.#onLinked(fact, nowMs)
      case 'unlinked':
        return this.#lost(this.#holder(fact.member), fact, nowMs)
      case 'said':
        return this.#onSaid(this.#holder(fact.member), fact.frame, nowMs)
      case 'fedIn':
        return this.#onFedIn(this.#holder(fact.member), nowMs)
      case 'unfed':
        return this.#onUnfed(fact, nowMs)
      case 'opened':
        return this.#onOpened(fact, nowMs)
      case 'landed':
        return this.#work?.onLanded(fact, nowMs)
      case 'digests':
        return this.#work?.onDigests(fact, nowMs)
      case 'hashed':
        return this.#work?.onHashed(fact, nowMs)
      case 'summed':
        return this.#work?.onSummed(fact.fileDigest, nowMs)
      case 'copied':
        return this.#work?.copied(fact.offset, fact.length, nowMs)
      case 'received':
        return this.#work?.puller.received(fact.member, fact.bytes, nowMs)
      case 'delivered':
        return this.#work?.delivered(fact.offset, nowMs)
      case 'wanted':
        return this.#onWanted(fact.ranges, nowMs)
      case 'fileFailed':
        return this.#fail(fact)
      case 'stopped':
        return this.#fail({ code: 'ERR_FR_ABORTED', text: fact.text })
      case 'lookUpBegan':
      case 'lookUpEnded':
      case 'linkBroke':
      case 'linkBack':
      case 'fedOut':
      case 'due':
        return
      default:
        return fact satisfies never
    }
  }

  #holder(member: number): FetchHolder {
    return this.holders[member - 1] as FetchHolder
  }

  // --- holders ---

  #onLinked({ member, rttMs }: MemberFact & { type: 'linked' }, nowMs: number): void {
    const holder = this.#holder(member)
    if (holder.state !== 'dialling') return
    holder.state = 'asked'
    holder.dueMs = nowMs + limits.acceptMs
    holder.rttMs = rttMs ?? holder.rttMs
    this.#say(holder, { type: 'fetch', ...this.#ask })
  }

  #onSaid(holder: FetchHolder, frame: Frame, nowMs: number): void {
    if (!holder.isLinked) return
    switch (frame.type) {
      case 'fetched':
        return this.#onOffer(holder, frame, nowMs)
      case 'refuse':
        return this.#drop(holder, frame, nowMs)
      case 'holding':
      case 'pullRefused':
        return this.#work?.answered(holder.number, frame, nowMs)
      default:
        return this.#drop(holder, protocolFailure(`sent '${frame.type}'`), nowMs)
    }
  }

  #onOffer(holder: FetchHolder, offer: FetchOffer, nowMs: number): void {
    if (holder.state !== 'asked')
      return this.#drop(holder, protocolFailure('offered the file twice'), nowMs)
    if (offer.entry.growing === true)
      return this.#drop(holder, protocolFailure('offered what is still written'), nowMs)
    if (offer.entry.base !== 0 || offer.entry.stream !== 0)
      return this.#drop(holder, protocolFailure('offered a file at another place'), nowMs)
    const { fileDigest = offer.fileDigest } = this.#config
    if (offer.fileDigest !== fileDigest) return this.#exclude(holder, otherContent, nowMs)
    holder.state = 'offered'
    holder.offer = offer
    this.#offeredMs = Math.min(this.#offeredMs, nowMs)
    if (this.#content !== undefined) this.#compare(holder, nowMs)
  }

  /** Whoever holds other content under this name cannot help. */
  #compare(holder: FetchHolder, nowMs: number): void {
    const { fileDigest, entry } = holder.offer as FetchOffer
    const { content } = this
    if (content?.fileDigest !== fileDigest || content.size !== entry.size) {
      return this.#exclude(holder, otherContent, nowMs)
    }
    if (this.#work === undefined) return
    holder.state = 'opening'
    this.#wish({ type: 'feed', member: holder.number })
  }

  #onFedIn(holder: FetchHolder, nowMs: number): void {
    if (holder.state !== 'opening') return
    holder.state = 'open'
    this.#work?.opened(holder, nowMs)
  }

  #onUnfed(fact: MemberFact & { type: 'unfed' }, nowMs: number): void {
    const { member, code, text } = fact
    const lost = code ?? 'ERR_FR_NODE_LOST'
    this.#drop(this.#holder(member), { code: lost, text: text ?? 'its connection broke' }, nowMs)
  }

  /** Closes what is open to it; it is dialled again if the reason may pass and it is not final. */
  #drop(holder: FetchHolder, failure: Failure, nowMs: number, isFinal = false): void {
    if (holder.state === 'out') return
    this.#wish({ type: 'hangUp', member: holder.number })
    this.#lost(holder, failure, nowMs, isFinal)
  }

  #exclude(holder: FetchHolder, failure: Failure, nowMs: number): void {
    this.#drop(holder, failure, nowMs, true)
  }

  /** Nothing is open to it any more. */
  #lost(holder: FetchHolder, { code, text }: Failure, nowMs: number, isFinal = false): void {
    if (holder.state === 'out') return
    holder.failed({ code, text }, isFinal, nowMs)
    const isOut = holder.hasLeft
    // That it is a tree is no fault of a node.
    const level = code === 'ERR_FR_UNSUPPORTED' ? 'info' : 'warn'
    if (isOut) this.#note(holder, 'holder-out', `${code}: ${text}`, level)
    if (this.#work === undefined) return
    const { puller, table, repairs } = this.#work
    if (isOut) puller.gone(holder.number, nowMs)
    else puller.unlinked(holder.number, 'ERR_FR_NODE_LOST', nowMs)
    if (table.member === holder.number && table.state === 'coming') table.drop()
    if (repairs.member === holder.number) repairs.giveUp()
  }

  // --- the content ---

  #choose(nowMs: number): void {
    const first = this.holders.find(({ offer }) => offer !== undefined)?.offer
    if (first === undefined) return
    const isInTime = nowMs < this.#offeredMs + limits.fetchChooseMs
    if (isInTime && !this.holders.every(({ hasAnswered }) => hasAnswered)) return
    const fault = rangeFault(this.#config.range, first.entry.size)
    if (fault !== null) return this.#fail(fault)
    this.#content = contentOf(first, this.#config.range)
    this.#movedMs = nowMs
    this.#wish({ type: 'open', content: this.#content })
    for (const holder of this.holders) if (holder.state === 'offered') this.#compare(holder, nowMs)
  }

  #onOpened(opened: FetchFact & { type: 'opened' }, nowMs: number): void {
    const host = {
      holders: this.holders,
      wish: (...wishes: readonly FetchWish[]) => this.#wish(...wishes),
      say: (holder: FetchHolder, frame: Frame) => this.#say(holder, frame),
      drop: (holder: FetchHolder, failure: Failure, isFinal: boolean, atMs: number) =>
        this.#drop(holder, failure, atMs, isFinal),
      fail: (failure: Failure) => this.#fail(failure),
    }
    const { aheadBytes, isLackFinal = false, isFollowing = false } = this.#config
    const content = this.#content as FetchedContent
    const bounds = { aheadBytes, isLackFinal, isFollowing }
    this.#work = new BlockWork(host, content, bounds, opened, nowMs)
    this.#onWanted(this.#more.splice(0), nowMs)
    for (const holder of this.holders) if (holder.state === 'offered') this.#compare(holder, nowMs)
  }

  #onWanted(ranges: readonly RangePair[], nowMs: number): void {
    if (this.#work === undefined) this.#more.push(...ranges)
    else if (ranges.length > 0) this.#work.more(ranges, nowMs)
  }

  // --- whatever follows from the state and the time ---

  #advance(nowMs: number): void {
    this.#dialAll(nowMs)
    if (this.#content === undefined) this.#choose(nowMs)
    if (this.#isEnded) return
    this.#work?.advance(nowMs)
    if (this.#isResting) return this.#judgeRest()
    if (this.#work?.isDone) this.#end(null)
    if (!this.#isEnded) this.#judgeTime(nowMs)
  }

  #dialAll(nowMs: number): void {
    for (const holder of this.holders) {
      if (holder.state === 'asked' && nowMs >= holder.dueMs) {
        const text = `did not answer within ${limits.acceptMs} ms`
        this.#drop(holder, { code: 'ERR_FR_TIMEOUT', text }, nowMs)
      } else if (holder.state === 'waiting' && nowMs >= holder.dueMs) {
        holder.state = 'dialling'
        this.#wish({ type: 'connect', member: holder.number })
      }
    }
  }

  /** Nobody is dialled again for nothing. */
  #judgeRest(): void {
    const isLeft = this.holders.every(({ state }) => state === 'waiting' || state === 'out')
    if (isLeft) this.#fail(failureOf(this.holders, 'no more is brought'))
  }

  #judgeTime(nowMs: number): void {
    const { timeoutMs } = this.#config
    if (timeoutMs !== null && nowMs >= this.#startMs + timeoutMs) {
      const text = `the file is not here after ${timeoutMs} ms`
      return this.#fail({ ...failureOf(this.holders, text), code: 'ERR_FR_TIMEOUT' })
    }
    const isOver = this.holders.every(({ state }) => state === 'out')
    if (!isOver && !this.#isOther && nowMs < this.#patienceEndMs) return
    const failure = failureOf(this.holders, this.#work?.lack ?? 'no node offers the file')
    this.#fail(this.#isOther ? { ...failure, code: 'ERR_FR_UNSUPPORTED' } : failure)
  }

  /** No holder has offered a file yet, and one says that the name is that of something else. */
  get #isOther(): boolean {
    const isNone = this.holders.every((holder) => {
      return holder.offer === undefined && holder.failure !== null
    })
    return isNone && this.holders.some(({ failure }) => failure?.code === 'ERR_FR_UNSUPPORTED')
  }

  #say(holder: FetchHolder, frame: Frame): void {
    this.#wish({ type: 'say', member: holder.number, frame })
  }

  #note(holder: FetchHolder, event: string, text: string, level: 'info' | 'warn'): void {
    const { address } = holder
    this.#wish({ type: 'note', level, event, fields: { node: address, text } })
  }

  #wish(...wishes: readonly FetchWish[]): void {
    if (!this.#isEnded) this.#wishes.push(...wishes)
  }

  #fail({ code, text }: Failure): void {
    this.#end({ code, text })
  }

  #end(failure: Failure | null): void {
    if (this.#isEnded) return
    this.#wish({ type: 'end', failure })
    this.#isEnded = true
  }
}

const otherContent: Failure = {
  code: 'ERR_FR_NOT_HELD',
  text: 'holds other content under this name',
}

function protocolFailure(text: string): Failure {
  return { code: 'ERR_FR_PROTOCOL', text }
}
