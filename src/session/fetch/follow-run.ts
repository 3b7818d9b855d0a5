/**
 * A client that follows a content which is still written: from one holder at a time, the next one
 * of its list where that fails, until the author has said where it ends and all of it is verified.
 *
 * The idea: only the verified prefix counts, which is in one file with a journal beside it, as a
 * fetch has them (landing.ts). Whoever brings the rest begins where that ends. The values of the
 * blocks are kept, 32 bytes each, for the digest of the whole; nothing else grows with it.
 */
import type { Writable } from 'node:stream'
import { type Failure, FrError } from '../../base/errors.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import { blockBytesAt, wholeEnd } from '../../base/sections.js'
import { awakeMs, nowMs } from '../../base/time/awake.js'
import type { FollowWish } from '../../control/fetching/followed.js'
import { FetchHolder, failureOf } from '../../control/fetching/holders.js'
import { taskBytesFor } from '../../control/holdings/hashing.js'
import type { FetchOffer } from '../../control/messages/types.js'
import type { DataEngine, HashPool } from '../../ports.js'
import { encodeName } from '../../protocol/manifest.js'
import { fileDigestOf } from '../file-digest.js'
import { finishedValues } from '../growing-digests.js'
import { Hasher } from '../hasher.js'
import type { EngineRouter } from '../router.js'
import { BlockValues } from './block-values.js'
import type { FetchSpec, FetchView } from './fetch-run.js'
import {
  FollowAttempt,
  type FollowEnd,
  type FollowFiles,
  type FollowOutput,
} from './follow-attempt.js'
import { type Landed, Landing } from './landing.js'
import { OrderedOutput } from './ordered-output.js'

export interface FollowSpec extends Omit<FetchSpec, 'range' | 'pack' | 'output'> {
  readonly output: string | Writable
}

export class FollowRun {
  readonly #engine: DataEngine
  readonly #router: EngineRouter
  readonly #pool: HashPool
  readonly #spec: FollowSpec
  readonly #holders: readonly FetchHolder[]
  readonly #ordered: OrderedOutput | undefined
  readonly #values = new BlockValues()
  readonly #startMs = nowMs()
  readonly #tasks = new Set<Promise<void>>()
  #attempt: FollowAttempt | undefined
  #landing: Landing | undefined
  #landed: Landed | undefined
  #hasher: Hasher | undefined
  /** Of the content that is followed. */
  #offer: FetchOffer | undefined
  #prefix = 0
  #foundBytes = 0
  #deliveredTo = 0
  #end: number | undefined
  #digest: string | null = null
  #failure: Failure | undefined
  #wake: () => void = () => {}

  constructor(engine: DataEngine, router: EngineRouter, pool: HashPool, spec: FollowSpec) {
    this.#engine = engine
    this.#router = router
    this.#pool = pool
    this.#spec = spec
    this.#holders = spec.holders.map((address, i) => new FetchHolder(i + 1, address))
    if (typeof spec.output === 'string') return
    this.#ordered = new OrderedOutput(spec.output, {
      delivered: (offset) => {
        this.#deliveredTo = offset
        this.#attempt?.delivered(offset)
      },
      failed: ({ code, message: text }) => this.#fail({ code, text }),
    })
  }

  /**
   * Resolves when the output is whole and durable; null: the content is written no more, and
   * nothing was done. Rejects with an FrError.
   */
  async run(): Promise<FetchView | null> {
    const { output, force, timeoutMs } = this.#spec
    const { storage } = this.#engine
    const text = `the end of the file is not here after ${timeoutMs} ms`
    const late = (): void => this.#fail({ code: 'ERR_FR_TIMEOUT', text })
    const timer = timeoutMs === null ? undefined : setTimeout(late, timeoutMs)
    try {
      const path = typeof output === 'string' ? output : null
      this.#landing = await Landing.prepare({ storage, output: path, force, range: null })
      const bytes = await this.#follow()
      if (bytes === null) return null
      await this.#finish(bytes)
      return this.view()
    } finally {
      clearTimeout(timer)
      await this.#attempt?.close()
      await this.#ordered?.end()
      await this.#idle()
      await this.#landing?.close()
    }
  }

  cancel(text: string): void {
    this.#fail({ code: 'ERR_FR_ABORTED', text })
  }

  view(): FetchView {
    return {
      bytes: this.#end ?? null,
      verifiedBytes: this.#prefix,
      foundBytes: this.#foundBytes,
      seconds: (nowMs() - this.#startMs) / 1000,
      digest: this.#digest,
      content: null,
      holders: this.#holders.map(({ address, state, verifiedBytes, failure }) => ({
        holder: address,
        state: state === 'out' ? 'out' : state === 'open' ? 'connected' : 'waiting',
        bytes: verifiedBytes,
        reason: failure === null ? null : `${failure.code}: ${failure.text}`,
      })),
    }
  }

  #fail(failure: Failure): void {
    this.#failure ??= failure
    this.#attempt?.fail(failure)
    this.#wake()
  }

  /** Bytes of the content in the end; null: it is written no more. */
  async #follow(): Promise<number | null> {
    let movedMs = awakeMs()
    const { silenceMs = limits.fetchSilenceMs } = this.#spec
    for (;;) {
      const next = this.#next
      const isOver = next === undefined || awakeMs() - movedMs > silenceMs
      if (isOver && this.#failure === undefined) this.#failure = this.#lack()
      if (this.#failure !== undefined) throw new FrError(this.#failure.code, this.#failure.text)
      await this.#until((next as FetchHolder).dueMs)
      if (this.#failure !== undefined) continue
      const before = this.#prefix
      const end = await this.#ask(next as FetchHolder)
      if (end.type === 'done') return end.bytes
      if (this.#failure !== undefined) continue
      if (end.type === 'whole' && this.#offer === undefined) return null
      const [failure, isFinal] = end.type === 'whole' ? [isWhole, true] : [end.failure, end.isFinal]
      const wasOpen = (next as FetchHolder).state === 'open'
      ;(next as FetchHolder).failed(failure, isFinal, awakeMs())
      if (wasOpen || this.#prefix > before) movedMs = awakeMs()
    }
  }

  /** Who is asked next: of those that are not out the first whose time comes. */
  get #next(): FetchHolder | undefined {
    const left = this.#holders.filter(({ hasLeft }) => !hasLeft)
    return left.toSorted((a, b) => a.dueMs - b.dueMs)[0]
  }

  #lack(): Failure {
    const what = this.#offer === undefined ? 'no node offers the file' : 'no node brings the rest'
    return failureOf(this.#holders, `${what}, of which ${this.#prefix} bytes are here`)
  }

  async #until(dueMs: number): Promise<void> {
    const ms = dueMs - awakeMs()
    if (ms <= 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #ask(holder: FetchHolder): Promise<FollowEnd> {
    const { name, dialler, flows } = this.#spec
    const sealed = dialler.self.seal === undefined ? {} : ({ sealed: true } as const)
    const ask = { ...encodeName(name), ...sealed }
    const parts = [this.#engine, this.#router, { dialler, flows }] as const
    const attempt = new FollowAttempt(...parts, holder, ask, this.#output)
    this.#attempt = attempt
    try {
      return await attempt.ended
    } finally {
      this.#attempt = undefined
      await attempt.close()
    }
  }

  // --- the output ---

  get #output(): FollowOutput {
    const run = this
    const { silenceMs = limits.fetchSilenceMs } = this.#spec
    const isOrdered = this.#ordered !== undefined
    return {
      get prefix() {
        return run.#prefix
      },
      get deliveredTo() {
        return run.#deliveredTo
      },
      aheadBytes: isOrdered ? limits.fetchAheadBytes : limits.growingSpanBytes,
      silenceMs,
      open: (offer) => this.#open(offer),
      verified: (wish) => this.#verified(wish),
      failed: ({ code, text }) => this.#fail({ code, text }),
    }
  }

  async #open(offer: FetchOffer): Promise<FollowFiles> {
    const { contentId, author } = offer.entry
    const { entry } = this.#offer ?? offer
    if (entry.contentId !== contentId || entry.author !== author)
      throw new FrError('ERR_FR_NOT_HELD', 'holds other content under this name')
    if (this.#landed === undefined) await this.#land(offer)
    const { file, scratch } = this.#landed as Landed
    return { file, scratch, hasher: this.#hasher as Hasher }
  }

  /** Goes on with what an earlier one has left, as far as that is sure and without a gap. */
  async #land(offer: FetchOffer): Promise<void> {
    const landing = this.#landing as Landing
    const { entry, digest } = offer
    const content = { entry, digest, fileDigest: '', size: 0, length: 0 }
    this.#landed = await landing.open({ ...content, blockBytes: 'sections' })
    this.#offer = offer
    this.#hasher = new Hasher(this.#engine, this.#pool, {
      ...{ fileBytes: limits.growingSpanBytes, blockBytes: 'sections', algorithm: 'blake3' },
      hasJustLanded: true,
    })
    for (const { offset, length, digests } of this.#landed.found) {
      if (digests === null || offset !== wholeEnd(this.#prefix)) break
      this.#values.add(offset, digests)
      this.#prefix = offset + length
    }
    this.#foundBytes = this.#prefix
    this.#ordered?.begin(landing.partialPath, 0, limits.growingSpanBytes - 1)
  }

  #verified({ offset, part }: FollowWish & { type: 'verified' }): void {
    const { end, digest: digests } = part
    const before = this.#prefix
    this.#prefix = end
    this.#values.add(offset, digests)
    this.#ordered?.verified(before, end - before)
    const run = { offset, length: end - offset, digests }
    const written = (this.#landing as Landing).verified(run).catch((error: unknown) => {
      const fields = { text: String(error) }
      this.#spec.log({ level: 'warn', event: 'journal-failed', fields })
    })
    this.#tasks.add(written)
    void written.finally(() => this.#tasks.delete(written))
  }

  // --- the end ---

  async #finish(bytes: number): Promise<void> {
    this.#end = bytes
    await this.#idle()
    const landing = this.#landing as Landing
    const { file } = this.#landed as Landed
    if (this.#ordered !== undefined) await this.#ordered.finish()
    else {
      landing.endsAs(bytes)
      await this.#engine.storage.trim(file)
      const isTouched = await landing.flush()
      if (isTouched && !(await this.#isStillRight(bytes))) {
        const text = 'somebody else changed the file after its bytes were verified'
        throw new FrError('ERR_FR_DIGEST', text)
      }
    }
    const values = finishedValues(this.#engine, file, bytes, this.#values.all)
    const geometry = [bytes, blockBytesFor(bytes)] as const
    this.#digest = fileDigestOf(this.#engine, 'blake3', ...geometry, values)
    await landing.publish()
  }

  /** Hashes all of it once more. */
  async #isStillRight(bytes: number): Promise<boolean> {
    const { file } = this.#landed as Landed
    for (let at = 0; at < bytes; ) {
      const step = taskBytesFor(blockBytesAt(at))
      const range = { offset: at, length: Math.min(step, bytes - at) }
      const digests = await (this.#hasher as Hasher).digestsOf(file, range)
      if (!Buffer.from(digests).equals(this.#values.of(range.offset, range.length))) return false
      at += range.length
    }
    return true
  }

  async #idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks)
  }
}

const isWhole: Failure = {
  code: 'ERR_FR_NOT_HELD',
  text: 'has the file whole by now; a get without --follow brings it',
}
