/**
 * The blocks of the content that is fetched: what is asked of holders, what has landed, what of it
 * is right. The machine (machine.ts) knows the holders, and is told which of them was wrong.
 */
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { isBlockRun, StreamLedger } from '../holdings/ledger.js'
import type { Frame } from '../messages/types.js'
import { Puller } from '../pulling/puller.js'
import { BlockHashing } from '../receiver/block-hashing.js'
import { DigestTable } from './digest-table.js'
import type { FetchedContent, FetchFact, FetchWish } from './events.js'
import { FoundBlocks } from './found.js'
import type { FetchHolder } from './holders.js'
import { Repairs } from './repairs.js'

/** How long after nobody could be asked for some bytes holders are asked for them again. */
const askAgainMs = 250

export interface BlockHost {
  readonly holders: readonly FetchHolder[]
  wish(...wishes: readonly FetchWish[]): void
  say(holder: FetchHolder, frame: Frame): void
  /** Hangs up on a holder; `isFinal`: for good. */
  drop(holder: FetchHolder, failure: Failure, isFinal: boolean, nowMs: number): void
  fail(failure: Failure): void
}

/** How far one goes. */
export interface WorkBounds {
  /** Bytes ahead of the reader; null: there is no such bound. */
  readonly aheadBytes: number | null
  readonly isLackFinal: boolean
  readonly isFollowing: boolean
}

export class BlockWork {
  readonly puller: Puller
  readonly table: DigestTable
  readonly repairs: Repairs
  /** When a block was verified, or digests came. */
  movedMs: number
  readonly #host: BlockHost
  readonly #content: FetchedContent
  readonly #bounds: WorkBounds
  readonly #ledger: StreamLedger
  readonly #hashing: BlockHashing
  readonly #found: FoundBlocks
  /** Who was asked for each block last: the number of a holder, or 0. Nobody else can bring it. */
  readonly #askedOf: Uint8Array
  /** Blocks of which one holder may have brought one part, and another one the rest. */
  readonly #isShared: Uint8Array
  readonly #wanted: RangeSet
  /** Of what is wanted. */
  readonly #verified = new RangeSet()
  readonly #landed = new RangeSet()
  /** Wanted, and nobody could be asked. */
  readonly #unmet = new RangeSet()
  /** What a holder said that it has not got. */
  readonly #lacked = new RangeSet()
  #unmetAtMs = 0
  /** What lies before is asked for. */
  #askedTo: number
  #deliveredTo: number

  constructor(
    host: BlockHost,
    content: FetchedContent,
    bounds: WorkBounds,
    { found, digests }: Pick<FetchFact & { type: 'opened' }, 'found' | 'digests'>,
    nowMs: number,
  ) {
    const { size, blockBytes, digestBytes, offset, length } = content
    const pace = {
      answerMs: limits.fetchAnswerMs,
      pauseMs: limits.fetchPauseMs,
      searchMs: Number.POSITIVE_INFINITY,
      patienceMs: Number.POSITIVE_INFINITY,
      isAskedOnly: true,
    }
    this.#host = host
    this.#content = content
    this.#bounds = bounds
    this.#ledger = new StreamLedger(size, blockBytes, digestBytes)
    this.puller = new Puller(blockBytes, pace)
    this.table = new DigestTable(size, blockBytes, digestBytes)
    this.repairs = new Repairs(blockBytes)
    this.#hashing = new BlockHashing(blockBytes)
    this.#wanted = RangeSet.of([[offset, length]])
    const within = found.filter((run) => this.#wanted.contains(run.offset, run.length))
    this.#found = new FoundBlocks(blockBytes, within)
    this.#askedOf = new Uint8Array(this.#ledger.blocks)
    this.#isShared = new Uint8Array(this.#ledger.blocks)
    this.#askedTo = offset
    this.#deliveredTo = offset
    this.movedMs = nowMs
    if (digests !== undefined) {
      this.table.restore(digests)
      this.#proved(nowMs)
    }
    this.#wantAhead(nowMs)
  }

  deadlineMs(): number {
    const { puller, table, repairs } = this
    const never = Number.POSITIVE_INFINITY
    const unmetAtMs = this.#unmet.isEmpty ? never : this.#unmetAtMs
    const asking = Math.min(puller.deadlineMs() ?? never, unmetAtMs)
    return Math.min(asking, this.#hashing.deadlineMs(), table.dueMs, repairs.dueMs)
  }

  /** Nothing of it is wanted any more. */
  get isDone(): boolean {
    const isWhole = this.#verified.bytes === this.#wanted.bytes && this.table.state === 'proved'
    return isWhole && !this.#hashing.isCopying && this.repairs.isIdle
  }

  /** Everything that may be fetched now is here. */
  get isWaitingForReader(): boolean {
    const { offset } = this.#content
    if (this.#bounds.aheadBytes === null || this.#askedTo === offset) return false
    return this.#verified.bytes >= this.#askedTo - offset
  }

  /** In words, what nobody brings. */
  get lack(): string {
    if (this.table.state !== 'proved') return 'no holder brings the digests of the file'
    const missing = RangeSet.of(this.#wanted)
    missing.subtract(this.#verified)
    return `no holder brings the bytes from ${missing.first()?.[0] ?? 0} on`
  }

  answered(
    member: number,
    frame: Frame & { type: 'holding' | 'pullRefused' },
    nowMs: number,
  ): void {
    const lacking = this.puller.answered(member, frame, nowMs)
    if (this.#bounds.isLackFinal) for (const range of lacking) this.#lacked.add(...range)
    if (this.#bounds.isFollowing && frame.type === 'holding') this.movedMs = nowMs
  }

  /** It can be asked from now on, also for what nobody could be asked for before. */
  opened({ number, address, rttMs }: FetchHolder, nowMs: number): void {
    this.puller.introduce([{ number, address, nodeId: '' }], 0, undefined)
    this.puller.linked(number, rttMs)
    this.#unmetAtMs = nowMs
  }

  /** These blocks are wanted, too; none of them was found in the file. */
  more(ranges: readonly RangePair[], nowMs: number): void {
    const missing = RangeSet.of(ranges)
    for (const range of ranges) {
      this.#wanted.add(...range)
      this.#lacked.remove(...range)
    }
    missing.subtract(this.#verified)
    this.movedMs = nowMs
    if (!missing.isEmpty) this.puller.want(missing, nowMs)
  }

  /** The reader of the output is at this byte. */
  delivered(offset: number, nowMs: number): void {
    this.#deliveredTo = Math.max(this.#deliveredTo, offset)
    this.movedMs = nowMs
    this.#wantAhead(nowMs)
  }

  copied(offset: number, length: number, nowMs: number): void {
    this.#hashing.copied()
    this.#ledger.repaired(offset, length)
    this.#hashing.landed('file', offset, length, nowMs)
  }

  /** Whatever follows from the state and the time. */
  advance(nowMs: number): void {
    this.#askDigests(nowMs)
    for (let run = this.#found.takeToHash(2); run !== undefined; run = this.#found.takeToHash(2))
      this.#host.wish({ type: 'hash', part: 'again', offset: run[0], length: run[1] })
    const hasAll = this.#landed.bytes >= this.#wanted.bytes
    this.#host.wish(...this.#hashing.start(hasAll, nowMs))
    if (!this.#unmet.isEmpty && nowMs >= this.#unmetAtMs) {
      this.puller.want(RangeSet.of(this.#unmet), nowMs)
      this.#unmet.clear()
    }
    for (const wish of this.puller.advance(nowMs)) {
      if (wish.type === 'need') {
        if (this.#unmet.isEmpty) this.#unmetAtMs = nowMs + askAgainMs
        for (const range of wish.ranges) this.#unmet.add(...range)
      }
      // Holders are dialled by their own state.
      else if (wish.type !== 'connect') {
        if (wish.type === 'say' && wish.frame.type === 'pull')
          for (const range of wish.frame.ranges) this.#asked(wish.member, ...range)
        this.#host.wish(wish)
      }
    }
    this.#repair(nowMs)
    if (this.#isLacking) {
      const failure = { code: 'ERR_FR_NOT_HELD', text: this.lack } as const
      this.#host.fail(failure)
    }
  }

  /** Only what its holders have not got is left. */
  get #isLacking(): boolean {
    if (this.#unmet.isEmpty || this.puller.asked.length > 0 || !this.#found.open.isEmpty)
      return false
    for (const range of this.#unmet) if (!this.#lacked.contains(...range)) return false
    return this.#verified.bytes + this.#unmet.bytes === this.#wanted.bytes
  }

  #repair(nowMs: number): void {
    if (this.repairs.member !== null && nowMs >= this.repairs.dueMs) {
      const text = 'did not send a block again'
      this.#host.drop(
        this.#holderOf(this.repairs.member),
        { code: 'ERR_FR_TIMEOUT', text },
        false,
        nowMs,
      )
    }
    const able = this.#host.holders
      .filter(({ state }) => state === 'open')
      .map(({ number }) => number)
    const asked = this.repairs.ask(able, nowMs)
    if (asked === undefined) return
    const frame = { type: 'need', scratch: true, ranges: asked.ranges } as const
    this.#host.say(this.#holderOf(asked.member), frame)
  }

  /** What is to be fetched next, up to the bound ahead of the reader. */
  #wantAhead(nowMs: number): void {
    const end = this.#content.offset + this.#content.length
    const { aheadBytes } = this.#bounds
    const bound = aheadBytes === null ? end : this.#deliveredTo + aheadBytes
    const to = Math.min(end, Math.ceil(bound / this.#content.blockBytes) * this.#content.blockBytes)
    const from = this.#askedTo
    if (to <= from) return
    this.#askedTo = to
    const missing = RangeSet.of([[from, to - from]])
    missing.subtract(this.#found.open)
    missing.subtract(this.#verified)
    this.puller.want(missing, nowMs)
  }

  // --- digests ---

  onDigests(fact: FetchFact & { type: 'digests' }, nowMs: number): void {
    const { member, offset, length, digests } = fact
    const holder = this.#holderOf(member)
    if (
      digests === null ||
      !isBlockRun(offset, length, this.#content.blockBytes, this.#content.size)
    ) {
      const failure = { code: 'ERR_FR_DIGEST', text: 'sent digests that are not signed' } as const
      return this.#host.drop(holder, failure, true, nowMs)
    }
    const next = this.table.take(member, offset, length, digests, nowMs)
    if (next === false) return
    this.movedMs = nowMs
    if (next.length > 0) this.#host.say(holder, { type: 'needDigests', ranges: next })
  }

  onSummed(fileDigest: string, nowMs: number): void {
    if (fileDigest !== this.#content.fileDigest) {
      const failure = { code: 'ERR_FR_DIGEST', text: 'sent digests of another file' } as const
      const { member } = this.table
      this.table.drop()
      if (member === null) return this.#host.fail(failure)
      return this.#host.drop(this.#holderOf(member), failure, true, nowMs)
    }
    this.table.state = 'proved'
    this.#proved(nowMs)
  }

  #proved(nowMs: number): void {
    this.movedMs = nowMs
    this.#judge(this.#ledger.announce(0, this.#content.size, this.table.bytes), nowMs)
    this.#news(0, this.#content.size, false, nowMs)
    this.#judgeFound(nowMs)
  }

  #askDigests(nowMs: number): void {
    if (this.table.state !== 'coming') return
    if (this.table.isWhole) {
      this.table.state = 'summing'
      return this.#host.wish({ type: 'sum', digests: this.table.bytes })
    }
    const asked = this.table.member === null ? undefined : this.#holderOf(this.table.member)
    if (asked !== undefined && nowMs >= this.table.dueMs) {
      const text = 'did not send its digests in time'
      this.#host.drop(asked, { code: 'ERR_FR_TIMEOUT', text }, false, nowMs)
    }
    if (this.table.member !== null) return
    const able = this.#host.holders.filter(({ state }) => state === 'open')
    const next = able.sort((a, b) => a.rttMs - b.rttMs)[0]
    if (next !== undefined)
      this.#host.say(next, { type: 'needDigests', ranges: this.table.ask(next.number, nowMs) })
  }

  // --- blocks ---

  onLanded(fact: FetchFact & { type: 'landed' }, nowMs: number): void {
    const { scratch, offset, length, digests } = fact
    const part = scratch ? 'scratch' : 'file'
    if (!scratch) {
      this.#landed.add(offset, length)
      this.#lacked.remove(offset, length)
      this.#unmet.remove(offset, length)
      this.#ledger.land(offset, length)
      this.puller.landed(offset, length, nowMs)
    } else this.repairs.landed(offset, length)
    if (digests === undefined) this.#hashing.landed(part, offset, length, nowMs)
    else this.#computed(part, offset, length, digests, nowMs)
  }

  #asked(member: number, offset: number, length: number): void {
    const { blockBytes } = this.#content
    for (
      let block = Math.floor(offset / blockBytes);
      block * blockBytes < offset + length;
      block++
    ) {
      const before = this.#askedOf[block]
      if (before !== 0 && before !== member) this.#isShared[block] = 1
      this.#askedOf[block] = member
    }
  }

  /** A repair comes from one holder. */
  #repairedBy(member: number, offset: number, length: number): void {
    const first = Math.floor(offset / this.#content.blockBytes)
    const past = Math.ceil((offset + length) / this.#content.blockBytes)
    this.#askedOf.fill(member, first, past)
    this.#isShared.fill(0, first, past)
  }

  onHashed(fact: FetchFact & { type: 'hashed' }, nowMs: number): void {
    const { part, offset, length, digests } = fact
    if (part === 'again') {
      this.movedMs = nowMs
      this.#found.hashed(offset, length, digests)
      return this.#judgeFound(nowMs)
    }
    this.#hashing.done(part)
    this.#computed(part, offset, length, digests, nowMs)
  }

  #computed(
    part: 'file' | 'scratch',
    offset: number,
    length: number,
    digests: Uint8Array,
    nowMs: number,
  ): void {
    if (part === 'file') {
      this.#judge(this.#ledger.compute(offset, length, digests), nowMs)
      return this.#news(offset, length, false, nowMs)
    }
    const verdict = this.#ledger.computeScratch(offset, length, digests)
    for (const run of [...verdict.verified, ...verdict.bad])
      this.#repairedBy(this.repairs.broughtBy(...run), ...run)
    for (const run of verdict.verified) this.repairs.came(...run)
    this.#host.wish(...this.#hashing.copyIn(verdict.verified))
    this.#judge(verdict.bad, nowMs)
  }

  /** Wrong blocks are asked for again, a bounded number of times. */
  #judge(runs: readonly RangePair[], nowMs: number): void {
    for (const [offset, length] of runs) {
      const tries = this.#ledger.countTry(offset, length)
      if (tries > limits.repairTries + this.#host.holders.length) {
        const text = `the block at ${offset} stayed wrong whoever sent it`
        return this.#host.fail({ code: 'ERR_FR_BAD_BLOCK', text })
      }
      this.repairs.add(offset, length)
      const first = offset / this.#content.blockBytes
      for (let block = first; block * this.#content.blockBytes < offset + length; block++)
        if (this.#isShared[block] === 0) this.#blame(this.#askedOf[block] as number, nowMs)
    }
  }

  /** Blocks of this range that are verified since the last look. */
  #news(offset: number, length: number, isFound: boolean, nowMs: number): void {
    for (const held of this.#ledger.held(this.#wanted.present(offset, length)))
      for (const [at, bytes] of this.#verified.missing(...held)) {
        this.#verified.add(at, bytes)
        this.movedMs = nowMs
        this.#credit(at, bytes)
        const digests = this.table.digestsOf(at, bytes)
        this.#host.wish({ type: 'verified', offset: at, length: bytes, digests, isFound })
      }
  }

  #credit(offset: number, length: number): void {
    const { blockBytes } = this.#content
    for (let block = offset / blockBytes; block * blockBytes < offset + length; block++) {
      const member = this.#askedOf[block] as number
      if (member === 0) continue
      const holder = this.#holderOf(member)
      holder.verifiedBytes += this.#ledger.bytesOf(block)
      holder.proved()
    }
  }

  #judgeFound(nowMs: number): void {
    if (this.table.state !== 'proved') return
    const { right, wrong } = this.#found.judge((offset, length) =>
      this.table.digestsOf(offset, length),
    )
    for (const [offset, length] of right) {
      this.#ledger.restore(offset, length, this.table.digestsOf(offset, length))
      this.#host.wish({ type: 'hold', offset, length })
      this.#news(offset, length, true, nowMs)
    }
    // What lies beyond is wanted in its turn.
    const again = RangeSet.of(RangeSet.of(wrong).present(0, this.#askedTo))
    if (!again.isEmpty) this.puller.want(again, nowMs)
  }

  /** A block of it was wrong. */
  #blame(member: number, nowMs: number): void {
    if (member === 0) return
    const holder = this.#holderOf(member)
    holder.wrongBlocks++
    // A few wrong blocks of a large file that it keeps are no reason to do without the others.
    const rightBlocks = holder.verifiedBytes / this.#content.blockBytes
    if (holder.wrongBlocks < Math.max(limits.fetchWrongBlocks, rightBlocks / 4)) return
    const failure = { code: 'ERR_FR_BAD_BLOCK', text: 'sent wrong bytes' } as const
    this.#host.drop(holder, failure, true, nowMs)
  }

  #holderOf(member: number): FetchHolder {
    return this.#host.holders[member - 1] as FetchHolder
  }
}
