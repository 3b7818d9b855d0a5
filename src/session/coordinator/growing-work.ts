/**
 * A source that is still written, as the push of it reads it: hashed as it grows, compared with
 * what was signed of it, summed up at the end.
 *
 * The idea: what was signed once is true for ever, here and at every node. So all digests are kept,
 * and whatever is read again (by a process that goes on, when the file was written to and did not
 * grow, at the end of a file that others can write) is compared with them. Another content ends the
 * push by name, and nobody publishes anything.
 */
import type { Failure } from '../../base/errors.js'
import { FrError } from '../../base/errors.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import { blockBytesAt, blocksOf } from '../../base/sections.js'
import type { OriginFact, OriginWish } from '../../control/coordinator/events.js'
import type { HashRun } from '../../control/messages/facts.js'
import type { ByteRange, DataEngine, FileHandle, HashPool } from '../../ports.js'
import type { Growth } from '../../store/growing/growth.js'
import type { GrowthRun, KeptGrowth } from '../../store/growing/kept-growth.js'
import { fileDigestOf } from '../file-digest.js'
import { finishedValues } from '../growing-digests.js'
import { Hasher } from '../hasher.js'

export interface GrowingOrigin {
  readonly growth: Growth
  readonly kept: KeptGrowth
}

type CutWish = OriginWish & { readonly type: 'cut' }

export class GrowingWork {
  readonly #engine: DataEngine
  readonly #file: FileHandle
  readonly #origin: GrowingOrigin
  readonly #post: (fact: OriginFact) => void
  readonly #hasher: Hasher
  /** Signed by the process before this one, and not read by this one yet, by offset. */
  readonly #before: Map<number, GrowthRun>
  /** The newest of whole blocks, and of the beginning of one. */
  #last: GrowthRun | undefined
  #cut: GrowthRun | undefined
  #comparing: Promise<void> | undefined
  #isDoubted = false

  constructor(
    engine: DataEngine,
    pool: HashPool,
    file: FileHandle,
    origin: GrowingOrigin,
    post: (fact: OriginFact) => void,
  ) {
    this.#engine = engine
    this.#file = file
    this.#origin = origin
    this.#post = post
    this.#before = new Map(origin.kept.runs.flatMap(blocksOf).map((run) => [run.offset, run]))
    this.#hasher = hasherOf(engine, pool)
  }

  /** What there is, from now on. */
  listen(grew: (bytes: number, isFinal: boolean) => void): void {
    this.#origin.growth.listen({
      grown: grew,
      doubted: () => this.#doubt(),
      failed: (error) => this.#fail(error),
    })
  }

  /** Resolves when nothing reads the file for this any more. */
  async end(): Promise<void> {
    this.#origin.growth.silence()
    await this.#comparing
  }

  hash({ part, offset, length }: HashRun): Promise<void> {
    return this.#hash({ offset, length }, (digests) => {
      const run = { offset, length, digests }
      if (part === 'file' && !this.#keep(run)) return
      this.#post({ type: 'hashed', part, ...run })
    })
  }

  cut({ offset, length, isFinal }: CutWish): Promise<void> {
    const done = (digests: Uint8Array): void => {
      const run = { offset, length, digests }
      if (length > 0 && !this.#keep(run)) return
      if (isFinal) this.#origin.kept.seal(offset + length)
      this.#post({ type: 'cutMade', isFinal, ...run })
    }
    if (length > 0) return this.#hash({ offset, length }, done)
    done(new Uint8Array())
    return Promise.resolve()
  }

  /** Whatever others can write has to be read again before it is sealed. */
  check(): void {
    this.#post({ type: 'sourceChecked', isDoubtful: this.#origin.growth.source.isShared })
  }

  /** Posts the file digest of the digests of all blocks by sections, and returns it. */
  sum(values: Uint8Array): string {
    const size = this.#origin.growth.bytes
    const digests = finishedValues(this.#engine, this.#file, size, values)
    const fileDigest = fileDigestOf(this.#engine, 'blake3', size, blockBytesFor(size), digests)
    this.#post({ type: 'summed', fileDigest })
    return fileDigest
  }

  #hash(range: ByteRange, done: (digests: Uint8Array) => void): Promise<void> {
    return this.#hasher.hash(this.#file, range, done, (error) => {
      const text = `reading the source failed: ${error.message}`
      const failure: Failure = { code: error.code, text }
      this.#post({ type: 'fileFailed', ...failure })
    })
  }

  /** False: the process before this one has signed something else, and the push fails. */
  #keep(run: GrowthRun): boolean {
    for (const block of blocksOf(run)) {
      const before = this.#before.get(block.offset)
      // The beginning of a block was compared when this process began.
      if (before === undefined || before.length !== block.length) continue
      this.#before.delete(block.offset)
      if (Buffer.compare(before.digests, block.digests) === 0) continue
      this.#fail(changedAt(block.offset))
      return false
    }
    this.#origin.kept.keep(run)
    const isWhole = (run.offset + run.length) % blockBytesAt(run.offset) === 0
    if (isWhole) this.#last = run
    else this.#cut = run
    return true
  }

  /** It was written to and is no longer: is the end of what was signed still there? */
  #doubt(): void {
    this.#isDoubted = true
    this.#comparing ??= this.#compare().finally(() => {
      this.#comparing = undefined
    })
  }

  async #compare(): Promise<void> {
    while (this.#isDoubted) {
      this.#isDoubted = false
      for (const run of [this.#last, this.#cut]) {
        if (run === undefined) continue
        const [tail] = blocksOf(run).slice(-1)
        if (tail === undefined) continue
        const isSame = await holds(this.#hasher, this.#file, tail).catch(() => true)
        if (!isSame) this.#fail(changedAt(tail.offset))
      }
    }
  }

  #fail({ code, message: text }: FrError): void {
    if (code === 'ERR_FR_SOURCE_CHANGED') void this.#origin.kept.forget()
    this.#post({ type: 'sourceFailed', code, text })
  }
}

/**
 * Whether the file still has what was signed of it by an earlier process, as far as its first and
 * its last runs tell; the rest is compared when it is read. `end`: where it has to end.
 */
export async function stillHolds(
  engine: DataEngine,
  pool: HashPool,
  file: FileHandle,
  runs: readonly GrowthRun[],
  end: number | null,
): Promise<boolean> {
  const { size } = await engine.storage.identityOf(file)
  if (end !== null && size !== end) return false
  const hasher = hasherOf(engine, pool)
  const blocks = [runs.at(0), runs.at(-2), runs.at(-1)].flatMap((run) =>
    run === undefined ? [] : blocksOf(run).slice(-1),
  )
  for (const block of blocks) {
    if (block.offset + block.length > size) return false
    if (!(await holds(hasher, file, block))) return false
  }
  return true
}

/**
 * Whether a stream brings again what an earlier process has signed: all of that is compared, while
 * it comes, so one that brings something else is known by its first blocks. Rejects where the
 * stream fails, and with the signal's reason.
 */
export async function comesAgain(
  engine: DataEngine,
  pool: HashPool,
  file: FileHandle,
  growth: Growth,
  { runs, end, signal }: Signed,
): Promise<boolean> {
  const hasher = hasherOf(engine, pool)
  for (const run of runs) {
    const isHere = growth.bytes >= run.offset + run.length
    for (const part of isHere ? [run] : blocksOf(run)) {
      if (!(await growth.reached(part.offset + part.length, signal))) return false
      if (!(await holds(hasher, file, part))) return false
    }
  }
  return end === null || (await growth.endsAt(end, signal))
}

interface Signed {
  readonly runs: readonly GrowthRun[]
  /** Where it has to end; null: that was not signed. */
  readonly end: number | null
  readonly signal: AbortSignal
}

async function holds(hasher: Hasher, file: FileHandle, run: GrowthRun): Promise<boolean> {
  const { offset, length, digests } = run
  return Buffer.compare(await hasher.digestsOf(file, { offset, length }), digests) === 0
}

function hasherOf(engine: DataEngine, pool: HashPool): Hasher {
  const fileBytes = limits.growingSpanBytes
  return new Hasher(engine, pool, { fileBytes, blockBytes: 'sections', algorithm: 'blake3' })
}

function changedAt(offset: number): FrError {
  const text =
    `the content near byte ${offset} changed after it was sent: ` +
    'a growing file may only be appended to'
  return new FrError('ERR_FR_SOURCE_CHANGED', text)
}
