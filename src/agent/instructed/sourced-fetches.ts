/**
 * What is open to the sources of one content: for each a link, a data connection and one fetch,
 * which copies from that source use, one after the other and, where they have no rate, at the same
 * time. It stays a little for the next one: to connect and to greet costs more than a part does.
 *
 * Never: a block that two sources are asked for. What a copy has asked for and left is `open` until
 * it has come, or its fetch is over.
 */
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { CopyOrder } from '../../control/messages/mastering.js'
import type { Dialler } from '../../net/dial.js'
import type { DataEngine, HashPool } from '../../ports.js'
import { FetchRun } from '../../session/fetch/fetch-run.js'
import type { FetchTarget } from '../../session/fetch/landing.js'
import type { Filling } from '../../session/instructed/filling.js'
import type { EngineRouter } from '../../session/router.js'
import { CopyFailure } from './copy-failure.js'

export interface FetchesSpec {
  readonly engine: DataEngine
  readonly router: EngineRouter
  readonly pool: HashPool
  readonly dialler: () => Dialler
  readonly log: Logger
}

/** Whoever wants a part. */
export interface Bringing {
  /** So many bytes of it came from the source, and are right. */
  came(bytes: number): void
}

export interface Part extends Pick<CopyOrder, 'source' | 'digest'> {
  readonly name: Uint8Array
  readonly filling: Filling
  /** Null: of a content without bytes. */
  readonly part: RangePair | null
  /** Undefined: as much as can. */
  readonly bytesPerSecond: number | undefined
}

export class SourcedFetches {
  readonly #spec: FetchesSpec
  readonly #changed: () => void
  readonly #all = new Set<SourcedFetch>()

  /** `changed`: a part is free again that was asked for. */
  constructor(spec: FetchesSpec, changed: () => void) {
    this.#spec = spec
    this.#changed = changed
  }

  /** Asked for, and not here. */
  get open(): RangePair[] {
    return [...this.#all].flatMap((fetch) => fetch.open)
  }

  /** Resolves when all of the part is here. Rejects with a CopyFailure. */
  async bring(copy: Bringing, part: Part): Promise<void> {
    const open = [...this.#all].find((fetch) => fetch.isFor(part))
    const isSure = open?.isSure === true
    try {
      if (open !== undefined) return await open.bring(copy, part)
    } catch (error) {
      // What rested may have ended meanwhile, which is no fault of the source.
      if (isSure || (error as CopyFailure).isHere) throw error
    }
    return this.#open(part).bring(copy, part)
  }

  #open(part: Part): SourcedFetch {
    const fetch: SourcedFetch = new SourcedFetch(this.#spec, part, {
      resting: () => this.#boundRests(),
      over: () => {
        this.#all.delete(fetch)
        this.#changed()
      },
    })
    this.#all.add(fetch)
    return fetch
  }

  limit(copy: Bringing, bytesPerSecond: number | undefined): void {
    for (const fetch of this.#all) fetch.limit(copy, bytesPerSecond)
  }

  /** It wants nothing any more. */
  leave(copy: Bringing, text: string): void {
    for (const fetch of this.#all) fetch.leave(copy, text)
  }

  /** Resolves when nothing uses the files of the content. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((fetch) => fetch.close()))
  }

  /** Who has rested longest goes first. */
  #boundRests(): void {
    const resting = [...this.#all].filter(({ isResting }) => isResting)
    resting.sort((a, b) => a.restingSince - b.restingSince)
    for (const fetch of resting.slice(0, -limits.orderRests)) void fetch.close()
  }
}

interface Hooks {
  readonly resting: () => void
  readonly over: () => void
}

interface Wanted {
  readonly ranges: RangeSet
  bytesPerSecond: number | undefined
  readonly resolve: () => void
  readonly reject: (error: CopyFailure) => void
}

let rests = 0

class SourcedFetch {
  restingSince = 0
  /** False: it has rested, and nothing has come since. */
  isSure = true
  readonly #hooks: Hooks
  readonly #part: Part
  readonly #run: FetchRun
  readonly #wanted = new Map<Bringing, Wanted>()
  /** Asked for so far. */
  readonly #asked = new RangeSet()
  readonly #ended: Promise<void>
  #rest: NodeJS.Timeout | undefined
  /** It brings nothing more. */
  #isClosing = false

  constructor({ engine, router, pool, dialler, log }: FetchesSpec, first: Part, hooks: Hooks) {
    const { name, source, digest, part, filling } = first
    this.#hooks = hooks
    this.#part = first
    if (part !== null) this.#asked.add(...part)
    this.#run = new FetchRun(engine, router, pool, {
      ...{ name, holders: [source.address], nodeId: source.nodeId },
      ...{ output: this.#outputOf(filling.share(part ?? [0, 0])), force: false, timeoutMs: null },
      range: part && { first: part[0], last: part[0] + part[1] - 1 },
      ...{ silenceMs: limits.orderSilenceMs, isLackFinal: true, flows: undefined },
      ...{ isStanding: part !== null },
      ...(digest !== null && { fileDigest: digest }),
      ...{ dialler: dialler(), log: quieter(log) },
    })
    this.#ended = this.#run.run().then(
      () => this.#over(null),
      (error: unknown) => this.#over(error),
    )
  }

  get open(): RangePair[] {
    const { here } = this.#part.filling
    return [...this.#asked].flatMap(([offset, length]) => here.missing(offset, length))
  }

  get isResting(): boolean {
    return this.#rest !== undefined
  }

  /** A copy that has a rate shares it with nobody. */
  isFor({ source: { address, nodeId }, part, bytesPerSecond }: Part): boolean {
    const { source } = this.#part
    const isSame = source.address === address && source.nodeId === nodeId
    if (!isSame || part === null || this.#part.part === null || this.#isClosing) return false
    const rates = [bytesPerSecond, ...[...this.#wanted.values()].map((one) => one.bytesPerSecond)]
    return rates.length === 1 || rates.every((rate) => rate === undefined)
  }

  bring(copy: Bringing, { part, bytesPerSecond }: Part): Promise<void> {
    clearTimeout(this.#rest)
    this.#rest = undefined
    const { here } = this.#part.filling
    const ranges = RangeSet.of(part === null ? [] : here.missing(...part))
    const isFirst = this.#wanted.size === 0 && part === this.#part.part
    const came = new Promise<void>((resolve, reject) => {
      this.#wanted.set(copy, { ranges, bytesPerSecond, resolve, reject })
    })
    this.#pace()
    if (isFirst) return came
    for (const range of ranges) this.#asked.add(...range)
    this.#run.want(ranges.toArray())
    return came
  }

  limit(copy: Bringing, bytesPerSecond: number | undefined): void {
    const wanted = this.#wanted.get(copy)
    if (wanted === undefined) return
    wanted.bytesPerSecond = bytesPerSecond
    this.#pace()
  }

  leave(copy: Bringing, text: string): void {
    const wanted = this.#wanted.get(copy)
    if (wanted === undefined) return
    this.#wanted.delete(copy)
    if (this.#wanted.size === 0) this.#cancel(text)
    else this.#pace()
    wanted.reject(new CopyFailure('ERR_FR_ABORTED', text, true))
  }

  close(): Promise<void> {
    this.#cancel('nobody wants more of it')
    return this.#ended
  }

  #cancel(text: string): void {
    this.#isClosing = true
    clearTimeout(this.#rest)
    this.#rest = undefined
    this.#run.cancel(text)
  }

  /** What its copies may have together. */
  #pace(): void {
    let sum: number | undefined = 0
    for (const { bytesPerSecond } of this.#wanted.values())
      sum = bytesPerSecond === undefined || sum === undefined ? undefined : sum + bytesPerSecond
    if (this.#wanted.size > 0) this.#run.limit(sum)
  }

  #outputOf(share: FetchTarget): FetchTarget {
    return {
      ...share,
      verified: async (run, isFound) => {
        const { offset, length } = run
        const isNew = !this.#part.filling.here.contains(offset, length)
        const written = share.verified(run)
        if (isNew && isFound !== true) this.#count(offset, length)
        this.isSure = true
        this.#look()
        await written
      },
    }
  }

  #count(offset: number, length: number): void {
    for (const [{ came }, { ranges }] of this.#wanted) {
      const bytes = ranges.present(offset, length).reduce((sum, [, part]) => sum + part, 0)
      if (bytes > 0) came(bytes)
    }
  }

  /** Those who have all that they want leave. */
  #look(): void {
    if (this.#part.part === null) return
    const { here } = this.#part.filling
    for (const [copy, { ranges, resolve }] of this.#wanted) {
      if (![...ranges].every(([offset, length]) => here.contains(offset, length))) continue
      this.#wanted.delete(copy)
      resolve()
    }
    if (this.#wanted.size > 0 || this.#isClosing || this.isResting) return
    this.restingSince = rests++
    this.isSure = false
    this.#rest = setTimeout(() => void this.close(), limits.orderRestMs)
    this.#hooks.resting()
  }

  #over(error: unknown): void {
    this.#isClosing = true
    clearTimeout(this.#rest)
    this.#rest = undefined
    const all = [...this.#wanted.values()]
    this.#wanted.clear()
    const { code, message } = asFrError(error, 'ERR_FR_INTERNAL')
    const failure = new CopyFailure(code, message, this.#run.isOwnFault)
    for (const { resolve, reject } of all) error === null ? resolve() : reject(failure)
    this.#hooks.over()
  }
}

/** That a source fails is told with the copy that ends by it. */
function quieter(log: Logger): Logger {
  return (line) => log(line.event === 'holder-out' ? { ...line, level: 'debug' } : line)
}
