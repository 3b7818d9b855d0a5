/**
 * What the origin knows of its own file: which digests it has, what is hashed next, whether the
 * file is under suspicion. The file digest is made only after everything was hashed and the file
 * is known to have held all of it at one moment; a file that changed in between must never be
 * sealed.
 *
 * That moment is the end of the first reading. Where facts about the file leave a doubt (times or
 * links moved, somebody can write it unseen), all of it is read a second time from that moment on:
 * a block whose digest is equal in both readings held these bytes in between. So content decides,
 * and whatever happens to the file after that moment is nobody's matter.
 */
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { HashSchedule, type HashTask, taskEnd } from '../holdings/hashing.js'
import { type DigestRun, OriginDigests } from './digests.js'
import type { OriginConfig, OriginWish } from './events.js'

/** The second reading is nobody's share, and follows nothing that is sent. */
const anyone = -1
const none = (): number => 0
const never = Number.POSITIVE_INFINITY
/** How a content begins to be hashed that is still written. */
const nothingYet: readonly HashTask[] = [{ owner: anyone, offset: 0, length: 0 }]

export class OriginSource {
  readonly digests: OriginDigests
  fileDigest: string | undefined
  readonly #config: OriginConfig
  #hashing: HashSchedule | undefined
  /** The second reading. */
  #rehashing: HashSchedule | undefined
  /** Offsets of what is read again because a node found it bad. */
  readonly #suspects = new Set<number>()
  /** Nothing more comes; of a content that grows the end is hashed as well. */
  isEnded: boolean
  #isStarted = false
  #isChecking = false
  /** A check that began before the last byte was read says nothing about it. */
  #mustCheckAgain = false
  #isHashed = false
  #isSummed = false
  /** Why it is under suspicion: this is the error if it turns out not to have changed. */
  #doubt: Failure | undefined

  constructor(config: OriginConfig) {
    this.#config = config
    this.digests = new OriginDigests(config.extent, config.digestBytes)
    this.isEnded = config.extent.isFinal
    for (const { offset, digests } of config.known ?? []) this.digests.put(offset, digests)
  }

  /** Hashing may begin, in this order, unless it has. */
  start(shares: readonly HashTask[]): void {
    const { known, extent, hashAheadBytes } = this.#config
    this.#isStarted = true
    if (known !== undefined) return
    this.#hashing ??= this.isEnded
      ? new HashSchedule(shares, extent.blockBytes, hashAheadBytes)
      : new HashSchedule(nothingYet, extent.blockBytes, never)
  }

  /** All that may be hashed so far is. */
  get isCaughtUp(): boolean {
    return this.#hashing?.isDone === true
  }

  /** Of a content that grows: whole blocks before this may be hashed. */
  extend(end: number): void {
    this.#hashing?.extend(end)
  }

  /** The digest of the end of what there is. */
  cut(run: DigestRun): void {
    this.digests.cut(run)
    if (run.isFinal) this.isEnded = true
  }

  /** Digests are needed before anything is sent: nothing says how far hashing may go ahead. */
  hashAhead(): void {
    if (this.#config.known !== undefined) return
    if (this.isEnded) this.#hashing ??= this.#readAll()
    else this.start(nothingYet)
  }

  /** A task came back. */
  hashed(offset: number, digests: Uint8Array): void {
    this.#hashing?.done()
    this.digests.put(offset, digests)
  }

  /** A task of the second reading came back, or a suspect: the failure when they differ. */
  hashedAgain(offset: number, digests: Uint8Array): Failure | null {
    if (!this.#suspects.delete(offset)) this.#rehashing?.done()
    if (this.digests.areEqual(offset, digests)) return null
    return {
      code: 'ERR_FR_SOURCE_CHANGED',
      text: `the content near byte ${offset} changed while it was sent`,
    }
  }

  /** This owner's share is not sent to it any more: nothing says how far hashing may go ahead. */
  free(owner: number): void {
    this.#hashing?.free(owner)
  }

  /** The tasks that may start now; when all are done, the check before the seal, and the seal. */
  more(sentBytes: (owner: number) => number): OriginWish[] {
    if (this.#rehashing !== undefined) return this.#again(this.#rehashing)
    const hashing = this.#hashing
    if (this.#isHashed) return []
    const wishes: OriginWish[] = []
    if (hashing === undefined) {
      if (!this.#isStarted || this.#config.known === undefined) return []
      this.#isHashed = true
      return this.check()
    }
    for (let task = hashing.take(sentBytes); task !== undefined; task = hashing.take(sentBytes)) {
      wishes.push({ type: 'hash', part: 'file', offset: task.offset, length: task.length })
    }
    if (!hashing.isDone || !this.isEnded) return wishes
    this.#isHashed = true
    this.#mustCheckAgain = this.#isChecking
    return [...wishes, ...this.check()]
  }

  check(): OriginWish[] {
    if (this.#isChecking) return []
    this.#isChecking = true
    return [{ type: 'checkSource' }]
  }

  /** Blocks in these ranges were bad at a node: most often the source is not what was hashed. */
  suspect(ranges: readonly RangePair[]): OriginWish[] {
    const wishes = this.check()
    if (this.#suspects.size > 0) return wishes
    for (const range of ranges) {
      for (const [start, bytes] of this.digests.known(this.digests.blocksOf(range))) {
        for (let offset = start; offset < start + bytes; ) {
          if (this.#suspects.size === limits.hashTasksInFlight) return wishes
          this.#suspects.add(offset)
          const end = Math.min(taskEnd(offset, this.#config.extent.blockBytes), start + bytes)
          wishes.push({ type: 'hash', part: 'again', offset, length: end - offset })
          offset = end
        }
      }
    }
    return wishes
  }

  /** Reading failed: is it because the file changed? */
  doubt(failure: Failure): OriginWish[] {
    this.#doubt ??= failure
    return this.check()
  }

  /** The file has its size: a doubt was something else, a hashed file is sealed or read again. */
  checked(isDoubtful: boolean): Failure | OriginWish[] {
    this.#isChecking = false
    if (this.#doubt !== undefined) return this.#doubt
    if (this.#mustCheckAgain) {
      this.#mustCheckAgain = false
      return this.check()
    }
    if (!this.#isHashed || this.#isSummed || this.#rehashing !== undefined) return []
    if (!isDoubtful) return this.#sum()
    this.#rehashing = this.#readAll()
    return this.#again(this.#rehashing)
  }

  /** From front to back, and nothing that is sent is waited for. */
  #readAll(): HashSchedule {
    const { bytes, blockBytes } = this.#config.extent
    const whole = [{ owner: anyone, offset: 0, length: bytes }]
    return new HashSchedule(whole, blockBytes, never)
  }

  #again(rehashing: HashSchedule): OriginWish[] {
    if (this.#isSummed) return []
    const wishes: OriginWish[] = []
    for (let task = rehashing.take(none); task !== undefined; task = rehashing.take(none)) {
      wishes.push({ type: 'hash', part: 'again', offset: task.offset, length: task.length })
    }
    return rehashing.isDone ? this.#sum() : wishes
  }

  #sum(): OriginWish[] {
    this.#isSummed = true
    return [{ type: 'sum', digests: this.digests.all }]
  }
}
