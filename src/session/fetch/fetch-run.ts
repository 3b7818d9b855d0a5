/**
 * A client that fetches a file, carried out: control/fetching/machine.ts decides, this file does.
 *
 * It owns one transfer of the engine, the files (landing.ts) and what is open to each holder
 * (holder-links.ts), and gives all of them back when it ends.
 */
import type { Writable } from 'node:stream'
import { blockAlgorithmFor } from '../../base/digests.js'
import { type Failure, FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { LogFields, Logger } from '../../base/log.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { awakeMs, nowMs } from '../../base/time/awake.js'
import type {
  FetchedContent,
  FetchFact,
  FetchRange,
  FetchWish,
} from '../../control/fetching/events.js'
import { FetchMachine } from '../../control/fetching/machine.js'
import { taskBytesFor } from '../../control/holdings/hashing.js'
import type { HashedPart } from '../../control/messages/facts.js'
import type { PackAsk } from '../../control/messages/types.js'
import type { DataEngine, EngineEvent, HashPool, TransferHandle } from '../../ports.js'
import { encodeName } from '../../protocol/manifest.js'
import { Loop } from '../driver/loop.js'
import { fileDigestOf } from '../file-digest.js'
import { Hasher } from '../hasher.js'
import type { EngineRouter } from '../router.js'
import { processClock } from '../sockets.js'
import { HolderLinks, type HolderSpec } from './holder-links.js'
import { type FetchTarget, type Landed, Landing } from './landing.js'
import { OrderedOutput } from './ordered-output.js'

export interface FetchSpec extends HolderSpec {
  readonly name: Uint8Array
  /** A part of the tree of this name is fetched. */
  readonly pack?: PackAsk
  /** HOST:PORT of each holder. */
  readonly holders: readonly string[]
  /** A path, a stream that is given the bytes in order, or files that somebody else has. */
  readonly output: string | Writable | FetchTarget
  readonly force: boolean
  readonly range: FetchRange | null
  readonly timeoutMs: number | null
  /** How long nothing may be verified; by default limits.fetchSilenceMs. */
  readonly silenceMs?: number
  /** Of the content that is wanted; by default whatever the first holder has. */
  readonly fileDigest?: string | undefined
  /** Ends by what no holder has got, rather than to wait for it. */
  readonly isLackFinal?: boolean
  /** Waits for what comes to its holders while they say that they have no more yet. */
  readonly isFollowing?: boolean
  /** It does not end by itself: more may be wanted of its holders. */
  readonly isStanding?: boolean
  /** The most that comes in a second; by default as much as can. */
  readonly bytesPerSecond?: number
  readonly log: Logger
}

/** How far a fetch is. */
export interface FetchView {
  /** What is fetched; null while no holder has said how much that is. */
  readonly bytes: number | null
  /** Of them, here and right; those of `foundBytes` that an earlier fetch left. */
  readonly verifiedBytes: number
  readonly foundBytes: number
  readonly seconds: number
  readonly digest: string | null
  readonly holders: readonly HolderView[]
  /** Null while nobody has offered it. */
  readonly content: FetchedContent | null
}

export interface HolderView {
  readonly holder: string
  readonly state: 'waiting' | 'connected' | 'out'
  readonly bytes: number
  readonly reason: string | null
}

export class FetchRun {
  readonly #engine: DataEngine
  readonly #router: EngineRouter
  readonly #pool: HashPool
  readonly #spec: FetchSpec
  readonly #machine: FetchMachine
  readonly #loop: Loop<FetchFact, FetchWish>
  readonly #links: HolderLinks
  readonly #transfer: TransferHandle
  readonly #tasks = new Set<Promise<unknown>>()
  readonly #startMs = nowMs()
  readonly #ordered: OrderedOutput | undefined
  /** Of what is wanted, without the rest of the blocks at its ends. */
  readonly #verified = new RangeSet()
  #foundBytes = 0
  #target: FetchTarget | undefined
  #landed: Landed | undefined
  /** It ended by something here, and not by its holders. */
  isOwnFault = false
  #hashers: Partial<Record<HashedPart, Hasher>> = {}
  #settle: (failure: Failure | null) => void = () => {}
  #crash: (error: unknown) => void = () => {}

  constructor(engine: DataEngine, router: EngineRouter, pool: HashPool, spec: FetchSpec) {
    this.#engine = engine
    this.#router = router
    this.#pool = pool
    this.#spec = spec
    const { name, pack, holders, range, timeoutMs, output, fileDigest } = spec
    const ordered = typeof output === 'string' || isTarget(output) ? undefined : output
    const aheadBytes = ordered === undefined ? null : limits.fetchAheadBytes
    const { silenceMs = limits.fetchSilenceMs, isLackFinal = false, isFollowing = false } = spec
    const { isStanding = false } = spec
    const bounds = { aheadBytes, silenceMs, timeoutMs, isLackFinal, isFollowing, isStanding }
    const config = { holders, range, fileDigest, ...bounds }
    const sealed = spec.dialler.self.seal === undefined ? {} : ({ sealed: true } as const)
    const ask = {
      ...{ ...encodeName(name), ...sealed },
      ...(pack !== undefined && { pack }),
      ...(fileDigest !== undefined && { content: fileDigest }),
      ...(isStanding && ({ standing: true } as const)),
    }
    this.#machine = new FetchMachine(config, ask, awakeMs())
    this.#transfer = engine.openTransfer()
    this.limit(spec.bytesPerSecond)
    this.#links = new HolderLinks(engine, this.#transfer, spec, this.#machine.holders, {
      post: (fact) => this.#loop.post(fact),
      signed: (run) => this.#target?.signed?.(run),
    })
    this.#loop = new Loop<FetchFact, FetchWish>(this.#machine, processClock, {
      execute: (wish) => this.#execute(wish),
      crashed: (error) => this.#crash(error),
    })
    router.route(this.#transfer, (events) => this.#onEngine(events))
    if (ordered !== undefined)
      this.#ordered = new OrderedOutput(ordered, {
        delivered: (offset) => this.#loop.post({ type: 'delivered', offset }),
        failed: (error) => this.#failed(error),
      })
  }

  /** Resolves when the output is whole and durable; rejects with an FrError. */
  async run(): Promise<FetchView> {
    try {
      const target = await this.#prepare()
      this.#target = target
      const ended = new Promise<Failure | null>((resolve, reject) => {
        this.#settle = resolve
        this.#crash = (cause) =>
          reject(new FrError('ERR_FR_INTERNAL', `defect: ${String(cause)}`, { cause }))
      })
      this.#loop.start(this.#machine.start(awakeMs()))
      const failure = await ended
      if (failure !== null) throw new FrError(failure.code, failure.text)
      await this.#finish(target)
      return this.view()
    } finally {
      await this.#release()
    }
  }

  async #prepare(): Promise<FetchTarget> {
    const { output, force, range } = this.#spec
    if (typeof output !== 'string' && isTarget(output)) return output
    const path = typeof output === 'string' ? output : null
    return Landing.prepare({ storage: this.#engine.storage, output: path, force, range })
  }

  /** The most that comes in a second; undefined: as much as can. */
  limit(bytesPerSecond: number | undefined): void {
    this.#engine.limitTransfer(this.#transfer, { downBytesPerSecond: bytesPerSecond })
  }

  /** These blocks as well. Where it is no standing one, they come only while others do. */
  want(ranges: readonly RangePair[]): void {
    this.#loop.post({ type: 'wanted', ranges })
  }

  cancel(text: string): void {
    this.#loop.post({ type: 'stopped', text })
  }

  view(): FetchView {
    const { content, holders } = this.#machine
    const [first, past] = this.#bounds(content)
    return {
      bytes: content === undefined ? null : past - first,
      verifiedBytes: this.#verified.bytes,
      foundBytes: this.#foundBytes,
      seconds: (nowMs() - this.#startMs) / 1000,
      digest: content?.fileDigest ?? null,
      content: content ?? null,
      holders: holders.map(({ address, state, verifiedBytes, failure }) => ({
        holder: address,
        state: state === 'out' ? 'out' : state === 'open' ? 'connected' : 'waiting',
        bytes: verifiedBytes,
        reason: failure === null ? null : `${failure.code}: ${failure.text}`,
      })),
    }
  }

  /** The first byte that is wanted, and the one behind the last. */
  #bounds(content: FetchedContent | undefined): readonly [number, number] {
    const { range, isStanding = false } = this.#spec
    const isAll = range === null || isStanding
    return isAll ? [0, content?.size ?? 0] : [range.first, range.last + 1]
  }

  // --- what the machine wants ---

  #execute(wish: FetchWish): void {
    switch (wish.type) {
      case 'connect':
        return this.#links.connect(wish.member)
      case 'say':
        return this.#links.say(wish.member, wish.frame)
      case 'feed':
        return this.#links.feed(wish.member)
      case 'hangUp':
        return this.#links.hangUp(wish.member)
      case 'sample':
        return this.#sample()
      case 'open':
        return this.#run(this.#open(wish.content))
      case 'hold':
        return this.#engine.hold(this.#transfer, { stream: 0, ...rangeOf(wish) })
      case 'hash':
        return this.#hash(wish.part, wish.offset, wish.length)
      case 'copyIn':
        return this.#copyIn(wish.offset, wish.length)
      case 'sum':
        return this.#sum(wish.digests)
      case 'verified':
        return this.#onVerified(wish)
      case 'note':
        return this.#note(wish)
      case 'end':
        this.#loop.stop()
        return this.#settle(wish.failure)
      default:
        return wish satisfies never
    }
  }

  async #open(content: FetchedContent): Promise<FetchFact> {
    const target = this.#target as FetchTarget
    const landed = await target.open(content)
    this.#landed = landed
    const { size, blockBytes, digest: algorithm, entry } = content
    const isSparse = entry.dataBytes < size
    const geometry = { fileBytes: size, blockBytes, algorithm, isSparse }
    const fresh = new Hasher(this.#engine, this.#pool, { ...geometry, hasJustLanded: true })
    const again = new Hasher(this.#engine, this.#pool, geometry)
    this.#hashers = { file: fresh, scratch: fresh, again }
    // SHA-256 takes longer than the bytes take to land: it is left to workers.
    const hashes =
      algorithm === 'sha256' ? undefined : blockAlgorithmFor(algorithm, size, blockBytes)
    this.#engine.addStream(this.#transfer, {
      ...{ stream: 0, file: landed.file, scratch: landed.scratch, size, blockBytes },
      ...{ complete: false, sparse: isSparse },
      ...(hashes !== undefined && { hashes }),
    })
    const [first, past] = this.#bounds(content)
    this.#ordered?.begin(target.partialPath, first, past - 1)
    return { type: 'opened', found: landed.found, digests: landed.digests }
  }

  #hash(part: HashedPart, offset: number, length: number): void {
    const { file, scratch } = this.#landed as Landed
    const hashed = this.#hashers[part]?.hash(
      part === 'scratch' ? scratch : file,
      { offset, length },
      (digests) => this.#loop.post({ type: 'hashed', part, offset, length, digests }),
      (error) => this.#failed(error),
    )
    if (hashed !== undefined) this.#track(hashed)
  }

  #copyIn(offset: number, length: number): void {
    const copied = (this.#target as FetchTarget).copyIn(offset, length)
    this.#run(copied.then((): FetchFact => ({ type: 'copied', offset, length })))
  }

  #sum(digests: Uint8Array): void {
    const { size, blockBytes, digest } = this.#machine.content as FetchedContent
    const fileDigest = fileDigestOf(this.#engine, digest, size, blockBytes, digests)
    this.#loop.post({ type: 'summed', fileDigest })
  }

  #onVerified({ offset, length, digests, isFound }: FetchWish & { type: 'verified' }): void {
    const [first, past] = this.#bounds(this.#machine.content)
    const from = Math.max(first, offset)
    const bytes = Math.min(past, offset + length) - from
    if (bytes > 0) this.#verified.add(from, bytes)
    this.#ordered?.verified(offset, length)
    if (isFound) this.#foundBytes += Math.max(0, bytes)
    const run = { offset, length, digests }
    const written = (this.#target as FetchTarget).verified(run, isFound)
    // Without it a later fetch only has more to do.
    this.#track(written.catch((error: unknown) => this.#warn('journal-failed', String(error))))
  }

  #sample(): void {
    for (const { member, bytes } of this.#links.received())
      this.#loop.post({ type: 'received', member, bytes })
  }

  #note({ level, event, fields }: FetchWish & { type: 'note' }): void {
    this.#spec.log({ level, event, fields: fields as LogFields })
  }

  #warn(event: string, text: string): void {
    this.#spec.log({ level: 'warn', event, fields: { text } })
  }

  // --- the engine ---

  #onEngine(events: readonly EngineEvent[]): void {
    const landed: FetchFact[] = []
    for (const event of events) {
      if (event.type === 'landed') {
        const { scratch, offset, length, digests } = event
        landed.push({ type: 'landed', scratch, offset, length, digests })
        continue
      }
      if (landed.length > 0) this.#loop.post(...landed.splice(0))
      if (event.type === 'digests') this.#links.onDigests(event)
      else if (event.type === 'feedClosed') this.#links.closed(event.feed, event.code)
      else this.#failed(new FrError(event.code, event.text))
    }
    if (landed.length > 0) this.#loop.post(...landed)
  }

  // --- the end ---

  async #finish(target: FetchTarget): Promise<void> {
    await this.#links.close()
    await this.#idle()
    if (this.#ordered !== undefined) return this.#ordered.finish()
    await target.finish(() => this.#isStillRight())
  }

  /** Hashes once more what is wanted. */
  async #isStillRight(): Promise<boolean> {
    const { offset, length, blockBytes } = this.#machine.content as FetchedContent
    const step = taskBytesFor(blockBytes)
    for (let at = offset; at < offset + length; at += step) {
      const range = { offset: at, length: Math.min(step, offset + length - at) }
      const digests = await new Promise<Uint8Array>((resolve, reject) => {
        const { file } = this.#landed as Landed
        void this.#hashers.again?.hash(file, range, resolve, reject)
      })
      if (!Buffer.from(digests).equals(this.#machine.digestsOf(range.offset, range.length)))
        return false
    }
    return true
  }

  async #release(): Promise<void> {
    this.#loop.stop()
    await this.#links.close()
    this.#router.forget(this.#transfer)
    this.#engine.closeTransfer(this.#transfer)
    await this.#ordered?.end()
    await this.#idle()
    await this.#target?.close()
  }

  async #idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks)
  }

  /** Tells the machine what work of the disk came to. */
  #run(work: Promise<FetchFact>): void {
    const posted = work.then(
      (fact) => this.#loop.post(fact),
      (error: unknown) => this.#failed(asFrError(error, 'ERR_FR_IO')),
    )
    this.#track(posted)
  }

  /** The files here, or the reader of the output. */
  #failed({ code, message: text }: FrError): void {
    this.isOwnFault = true
    this.#loop.post({ type: 'fileFailed', code, text })
  }

  #track(task: Promise<unknown>): void {
    this.#tasks.add(task)
    void task.finally(() => this.#tasks.delete(task))
  }
}

function isTarget(output: Writable | FetchTarget): output is FetchTarget {
  return 'copyIn' in output
}

function rangeOf({ offset, length }: { readonly offset: number; readonly length: number }) {
  return { offset, length }
}
