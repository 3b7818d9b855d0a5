/**
 * One of several masters: follows what the one that leads keeps, leads when it may, and stops to.
 *
 * The idea: one request for the head at a time, as the lease says (control/leading/lease.ts). What
 * changes of the state is in the head, too, so a change that is confirmed was made by whoever led,
 * and one that led without knowing that it does no more cannot change anything.
 *
 * Who leads asks `mayLead` before whatever only a leader may do; `over` comes later than that.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { Lease, type LeaseStep } from '../../control/leading/lease.js'
import type { KeptEntry } from '../../control/messages/kept.js'
import type { Bucket } from './bucket.js'
import { type Head, headBytes, headIn, type KeptAt, nothingKept } from './head.js'
import { Mirror } from './mirror.js'

export interface LeadershipSpec {
  readonly bucket: Bucket
  /** HOST:PORT where others reach this master. */
  readonly address: string
  readonly log: Logger
  /** From now on it may lead. */
  readonly onLead: (reign: Reigning) => void
  /** It leads no more; others may already. */
  readonly onOver: (why: FrError) => void
}

/** The right to change what is kept, for one term. */
export interface Reigning {
  readonly state: string
  readonly term: number
  readonly mayLead: boolean
  readonly bucket: Bucket
  readonly kept: KeptAt
  /** All that is kept. Rejects as Mirror.follow does. */
  entries(): Promise<readonly KeptEntry[]>
  /**
   * Resolves when the head names this, or what was committed after it. Rejects with
   * ERR_FR_NOT_LEADING when the term is over: whether it was done nobody knows.
   */
  commit(kept: KeptAt): Promise<void>
  /** Others lead, and this one not for a while. */
  resign(why: FrError): void
}

interface Committing {
  readonly kept: KeptAt
  readonly done: () => void
  readonly fail: (why: FrError) => void
}

const nowMs = (): number => performance.now()

export class Leadership {
  readonly #spec: LeadershipSpec
  readonly #lease: Lease
  readonly #mirror: Mirror
  readonly #closing = new AbortController()
  #head: Head | null = null
  /** What the last write would store, and how many of those that wait it has. */
  #written: { readonly head: Head; readonly commits: number } | undefined
  #commits: Committing[] = []
  #reign: { readonly term: number; isOver: boolean } | undefined
  #wake: (() => void) | undefined
  #mirroring: Promise<unknown> | undefined
  /** What it named that was read last. */
  #followed = ''
  #running: Promise<void> | undefined
  /** Milliseconds of the clock until which others are let lead. */
  #restsUntilMs = Number.NEGATIVE_INFINITY
  #fault = ''
  #faulty: 'read' | 'write' = 'read'

  constructor(spec: LeadershipSpec) {
    this.#spec = spec
    this.#mirror = new Mirror(spec.bucket)
    this.#lease = new Lease({
      ...{ id: randomBytes(16).toString('hex'), leaseMs: limits.leaseMs },
      ...{ patienceMs: limits.leasePatienceMs, beatMs: limits.leaseBeatMs },
      lookMs: limits.leaseLookMs,
    })
  }

  /** Where whoever leads is reached, as it was seen last; null: nobody does. */
  get leader(): string | null {
    return this.#head?.holder == null ? null : this.#head.address
  }

  get mayLead(): boolean {
    return this.#lease.mayLead(nowMs())
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Lets others lead at once. Idempotent. The bucket stays open. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#wake?.()
    await this.#running
    await this.#mirroring
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      const step = this.#lease.next(nowMs())
      this.#look()
      if (step.type === 'wait') await this.#sleep(step.untilMs - nowMs())
      else await this.#step(step)
      this.#look()
    }
    await this.#release()
  }

  async #step(step: LeaseStep & { type: 'read' | 'write' }): Promise<void> {
    try {
      if (step.type === 'read') await this.#read()
      else if (this.#rests()) await this.#rest()
      else await this.#write(step)
      this.#works(step.type)
    } catch (error) {
      this.#lease.failed()
      const failure = asFrError(error, 'ERR_FR_INTERNAL')
      // Another one was sooner.
      if (failure.code === 'ERR_FR_NOT_LEADING') return
      this.#away(failure)
      this.#faulty = step.type
      await this.#sleep(limits.leaseRetryMs)
    }
  }

  async #read(): Promise<void> {
    const stored = await this.#spec.bucket.head()
    const isThere = stored !== null && stored.bytes.length > 0
    const head = isThere ? headIn(stored.bytes) : null
    if (isThere && head === null)
      throw new FrError('ERR_FR_STATE', 'the head of the state is damaged')
    this.#head = head
    const stamp = head ?? { term: 0, holder: null, beat: 0 }
    const { term, holder, beat } = stamp
    const seen = { term, holder, beat, revision: stored?.revision ?? 0 }
    if (this.#lease.saw(seen, nowMs())) this.#stored()
    if (head !== null && !this.mayLead) this.#follow(head.kept)
  }

  async #write({ revision, stamp }: LeaseStep & { type: 'write' }): Promise<void> {
    const before = this.#head
    const commits = this.#commits.length
    const head: Head = {
      ...{ ...stamp, address: this.#spec.address },
      state: before?.state ?? randomBytes(16).toString('hex'),
      kept: this.#commits.at(-1)?.kept ?? before?.kept ?? nothingKept,
    }
    this.#written = { head, commits }
    const given = await this.#spec.bucket.replaceHead(headBytes(head), revision)
    this.#lease.wrote(given, nowMs())
    this.#stored()
  }

  /** What was written last is what is stored. */
  #stored(): void {
    const written = this.#written
    if (written === undefined) return
    this.#written = undefined
    this.#head = written.head
    for (const { done } of this.#commits.splice(0, written.commits)) done()
    if (this.#commits.length > 0) this.#lease.hurry()
  }

  /** Who has begun to lead is told so, and so is who does no more. */
  #look(): void {
    const { term } = this.#lease.seen
    const reign = this.#reign
    if (reign !== undefined && (!this.mayLead || reign.term !== term)) {
      const another = this.leader === null || this.#lease.isOwn ? '' : `: ${this.leader} does`
      this.#end(new FrError('ERR_FR_NOT_LEADING', `this master leads no more${another}`))
    }
    if (this.#reign !== undefined || !this.mayLead) return
    this.#reign = { term, isOver: false }
    this.#spec.onLead(this.#reigning(this.#reign))
  }

  #end(why: FrError): void {
    const reign = this.#reign
    if (reign === undefined) return
    reign.isOver = true
    this.#reign = undefined
    this.#written = undefined
    for (const { fail } of this.#commits.splice(0)) fail(why)
    this.#spec.onOver(why)
  }

  #reigning(reign: { readonly term: number; isOver: boolean }): Reigning {
    const leadership = this
    const { bucket } = this.#spec
    return {
      ...{ state: this.#head?.state ?? '', term: reign.term, bucket },
      get mayLead() {
        return !reign.isOver && leadership.mayLead
      },
      get kept() {
        return leadership.#head?.kept ?? nothingKept
      },
      entries: () => this.#entries(),
      commit: (kept) =>
        new Promise((done, fail) => {
          if (reign.isOver) return fail(over())
          this.#commits.push({ kept, done, fail })
          this.#lease.hurry()
          this.#wake?.()
        }),
      resign: (why) => {
        if (reign.isOver) return
        this.#restsUntilMs = nowMs() + limits.stateRetryMs
        this.#fault = ''
        this.#away(why)
        this.#wake?.()
      },
    }
  }

  async #entries(): Promise<readonly KeptEntry[]> {
    await this.#mirroring
    const kept = this.#head?.kept ?? nothingKept
    const found = [...(await this.#mirror.follow(kept))]
    // Who leads keeps it elsewhere.
    this.#mirror.forget()
    this.#followed = ''
    return found
  }

  /** Beside the looks at the head, however long it takes. */
  #follow(kept: KeptAt): void {
    const named = JSON.stringify(kept)
    if (named === this.#followed) return
    this.#mirroring ??= this.#mirror
      .follow(kept)
      // What it names may be gone by now; another head says what is there.
      .catch(() => this.#mirror.forget())
      .finally(() => {
        this.#followed = named
        this.#mirroring = undefined
      })
  }

  #rests(): boolean {
    return nowMs() < this.#restsUntilMs && !this.#closing.signal.aborted
  }

  async #rest(): Promise<void> {
    await this.#release()
    this.#lease.failed()
    await this.#sleep(limits.leaseRetryMs)
  }

  async #release(): Promise<void> {
    const step = this.#lease.release(nowMs())
    this.#end(over())
    const head = this.#head
    if (step?.type !== 'write' || head === null) return
    const left: Head = { ...head, ...step.stamp }
    await this.#spec.bucket.replaceHead(headBytes(left), step.revision).catch(() => {})
  }

  async #sleep(ms: number): Promise<void> {
    if (ms <= 0) return
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    const signal = AbortSignal.any([woken.signal, this.#closing.signal])
    await sleep(ms, undefined, { signal }).catch(() => {})
    this.#wake = undefined
  }

  #works(type: 'read' | 'write'): void {
    // That it can be read does not mean that it can be written.
    if (this.#fault === '' || this.#rests() || (type === 'read' && this.#faulty !== type)) return
    this.#fault = ''
    const text = 'what the masters keep their state in answers again'
    this.#spec.log({ level: 'info', event: 'state-there', fields: { text } })
  }

  /** The same again and again is one line. */
  #away({ code, message: text }: FrError): void {
    if (text === this.#fault) return
    this.#fault = text
    this.#spec.log({ level: 'error', event: 'state-away', fields: { code, text } })
  }
}

function over(): FrError {
  return new FrError('ERR_FR_NOT_LEADING', 'this master leads no more')
}
