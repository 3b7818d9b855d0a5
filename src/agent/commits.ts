/**
 * Decisions that a node takes part in (control/commit): what is asked of it, what it writes down,
 * says to other members, and carries out.
 *
 * The idea: the version that is decided about is one that the node keeps (store/versions), so a
 * commit is one rename, and what is pushed for it and what was there before are the same. Nothing
 * is answered before it is durable. A member that lacks what was decided on has another one copy it
 * here.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Failure, FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import { isHidden } from '../base/names.js'
import { nowMs } from '../base/time/awake.js'
import { digestDigits } from '../base/versions.js'
import { authorBallot } from '../control/commit/decree.js'
import { CommitDesk, type DeskWish, nothingSettled } from '../control/commit/desk.js'
import type { CommitCall, CommitFrame, CommitRecord, Decree } from '../control/messages/commit.js'
import { type HeldEntry, originNumber } from '../control/messages/types.js'
import type { Dialler } from '../net/dial.js'
import { decodeName, encodeName } from '../protocol/manifest.js'
import type { HeldStream } from '../store/catalogue/record.js'
import { CommitRecords } from '../store/commits/commit-records.js'
import type { NodeStore } from '../store/node-store.js'
import { CommitCalls } from './commit-calls.js'
import { copyHere } from './commit-fetch.js'
import { isOutdated, keptFor, pin } from './commit-place.js'
import { type DecisionStatus, isInDoubt, preparedEntry, statusOfDecision } from './commit-status.js'
import type { SwitchesTold } from './commit-told.js'
import { WaitingQuestions } from './commit-waiting.js'
import type { Disks } from './disks.js'
import type { Claimant, InDoubt, NameClaims } from './name-claims.js'
import { type Trying, untilDone } from './until-done.js'
import type { Reading } from './version-answers.js'

type Voted = Extract<CommitCall, { type: 'voted' }>
type Prepare = Extract<CommitCall, { type: 'prepare' }>
type Consult = Extract<CommitCall, { type: 'consult' }>
type Force = Extract<CommitCall, { type: 'force' }>
type Forced = Extract<CommitCall, { type: 'forced' }>

export interface CommitsSpec {
  readonly nodeId: string
  /** Votes are where the identity of the node is, at the first. */
  readonly disks: Pick<Disks, 'first' | 'likely'>
  readonly names: Pick<NameClaims<Claimant>, 'without'>
  readonly dialler: () => Dialler
  readonly log: Logger
  readonly told: Pick<SwitchesTold, 'switched' | 'drop'>
}

interface Local {
  readonly decree: Decree
  readonly isNew: boolean
  readonly sinceMs: number
}

export class Commits {
  readonly #spec: CommitsSpec
  readonly #records: CommitRecords
  readonly #calls: CommitCalls
  readonly #desk: CommitDesk
  /** What only this node knows of each decision that is open. */
  readonly #local = new Map<string, Local>()
  /** Gives back the version of each, which nothing evicts meanwhile. */
  readonly #pins = new Map<string, () => void>()
  /** Of decisions whose author is there: when it counts as gone. */
  readonly #authors = new Map<string, NodeJS.Timeout>()
  readonly #questions = new WaitingQuestions()
  readonly #preparing = new Map<string, Promise<Failure | null>>()
  /** Decisions of which this node has said that it never prepares. */
  readonly #refused = new Set<string>()
  readonly #applying = new Set<string>()
  readonly #over = new AbortController()
  #writes: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(spec: CommitsSpec) {
    this.#spec = spec
    this.#records = new CommitRecords(spec.disks.first.dataDir)
    this.#calls = new CommitCalls({
      dialler: spec.dialler,
      answered: ({ to }, frame) => this.#execute(this.#desk.said(to, frame, nowMs())),
    })
    this.#desk = new CommitDesk(spec.nodeId, nothingSettled(), nowMs())
  }

  /**
   * Goes on with what an earlier process took part in; and where another directory is in the place
   * of the one with the votes, writes there what this one has voted. Rejects with
   * ERR_FR_CATALOGUE.
   */
  async load(): Promise<void> {
    const { decisions, ...settled } = await this.#records.load()
    const own = this.#desk.records.map(({ decree }) => decree.id)
    for (const { record, isNew, sinceMs } of decisions) {
      const { decree } = record
      if (!this.#local.has(decree.id)) this.#local.set(decree.id, { decree, isNew, sinceMs })
    }
    const records = decisions.map(({ record }) => record)
    const wishes = this.#desk.moved({ records, ...settled }, nowMs())
    // Of another node, or over: a process was killed before it removed it.
    for (const { decree } of records)
      if (this.#desk.recordOf(decree.id) === undefined) this.#forget(decree.id)
    for (const { decree, prepared } of this.#desk.records) {
      this.#giveBack(decree.id)
      const kept = prepared === null ? undefined : keptFor(decree, this.#spec.disks)
      if (kept !== undefined) this.#pins.set(decree.id, pin(kept))
    }
    if (own.length > 0) this.#write(() => this.#records.settle(this.#desk.settled))
    for (const id of own) this.#write(() => this.#putNow(id))
    this.#execute(wishes)
  }

  /** What is being written is written; questions have no answer any more. */
  async close(): Promise<void> {
    this.#over.abort()
    clearTimeout(this.#timer)
    for (const timer of this.#authors.values()) clearTimeout(timer)
    this.#questions.close()
    this.#calls.close()
    await this.#writes
  }

  /** The decision that keeps others from a name. */
  inDoubt(name: Uint8Array): InDoubt | undefined {
    const decree = this.#desk.holderOf(encodeName(name))
    if (decree === undefined) return undefined
    const isWanted = this.#desk.recordOf(decree.id)?.verdict?.type === 'commit'
    return { id: decree.id, wanted: isWanted ? decree.fileDigest : null }
  }

  get views(): DecisionStatus[] {
    return this.#desk.records
      .filter(isInDoubt)
      .slice(0, limits.commitsTold)
      .map((record) => {
        const { id } = record.decree
        const sinceMs = this.#local.get(id)?.sinceMs ?? Date.now()
        return statusOfDecision(record, this.#authors.has(id), (Date.now() - sinceMs) / 1000)
      })
  }

  /** Versions that are ready there beside what has their names, as a list shows them. */
  preparedAt(store: NodeStore): HeldEntry[] {
    return this.#desk.records.filter(isInDoubt).flatMap(({ decree }) => {
      const { disk, version } = keptFor(decree, this.#spec.disks) ?? {}
      if (version === undefined || disk?.store !== store || !isHidden(version.name)) return []
      const sinceMs = this.#local.get(decree.id)?.sinceMs ?? Date.now()
      return [preparedEntry(decree, version, sinceMs)]
    })
  }

  // --- questions ---

  async prepare({ decree, isNew }: Prepare, reading: Reading): Promise<Voted> {
    const { id } = decree
    // Whoever asks twice hears the same.
    const preparing = this.#preparing.get(id) ?? this.#prepare(decree, isNew, reading)
    this.#preparing.set(id, preparing)
    const never = await preparing.finally(() => this.#preparing.delete(id))
    if (never !== null) return { type: 'voted', frame: null, never }
    return this.#answer(id, originNumber, { type: 'ballot', decree, ballot: authorBallot })
  }

  /** Resolves to why it never prepares; null: it has. */
  async #prepare(decree: Decree, isNew: boolean, reading: Reading): Promise<Failure | null> {
    const { id } = decree
    try {
      if (this.#refused.has(id)) throw new FrError('ERR_FR_REFUSED', 'it was refused before')
      if ((this.#desk.recordOf(id)?.prepared ?? null) === null)
        await this.#whenFree(decree, () => this.#makeReady(decree, isNew, reading))
      return null
    } catch (error) {
      this.#refused.add(id)
      const [oldest] = this.#refused
      if (this.#refused.size > limits.commitsKept) this.#refused.delete(oldest as string)
      const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
      return { code, text }
    }
  }

  /** The transfer that has brought the version may be about to give the name back. */
  async #whenFree(decree: Decree, work: () => Promise<void>): Promise<void> {
    for (const untilMs = nowMs() + limits.claimMs; ; )
      try {
        return await this.#spec.names.without(decodeName(decree), work)
      } catch (error) {
        const isBusy = error instanceof FrError && error.code === 'ERR_FR_BUSY'
        const isDoubted = this.inDoubt(decodeName(decree)) !== undefined
        if (!isBusy || isDoubted || nowMs() > untilMs) throw error
        await pause(limits.commitApplyMs, undefined, { signal: this.#over.signal })
      }
  }

  async #makeReady(decree: Decree, isNew: boolean, reading: Reading): Promise<void> {
    const { id } = decree
    const { first } = this.#spec.disks
    first.store.requireWritable()
    await first.store.requireDirectory()
    const kept = keptFor(decree, this.#spec.disks)
    if (kept === undefined)
      throw new FrError('ERR_FR_NOT_HELD', 'the node does not keep the version that is to come')
    const { disk, version } = kept
    await disk.store.requireDirectory()
    const giveBack = pin(kept)
    try {
      if (!(await disk.versions.isRight(version, reading)))
        throw new FrError('ERR_FR_DIGEST', 'somebody else has changed the file of this version')
      reading.signal.throwIfAborted()
      if (!this.#desk.join(decree, nowMs()))
        throw new FrError('ERR_FR_LIMIT', 'the node is no member, or takes part in too many')
      const isOwn = isNew && isHidden(version.name)
      this.#local.set(id, { decree, isNew: isOwn, sinceMs: Date.now() })
      this.#authorIsThere(id)
      const { isTaken, wishes } = this.#desk.prepared(id, nowMs())
      if (!isTaken) throw new FrError('ERR_FR_BUSY', 'another version of the name is prepared')
      this.#pins.set(id, giveBack)
      this.#execute(wishes)
    } catch (error) {
      giveBack()
      throw error
    }
  }

  /** Rejects with ERR_FR_PROTOCOL where it is not for this node, or not of who says so. */
  async consult({ id, by, to, frame }: Consult, nodeId: string): Promise<Voted> {
    this.#spec.disks.first.store.requireWritable()
    if (by === originNumber) this.#authorIsThere(id)
    if (frame === null) return { type: 'voted', frame: null, never: null }
    const decree = 'decree' in frame ? frame.decree : this.#desk.recordOf(id)?.decree
    const about = 'decree' in frame ? frame.decree.id : frame.id
    if (about !== id) throw new FrError('ERR_FR_PROTOCOL', 'it is about two decisions')
    if (decree !== undefined) {
      const ours = decree.members[to]?.nodeId
      const theirs = by === originNumber ? nodeId : decree.members[by]?.nodeId
      if (ours !== this.#spec.nodeId && ours !== '')
        throw new FrError('ERR_FR_PROTOCOL', 'it is for another node')
      if (theirs !== nodeId && theirs !== '')
        throw new FrError('ERR_FR_PROTOCOL', 'another node is this member')
    }
    return this.#answer(id, by, frame, to)
  }

  /** What is said to them within some time; null: nothing is. */
  async #answer(id: string, by: number, frame: CommitFrame, to?: number): Promise<Voted> {
    const isRequest = ['ballot', 'propose', 'decided'].includes(frame.type)
    const answer = isRequest ? this.#questions.wait(id, by) : null
    this.#execute(this.#desk.said(by, frame, nowMs(), to))
    const isOver = frame.type === 'decided' && this.#desk.recordOf(id) === undefined
    if (isOver) this.#questions.answer(id, by, null)
    return { type: 'voted', frame: await answer, never: null }
  }

  /** Rejects with ERR_FR_NOT_HELD where nothing is in doubt under the name. */
  async force({ name, nameIsBase64, verdict }: Force): Promise<Forced> {
    const decree = this.#desk.holderOf({ name, nameIsBase64 })
    if (decree === undefined)
      throw new FrError('ERR_FR_NOT_HELD', 'no version that is in doubt is prepared for this name')
    const { id, fileDigest } = decree
    this.#spec.log({ level: 'warn', event: 'commit-forced', fields: { id, name, verdict } })
    this.#execute(this.#desk.handle(id, { type: 'forced', verdict }, nowMs()))
    return { type: 'forced', fileDigest, verdict: this.#verdictOf(id) ?? verdict }
  }

  #verdictOf(id: string): 'commit' | 'abort' | undefined {
    return this.#desk.recordOf(id)?.verdict?.type
  }

  #authorIsThere(id: string): void {
    if (this.#local.get(id) === undefined || this.#over.signal.aborted) return
    clearTimeout(this.#authors.get(id))
    const gone = (): void => {
      this.#authors.delete(id)
      this.#execute(this.#desk.handle(id, { type: 'author', isThere: false }, nowMs()))
    }
    this.#authors.set(id, setTimeout(gone, limits.commitQuietMs).unref())
    this.#execute(this.#desk.handle(id, { type: 'author', isThere: true }, nowMs()))
  }

  // --- wishes ---

  #execute(wishes: readonly DeskWish[]): void {
    if (this.#over.signal.aborted) return
    for (const wish of wishes) this.#carryOut(wish)
    clearTimeout(this.#timer)
    const dueMs = this.#desk.deadlineMs()
    if (dueMs === null) return
    const due = (): void => this.#execute(this.#desk.due(nowMs()))
    this.#timer = setTimeout(due, Math.max(1, dueMs - nowMs())).unref()
  }

  #carryOut(wish: DeskWish): void {
    const { id } = wish
    switch (wish.type) {
      case 'say':
        return this.#say(id, wish.member, wish.frame)
      case 'store':
        return this.#store(id, wish.record, wish.write)
      case 'apply':
        return void this.#apply(id)
      case 'forget':
        return this.#forget(id)
      default:
        wish satisfies never
    }
  }

  #say(id: string, to: number, frame: CommitFrame): void {
    if (this.#questions.answer(id, to, frame)) return
    const record = this.#desk.recordOf(id)
    const decree = record?.decree ?? ('decree' in frame ? frame.decree : undefined)
    const member = decree?.members[to]
    if (decree === undefined || member === undefined) return
    const own = decree.members.findIndex(({ nodeId }) => nodeId === this.#spec.nodeId)
    const by = record?.you ?? own
    if (by >= 0) this.#calls.say(member, { id, by, to, frame })
  }

  #store(id: string, record: CommitRecord, write: number): void {
    const { decree } = record
    const local = this.#local.get(id) ?? { decree, isNew: false, sinceMs: Date.now() }
    this.#local.set(id, local)
    const { isNew, sinceMs } = local
    this.#write(
      () => this.#records.put({ record, isNew, sinceMs }),
      () => this.#execute(this.#desk.handle(id, { type: 'stored', write }, nowMs())),
    )
  }

  async #putNow(id: string): Promise<void> {
    const record = this.#desk.recordOf(id)
    const { isNew = false, sinceMs = Date.now() } = this.#local.get(id) ?? {}
    if (record !== undefined) await this.#records.put({ record, isNew, sinceMs })
  }

  /** In order; what fails is tried again for as long as the node runs, and nothing after it. */
  #write(write: () => Promise<void>, done?: () => void): void {
    this.#writes = this.#writes.then(async () => {
      if (await untilDone(write, this.#trying('vote-not-written'))) done?.()
    })
  }

  #trying(event: string): Trying {
    const failed = (error: unknown): void => {
      const { code, message: text } = asFrError(error, 'ERR_FR_IO')
      this.#spec.log({ level: 'warn', event, fields: { code, text } })
    }
    return { signal: this.#over.signal, failed }
  }

  /** All have carried it out, or need not be told. */
  #forget(id: string): void {
    const local = this.#local.get(id)
    this.#local.delete(id)
    this.#giveBack(id)
    clearTimeout(this.#authors.get(id))
    this.#authors.delete(id)
    this.#write(async () => {
      await this.#records.settle(this.#desk.settled)
      await this.#records.remove(id)
    })
    if (local === undefined) return
    const name = decodeName(local.decree)
    for (const { store } of this.#spec.disks.likely(name)) void store.versions.trim(name)
  }

  #giveBack(id: string): void {
    this.#pins.get(id)?.()
    this.#pins.delete(id)
  }

  #isNew(id: string): boolean {
    return this.#local.get(id)?.isNew === true
  }

  // --- the verdict ---

  async #apply(id: string): Promise<void> {
    if (this.#applying.has(id)) return
    this.#applying.add(id)
    await untilDone(async (attempt) => {
      const record = this.#desk.recordOf(id)
      if (record === undefined || record.isApplied) return
      if (record.verdict?.type === 'commit') await this.#commit(record, attempt)
      else await this.#abort(record)
      this.#applied(record)
    }, this.#trying('commit-waits'))
    this.#applying.delete(id)
  }

  #applied({ decree, verdict }: CommitRecord): void {
    const { id, name, fileDigest: digest } = decree
    this.#giveBack(id)
    const wishes = this.#desk.handle(id, { type: 'applied' }, nowMs())
    // Its order is known before anything else may take the name.
    this.#write(() => this.#records.settle(this.#desk.settled))
    this.#execute(wishes)
    const fields = { name, digest, verdict: verdict?.type ?? null }
    this.#spec.log({ level: 'info', event: 'decided', fields })
  }

  /** `attempt`: the next member is asked each time. */
  async #commit({ decree, you, prepared }: CommitRecord, attempt: number): Promise<void> {
    if (!this.#desk.isNews(decree.id)) return
    const { names, dialler } = this.#spec
    const name = decodeName(decree)
    const reading = { isReading: () => {}, signal: this.#over.signal }
    const placed = this.#desk.placedAt(decree)
    const switchNow = async (): Promise<void> => {
      if (prepared === null && isOutdated(decree, placed, this.#spec.disks))
        return this.#desk.leave(decree.id)
      const { disk } = keptFor(decree, this.#spec.disks) ?? {}
      if (disk === undefined) throw new FrError('ERR_FR_NOT_HELD')
      const { store, versions } = disk
      const isRight = (record: HeldStream) => versions.isRight(record, reading)
      const digits = digestDigits(decree.fileDigest)
      const { now } = await store.versions.rollBack(name, digits, isRight)
      this.#spec.told.switched(decree, now, this.#isNew(decree.id), nowMs())
    }
    try {
      await names.without(name, switchNow, decree.id)
    } catch (error) {
      const isLacking =
        error instanceof FrError && ['ERR_FR_NOT_HELD', 'ERR_FR_DIGEST'].includes(error.code)
      if (!isLacking) throw error
      await copyHere(dialler(), { decree, you, attempt, signal: this.#over.signal })
      await names.without(name, switchNow, decree.id)
    }
  }

  /** What was brought for it goes; another one stays a version like any. */
  async #abort({ decree }: CommitRecord): Promise<void> {
    this.#spec.told.drop(decree)
    if (!this.#isNew(decree.id)) return
    const kept = keptFor(decree, this.#spec.disks)
    if (kept === undefined || !isHidden(kept.version.name)) return
    const remove = (): Promise<void> => kept.disk.store.versions.forget(kept.version)
    await this.#spec.names.without(decodeName(decree), remove, decree.id)
  }
}
