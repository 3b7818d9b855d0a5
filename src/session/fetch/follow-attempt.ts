/**
 * What a client that follows a content asks of one holder, and what comes of it, carried out:
 * control/fetching/followed.ts decides.
 *
 * It owns one transfer of the engine and what is open to the holder; the file is its caller's, and
 * has all before the prefix. When the holder fails, the next attempt goes on from where this is.
 */
import type { Failure } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import { blockBytesAt } from '../../base/sections.js'
import { awakeMs } from '../../base/time/awake.js'
import type { FetchFact } from '../../control/fetching/events.js'
import { Followed, type FollowWish } from '../../control/fetching/followed.js'
import type { FetchHolder } from '../../control/fetching/holders.js'
import type { FetchAsk } from '../../control/fetching/machine.js'
import type { FetchOffer, Frame } from '../../control/messages/types.js'
import type { DataEngine, EngineEvent, FileHandle, TransferHandle } from '../../ports.js'
import type { DigestRun } from '../../store/catalogue/record.js'
import type { Hasher } from '../hasher.js'
import type { EngineRouter } from '../router.js'
import { HolderLinks, type HolderSpec } from './holder-links.js'

/** The output, as far as it is here. */
export interface FollowOutput {
  readonly prefix: number
  readonly deliveredTo: number
  readonly aheadBytes: number
  readonly silenceMs: number
  /** The files of this content. Rejects with ERR_FR_NOT_HELD where another one is followed. */
  open(offer: FetchOffer): Promise<FollowFiles>
  verified(wish: FollowWish & { readonly type: 'verified' }): void
  /** A record of digests that the author of the content has signed. */
  signed?(run: DigestRun): void
  /** It can be written no more, whoever brings it. */
  failed(failure: Failure): void
}

export interface FollowFiles {
  readonly file: FileHandle
  readonly scratch: FileHandle
  readonly hasher: Hasher
}

/**
 * - done: all of it is here, `bytes` in the end.
 * - whole: the holder has a file of this name that is written no more.
 * - failed: for good where `isFinal`.
 */
export type FollowEnd =
  | { readonly type: 'done'; readonly bytes: number }
  | { readonly type: 'whole' }
  | { readonly type: 'failed'; readonly failure: Failure; readonly isFinal: boolean }

const stream = 0
const member = 1
/** Milliseconds until what a holder could not take on is asked for again. */
const askAgainMs = 100
const lookMs = 500

export class FollowAttempt {
  readonly ended: Promise<FollowEnd>
  readonly #engine: DataEngine
  readonly #router: EngineRouter
  readonly #holder: FetchHolder
  readonly #ask: FetchAsk
  readonly #output: FollowOutput
  readonly #transfer: TransferHandle
  readonly #links: HolderLinks
  readonly #look: NodeJS.Timeout
  readonly #again = new Set<NodeJS.Timeout>()
  readonly #tasks = new Set<Promise<void>>()
  #files: FollowFiles | undefined
  #followed: Followed | undefined
  /** The newest word of the holder. */
  #more = { bytes: 0, isFinal: false }
  /** Asked for, by request, as long as they may be refused. */
  readonly #asked = new Map<number, FollowWish & { type: 'pull' }>()
  #requests = 0
  /** Since when it owes something. */
  #movedMs = awakeMs()
  #isEnded = false
  #settle: (end: FollowEnd) => void = () => {}

  constructor(
    engine: DataEngine,
    router: EngineRouter,
    spec: HolderSpec,
    holder: FetchHolder,
    ask: FetchAsk,
    output: FollowOutput,
  ) {
    this.#engine = engine
    this.#router = router
    this.#holder = holder
    this.#ask = ask
    this.#output = output
    this.#transfer = engine.openTransfer()
    router.route(this.#transfer, (events) => this.#onEngine(events))
    this.#links = new HolderLinks(engine, this.#transfer, spec, [holder], {
      post: (fact) => this.#on(fact),
      signed: (run) => output.signed?.(run),
    })
    this.ended = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.#look = setInterval(() => this.#judgeTime(), lookMs)
    holder.state = 'dialling'
    this.#links.connect(member)
  }

  /** The holder has no more, and never will. */
  get isAtEnd(): boolean {
    const { bytes, isFinal } = this.#more
    return isFinal && this.#output.prefix >= bytes
  }

  /** The most that comes in a second; undefined: as much as can. */
  limit(bytesPerSecond: number | undefined): void {
    this.#engine.limitTransfer(this.#transfer, { downBytesPerSecond: bytesPerSecond })
  }

  /** The reader of the output is at this byte. */
  delivered(bytes: number): void {
    this.#followed?.delivered(bytes)
    this.#advance()
  }

  /** Ends it from outside. */
  fail(failure: Failure): void {
    this.#end({ type: 'failed', failure, isFinal: true })
  }

  /** Resolves when nothing of it uses the files any more. */
  async close(): Promise<void> {
    this.#isEnded = true
    clearInterval(this.#look)
    for (const timer of this.#again) clearTimeout(timer)
    await this.#links.close()
    this.#router.forget(this.#transfer)
    this.#engine.closeTransfer(this.#transfer)
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks)
  }

  #end(end: FollowEnd): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#settle(end)
  }

  #lost({ code, text }: Failure, isFinal = false): void {
    this.#end({ type: 'failed', failure: { code, text }, isFinal })
  }

  // --- the holder ---

  #on(fact: FetchFact): void {
    if (this.#isEnded) return
    switch (fact.type) {
      case 'linked':
        this.#holder.state = 'asked'
        this.#movedMs = awakeMs()
        return this.#links.say(member, { type: 'fetch', ...this.#ask, follow: true })
      case 'said':
        return this.#onSaid(fact.frame)
      case 'fedIn':
        return this.#begin()
      case 'unlinked':
        return this.#lost(fact)
      case 'unfed':
        return this.#lost({
          code: fact.code ?? 'ERR_FR_NODE_LOST',
          text: fact.text ?? 'its connection broke',
        })
      case 'digests':
        return this.#onDigests(fact)
      default:
        return
    }
  }

  #onSaid(frame: Frame): void {
    switch (frame.type) {
      case 'fetched':
        return this.#onOffer(frame)
      case 'more':
        this.#more = frame
        this.#followed?.more(frame.bytes, frame.isFinal)
        return this.#advance()
      case 'holding':
        this.#asked.delete(frame.request)
        return
      case 'pullRefused':
        return this.#onRefused(frame.request)
      case 'refuse':
        return this.#lost(frame)
      default:
        return this.#lost({ code: 'ERR_FR_PROTOCOL', text: `sent '${frame.type}'` }, true)
    }
  }

  #onOffer(offer: FetchOffer): void {
    const { entry, digest } = offer
    if (entry.growing !== true) return this.#end({ type: 'whole' })
    const isOne = entry.base === 0 && entry.stream === stream && digest === 'blake3'
    if (this.#holder.state !== 'asked' || !isOne)
      return this.#lost({ code: 'ERR_FR_PROTOCOL', text: 'made an offer that cannot be' }, true)
    this.#holder.state = 'opening'
    this.#holder.offer = offer
    this.#movedMs = awakeMs()
    const opened = this.#output.open(offer).then(
      (files) => {
        if (this.#isEnded) return
        this.#files = files
        this.#prepare(files)
        this.#links.feed(member)
      },
      (error: unknown) => {
        const { code, message: text } = asFrError(error, 'ERR_FR_IO')
        if (code === 'ERR_FR_NOT_HELD') return this.#lost({ code, text }, true)
        this.#output.failed({ code, text })
      },
    )
    this.#track(opened)
  }

  /** Before the data connection is open: what is written meanwhile is told on it unasked. */
  #prepare({ file, scratch }: FollowFiles): void {
    const { prefix, aheadBytes, deliveredTo } = this.#output
    this.#engine.addStream(this.#transfer, {
      ...{ stream, file, scratch, size: prefix, blockBytes: blockBytesAt(0) },
      ...{ growing: true, complete: false, hashes: 'blake3' },
    })
    if (prefix > 0) this.#engine.hold(this.#transfer, { stream, offset: 0, length: prefix })
    const size = Math.min(limits.growingSpanBytes, prefix + limits.grownAheadBytes)
    this.#engine.grow(this.#transfer, { stream, size, isFinal: false })
    this.#followed = new Followed(prefix, aheadBytes, deliveredTo)
  }

  /** The data connection is open. */
  #begin(): void {
    this.#holder.state = 'open'
    this.#movedMs = awakeMs()
    this.#followed?.more(this.#more.bytes, this.#more.isFinal)
    this.#advance()
  }

  get #isOpen(): boolean {
    return this.#holder.state === 'open'
  }

  /** It has as much to send as it takes on. */
  #onRefused(request: number): void {
    const wish = this.#asked.get(request)
    this.#asked.delete(request)
    if (wish === undefined) return
    const timer = setTimeout(() => {
      this.#again.delete(timer)
      if (!this.#isEnded) this.#execute(wish)
    }, askAgainMs)
    this.#again.add(timer)
  }

  #onDigests(fact: FetchFact & { type: 'digests' }): void {
    const { digests, offset, length, isFinal = false } = fact
    if (digests === null)
      return this.#lost({ code: 'ERR_FR_DIGEST', text: 'sent digests that are not signed' }, true)
    const fault = this.#followed?.announce({ offset, length, digests, isFinal }) ?? null
    if (fault !== null) return this.#lost(fault, true)
    this.#advance()
  }

  // --- the bytes ---

  #onEngine(events: readonly EngineEvent[]): void {
    for (const event of events) {
      if (this.#isEnded) return
      if (event.type === 'landed') this.#landed(event)
      else if (event.type === 'digests') this.#links.onDigests(event)
      else if (event.type === 'feedClosed') this.#links.closed(event.feed, event.code)
      else this.#output.failed(event)
    }
  }

  #landed({ offset, length, digests }: EngineEvent & { type: 'landed' }): void {
    if (digests !== undefined) return this.#computed(offset, length, digests)
    const { file, hasher } = this.#files as FollowFiles
    const hashed = hasher.hash(
      file,
      { offset, length },
      (found) => this.#computed(offset, length, found),
      ({ code, message: text }) => this.#output.failed({ code, text }),
    )
    this.#track(hashed)
  }

  #computed(offset: number, length: number, digests: Uint8Array): void {
    if (this.#isEnded) return
    const fault = this.#followed?.computed(offset, length, digests) ?? null
    if (fault !== null) return this.#lost(fault, true)
    this.#advance()
  }

  #advance(): void {
    const followed = this.#followed
    if (followed === undefined || !this.#isOpen || this.#isEnded) return
    for (const wish of followed.takeWishes()) this.#execute(wish)
    const { end, isDone } = followed
    if (isDone) this.#end({ type: 'done', bytes: end as number })
  }

  #execute(wish: FollowWish): void {
    switch (wish.type) {
      case 'pull': {
        const request = this.#requests++
        this.#asked.set(request, wish)
        return this.#links.say(member, { type: 'pull', request, ranges: [wish.range] })
      }
      case 'needDigests':
        return this.#links.say(member, { type: 'needDigests', ranges: [wish.range] })
      case 'cut':
        return this.#engine.cut(this.#transfer, {
          stream,
          offset: wish.offset,
          length: wish.length,
        })
      case 'grow':
        return this.#engine.grow(this.#transfer, {
          ...{ stream, size: wish.bytes, isFinal: wish.isFinal },
        })
      case 'verified': {
        this.#holder.verifiedBytes += wish.part.end - this.#output.prefix
        this.#holder.proved()
        this.#movedMs = awakeMs()
        return this.#output.verified(wish)
      }
      default:
        return wish satisfies never
    }
  }

  // --- time ---

  /** Who owes nothing may be silent for as long as nothing is written. */
  #judgeTime(): void {
    if (this.#isEnded) return
    const now = awakeMs()
    if (this.#isOpen && this.#followed?.isOwed === false) this.#movedMs = now
    const { silenceMs } = this.#output
    const mostMs = this.#isOpen ? silenceMs : Math.max(limits.acceptMs, silenceMs)
    if (now - this.#movedMs < mostMs) return
    const text = `brought nothing for ${mostMs} ms`
    this.#lost({ code: 'ERR_FR_TIMEOUT', text })
  }

  #track(task: Promise<void>): void {
    this.#tasks.add(task)
    void task.finally(() => this.#tasks.delete(task))
  }
}
