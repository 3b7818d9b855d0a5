/**
 * A content that is still written, as far as copies by order bring it: from one source at a time,
 * in order, and no further than was ordered.
 *
 * The idea: what brings one copy stays open for the next (session/fetch/follow-attempt.ts): asked
 * for nothing, the source says how far it is, and in the end, by itself, where the content ends.
 * Then it is published if all of it is here, and needs no order for that. Others read here what is
 * verified, as from any node at which it lands.
 */
import { type Failure, FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import { RangeSet } from '../../base/ranges.js'
import { nextBlock, wholeEnd } from '../../base/sections.js'
import type { FollowWish } from '../../control/fetching/followed.js'
import { FetchHolder } from '../../control/fetching/holders.js'
import type { HeldRun } from '../../control/holdings/have.js'
import type { CopyOrder } from '../../control/messages/mastering.js'
import type { FetchOffer, StreamEntry } from '../../control/messages/types.js'
import type { Dialler } from '../../net/dial.js'
import type { DataEngine } from '../../ports.js'
import { encodeName } from '../../protocol/manifest.js'
import type { DigestRun } from '../../store/catalogue/record.js'
import type { Partial } from '../../store/partial.js'
import { BlockValues } from '../fetch/block-values.js'
import {
  FollowAttempt,
  type FollowEnd,
  type FollowFiles,
  type FollowOutput,
} from '../fetch/follow-attempt.js'
import type { GrowingHere } from '../growing-here.js'
import { arrive } from '../receiver/arrival.js'
import { GrowingPublication, growingHere } from '../receiver/growing.js'
import type { ReceptionLog } from '../receiver/log.js'
import type { Guest, GuestSpec, NodeHost } from '../receiver/node-host.js'
import { tellPublishing } from '../receiver/partial-log.js'
import { hasherOf } from '../receiver/publications.js'
import { FilePublication } from '../receiver/publish.js'
import { SignedRuns } from '../receiver/signed-runs.js'
import type { VerifiedLog } from '../receiver/verified-log.js'
import type { EngineRouter } from '../router.js'
import { ClaimedPartial } from './claimed-partial.js'
import type { FillingHooks, FillingSpec } from './filling.js'

export interface GrowingSpec extends Omit<FillingSpec, 'size'> {
  readonly engine: DataEngine
  readonly router: EngineRouter
  readonly contentId: string
}

/** Who brings what comes next. */
export interface GrowingSource {
  readonly address: string
  readonly nodeId: string
  readonly dialler: Dialler
  /** Undefined: as much as can. */
  readonly bytesPerSecond: number | undefined
}

interface Files extends FollowFiles {
  readonly host: NodeHost
  readonly partial: Partial
  readonly publication: GrowingPublication
  readonly runs: SignedRuns
  readonly log: ReceptionLog
  readonly journal: VerifiedLog | undefined
  readonly growing: GrowingHere
}

type Order = Pick<CopyOrder, 'source' | 'range' | 'size'>

/** The copy that is under way. */
interface Waiting {
  readonly to: number
  readonly isLast: boolean
  readonly resolve: () => void
  readonly reject: (error: FrError) => void
}

export class GrowingFilling implements Guest {
  readonly name: Uint8Array
  /** Verified: its prefix. */
  readonly here = new RangeSet()
  readonly neededBytes = 0
  readonly openBytes = 0
  readonly hasPlan = false
  hasSpace = false
  isEnded = false
  isPublished = false
  /** The last copy failed by something here, and not by its source. */
  isOwnFault = false
  /** Who has it whole does not know any more how it was written. */
  isForgotten = false
  spec: GuestSpec
  /** When it is closed. */
  readonly done: Promise<void>
  readonly #spec: GrowingSpec
  readonly #hooks: FillingHooks
  readonly #values = new BlockValues()
  #prefix = 0
  /** Nothing beyond is asked for. */
  #bound = 0
  /** Where it ends, by its author. */
  #end: number | undefined
  #opening: Promise<Files> | undefined
  #files: Files | undefined
  #claimed: ClaimedPartial | undefined
  #fresh: HeldRun[] = []
  #attempt: FollowAttempt | undefined
  #ending: Promise<unknown> = Promise.resolve()
  #source: GrowingSource | undefined
  #waiting: Waiting | undefined
  #publishing: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #closed: () => void = () => {}

  constructor(spec: GrowingSpec, hooks: FillingHooks) {
    this.name = spec.name
    const { transfer, source: originAddress } = spec
    const guest = { transfer, originAddress, originId: transfer, isPlanned: false }
    this.spec = { ...guest, place: 0, fileDigest: null }
    this.#spec = spec
    this.#hooks = hooks
    this.done = new Promise((resolve) => {
      this.#closed = resolve
    })
  }

  get prefix(): number {
    return this.#prefix
  }

  get isWhole(): boolean {
    return this.#end === this.#prefix
  }

  get isOpen(): boolean {
    return this.#files !== undefined && !this.isEnded
  }

  get growing(): GrowingHere | undefined {
    return this.#files?.growing
  }

  /** The newest who wants a name has it. */
  givesWay(): boolean {
    this.isEnded = true
    const text = 'another transfer or version takes the name'
    this.#hooks.broken({ code: 'ERR_FR_BUSY', text })
    return true
  }

  storageLost(failure: Failure): void {
    if (this.#files?.partial.isLanding === true) this.#hooks.broken(failure)
  }

  /** A copy of it has failed by something here. */
  failedHere(failure: Failure): void {
    this.#claimed?.failed(failure, true)
  }

  /**
   * An order of the whole content, from where this ends: from the source that is open, or, where
   * only the end is lacked, from any, which may still say it to those who follow the content here.
   */
  goesOnWith({ source, range: [offset], size }: Order): boolean {
    if (this.isEnded || offset > this.#prefix) return false
    const lacksEnd = this.isOpen && size === this.#prefix && !this.isForgotten
    return lacksEnd || this.#isOpenTo(source.address)
  }

  /**
   * Brings all before `to` from this source, and `isLast`: that nothing comes after it. One call at
   * a time. Rejects with an FrError; `isOwnFault` tells whose fault it was.
   */
  async bring(source: GrowingSource, to: number, isLast: boolean): Promise<void> {
    this.isOwnFault = false
    if (isLast ? this.isWhole : this.#prefix >= to) return
    const isSame = this.#isOpenTo(source.address)
    if (!isSame) await this.#endAttempt()
    if (this.isEnded) throw new FrError('ERR_FR_ABORTED', 'nobody wants the content any more')
    // Of the last block there may be no more than its beginning when it is asked for.
    this.#bound = nextBlock(to, 'sections')
    const came = new Promise<void>((resolve, reject) => {
      this.#waiting = { to, isLast, resolve, reject }
    })
    if (isSame) {
      this.#attempt?.limit(source.bytesPerSecond)
      this.#attempt?.delivered(this.#bound)
    } else this.#ask(source)
    const look = this.#lookFrom(this.#prefix)
    try {
      await came
    } finally {
      clearInterval(look)
      this.#waiting = undefined
    }
  }

  /** A source that has no more yet owes nothing; the copy ends all the same. */
  #lookFrom(start: number): NodeJS.Timeout {
    let before = start
    return setInterval(() => {
      const { to = 0, isLast, resolve, reject } = this.#waiting ?? {}
      if (this.#prefix >= to && isLast !== true) resolve?.()
      else if (this.#prefix === before && this.#files !== undefined) {
        reject?.(new FrError('ERR_FR_NOT_HELD', 'the source has no more of it so far'))
        void this.#endAttempt()
      }
      before = this.#prefix
    }, limits.orderSilenceMs)
  }

  limit(bytesPerSecond: number | undefined): void {
    this.#attempt?.limit(bytesPerSecond)
  }

  /** The copy that is under way ends. */
  cancel(text: string): void {
    this.#waiting?.reject(new FrError('ERR_FR_ABORTED', text))
    void this.#endAttempt()
  }

  /** Gives it its name, once; all of it is here. */
  publish(): Promise<void> {
    this.#publishing ??= this.#publish(this.#files as Files)
    return this.#publishing
  }

  /** Nothing lands any more. What is verified stays, unless the file has its name. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.isEnded = true
    this.cancel('the content is closed')
    await this.#endAttempt()
    await this.#opening?.catch(() => {})
    await this.#publishing?.catch(() => {})
    const text = 'nobody fills it here any more'
    if (!this.isPublished) this.#files?.growing.failed({ code: 'ERR_FR_NODE_CLOSED', text })
    await this.#claimed?.giveBack()
    this.#closed()
  }

  // --- the source ---

  #isOpenTo(address: string): boolean {
    return this.#source?.address === address && this.#attempt !== undefined
  }

  #ask(source: GrowingSource): void {
    const { engine, router } = this.#spec
    const { address, nodeId, dialler, bytesPerSecond } = source
    const sealed = dialler.self.seal === undefined ? {} : ({ sealed: true } as const)
    const ask = { ...encodeName(this.name), ...sealed }
    const links = { dialler, nodeId, flows: undefined }
    const holder = new FetchHolder(1, address)
    const parts = [engine, router, links] as const
    const attempt = new FollowAttempt(...parts, holder, ask, this.#output)
    attempt.limit(bytesPerSecond)
    this.#attempt = attempt
    this.#source = source
    void attempt.ended.then((end) => this.#over(attempt, end))
  }

  get #output(): FollowOutput {
    const [prefix, bound] = [() => this.#prefix, () => this.#bound]
    return {
      get prefix() {
        return prefix()
      },
      get deliveredTo() {
        return bound()
      },
      ...{ aheadBytes: 0, silenceMs: limits.orderSilenceMs },
      open: (offer) => {
        this.#opening ??= this.#open(offer)
        return this.#opening.then((files) => {
          this.#reached()
          return this.#sameAs(files, offer)
        })
      },
      verified: (wish) => this.#verified(wish),
      signed: (run) => this.#signed(run),
      failed: ({ code, text }) => {
        this.isOwnFault = true
        this.#attempt?.fail({ code, text })
      },
    }
  }

  #sameAs(files: Files, { entry }: FetchOffer): Files {
    if (entry.contentId === this.#spec.contentId) return files
    throw new FrError('ERR_FR_NOT_HELD', 'the source has another content of this name')
  }

  #over(attempt: FollowAttempt, end: FollowEnd): void {
    if (this.#attempt !== attempt) return
    void this.#endAttempt()
    const { to = Number.POSITIVE_INFINITY, isLast = false, resolve, reject } = this.#waiting ?? {}
    if (end.type === 'done') {
      this.#end = end.bytes
      this.#files?.growing.reached(this.#prefix, true)
      resolve?.()
      // Who follows publishes without an order; who has ordered hears of it.
      if (resolve === undefined)
        this.publish().catch((error: unknown) => {
          const { code, message: text } = asFrError(error, 'ERR_FR_IO')
          this.#hooks.broken({ code, text })
        })
    } else if (this.#prefix >= to && !isLast) resolve?.()
    else if (end.type === 'failed') reject?.(new FrError(end.failure.code, end.failure.text))
    else {
      // The master hears of that from the source, and orders the file.
      this.isOwnFault = true
      this.isForgotten = true
      reject?.(new FrError('ERR_FR_NOT_HELD', 'the source has the file whole by now'))
    }
  }

  /** Resolves when nothing of it, or of one before, uses the files. */
  async #endAttempt(): Promise<void> {
    const attempt = this.#attempt
    this.#attempt = undefined
    this.#source = undefined
    this.#ending = Promise.all([this.#ending, attempt?.close()])
    await this.#ending
  }

  #verified({ offset, part }: FollowWish & { readonly type: 'verified' }): void {
    const { end, digest: digests } = part
    this.#prefix = end
    this.here.add(0, end)
    this.#values.add(offset, digests)
    // Of the last block there is more now.
    if (this.#fresh.at(-1)?.offset === offset) this.#fresh.pop()
    this.#fresh.push({ offset, length: end - offset, digests })
    this.#files?.growing.reached(end, false)
    this.#hooks.changed()
    this.#reached()
  }

  /** Where the content ends, its source says by itself; that is waited for. */
  #reached(): void {
    const isAtEnd = this.#attempt?.isAtEnd === true
    const { to = Number.POSITIVE_INFINITY, isLast = false, resolve } = this.#waiting ?? {}
    if (this.#prefix >= to && !isAtEnd && !isLast) resolve?.()
  }

  #signed(run: DigestRun): void {
    this.#files?.runs.keep(run)
    this.#files?.growing.signed({ stream: 0, ...run })
  }

  // --- the files ---

  async #open(offer: FetchOffer): Promise<Files> {
    if (offer.entry.contentId !== this.#spec.contentId)
      throw new FrError('ERR_FR_NOT_HELD', 'the source has another content of this name')
    const { digest: algorithm } = offer
    const entry: StreamEntry = { ...offer.entry, ...encodeName(this.name) }
    const place = await this.#hooks.place({ ...offer, entry })
    const { host } = place
    this.spec = { ...this.spec, place: place.number }
    const claimed = new ClaimedPartial(this, place, entry, this.#spec)
    const { partial, log } = claimed
    try {
      await claimed.claim()
      const publicationOf = (whole: StreamEntry): FilePublication => {
        const how = { entry: whole, algorithm, noClobber: false, strict: false }
        return new FilePublication(host, partial, this.name, hasherOf(host, how), how)
      }
      const size = (): number => this.#end ?? 0
      const { engine } = host
      const publication = new GrowingPublication({ engine, partial, entry, size, publicationOf })
      await publication.checkName()
      const { contentId, author, only } = entry
      const forSome = only !== undefined && { only }
      const wanted = { contentId, author, algorithm, ...spanned, ...forSome }
      const arrival = await arrive(host, partial, {
        ...{ wanted, entry, fileDigest: null, name: this.name, visibleName: this.name },
        ...{ isStrict: false, isSparse: false },
        requireSpace: () => host.requireSpace(this),
      })
      const runs = new SignedRuns(spanned.size, 'sections')
      runs.restore(arrival.journal === 'ours' ? (arrival.signed ?? []) : [])
      await claimed.startLog({
        ...{ wanted, fileDigest: null, journal: arrival.journal },
        takeVerified: () => this.#fresh.splice(0),
        takeSigned: () => runs.takeFresh(),
      })
      await publication.probe()
      const receiver = { role: 'receiver', entry, algorithm } as const
      const growing = growingHere(receiver, this.name, () => partial.id, runs)
      this.#found(arrival.held ?? [])
      if (this.isEnded || growing === undefined)
        throw new FrError('ERR_FR_ABORTED', 'nobody wants the content any more')
      const { file, scratch } = partial
      if (scratch === undefined) throw new FrError('ERR_FR_INTERNAL', 'the partial has no scratch')
      const hasher = hasherOf(host, { entry, algorithm })
      const { journal } = claimed
      const opened = { host, partial, publication, runs, log, journal, growing }
      this.#files = { ...opened, file, scratch, hasher }
      this.#claimed = claimed
      growing.reached(this.#prefix, false)
      this.#hooks.changed()
      return this.#files
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_IO')
      claimed.failed({ code, text }, false)
      await claimed.giveBack()
      this.isOwnFault = true
      throw error
    }
  }

  /** Goes on with what an earlier one has left, as far as that is sure and without a gap. */
  #found(held: readonly HeldRun[]): void {
    for (const { offset, length, digests } of held) {
      if (offset !== wholeEnd(this.#prefix)) break
      this.#values.add(offset, digests)
      this.#prefix = offset + length
    }
    this.here.add(0, this.#prefix)
  }

  async #publish({ host, partial, publication, runs, log, journal }: Files): Promise<void> {
    await this.#endAttempt()
    log.summed(publication.sum(this.#values.all))
    const told = await publication.publish(
      () => tellPublishing(host, partial, journal),
      () => ({ runs, copied: undefined }),
    )
    this.isPublished = true
    for (const text of told.warnings) log.line('warn', 'attributes', { text })
    log.published(this.#prefix, 0, false)
    await host.store.makeWay(this.name).catch(() => {})
    this.#hooks.changed()
  }
}

const spanned = { blockBytes: 'sections', size: limits.growingSpanBytes } as const
