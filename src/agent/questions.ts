/**
 * Status links at a node: a peer with the key asks questions, one after the other, gets the answer
 * to each, and hangs up. A question that cannot be answered gets `refuse`. Questions and answers
 * have time limits; a peer that hangs up ends what it asked for, and so does closing the node.
 */
import type { Attributes } from '../base/attributes.js'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import type { RateLimits } from '../base/rate-limits.js'
import { Waiting } from '../base/time/patience.js'
import type { NodeLink } from '../control/messages/copying.js'
import type { AttributesChange } from '../control/messages/directory.js'
import type { Frame } from '../control/messages/types.js'
import { linkOver } from '../net/dial.js'
import type { Established } from '../net/handshake.js'
import type { ControlLink } from '../net/link.js'
import { unexpectedFrame } from '../protocol/fields.js'
import { decodeName } from '../protocol/manifest.js'
import type { Authority } from './authority.js'
import type { Commits } from './commits.js'
import type { Copies } from './copies.js'
import type { NodeDirectory } from './directory/node-directory.js'
import type { HeldFiles } from './held-files.js'
import { type LimitChange, ratesOf } from './node-limits.js'
import type { Publishing } from './publishing.js'
import { isQuestion, type Question, readsOnly, wantedBy } from './requests.js'
import type { Reading, VersionAnswers } from './version-answers.js'

export interface Answers {
  /** The status as JSON. */
  readonly statusJson: () => string
  /** Has the node added to the transfer; rejects with the FrError that says why it was not. */
  readonly add: (transfer: string, node: NodeLink) => Promise<void>
  /** Changes what the node or one transfer may use; throws the FrError that says why it cannot. */
  readonly limit: (transfer: string | null, change: LimitChange) => RateLimits
  readonly held: Pick<HeldFiles, 'list' | 'remove' | 'verify'>
  readonly versions: Pick<VersionAnswers, 'list' | 'rollBack' | 'lacks'>
  readonly disks: () => Promise<Extract<Frame, { type: 'disksTold' }>>
  readonly commits: Pick<Commits, 'prepare' | 'consult' | 'force'>
  readonly copies: Pick<Copies, 'start' | 'follow'>
  readonly where: NodeDirectory['where']
  /** Changes attributes of the node; returns all, throws ERR_FR_LIMIT for too many. */
  readonly describe: (change: AttributesChange) => Attributes
  readonly publishing: Pick<Publishing, 'tell' | 'announce'>
  /** To who pulls a content; rejects with ERR_FR_NOT_HELD, ERR_FR_ONLY. */
  /** Somebody has had these removed. */
  readonly removed: (name: Uint8Array, isGlob: boolean) => void
  readonly swarm: (frame: SwarmQuestion, asker: Established) => Promise<Frame>
}

export type SwarmQuestion = Extract<Frame, { type: 'swarm' }>

async function isRelayOnly(): Promise<never> {
  throw new FrError('ERR_FR_RELAY_ONLY')
}

/** Answers of a node that has no files. */
export const noFiles: Pick<Answers, 'held' | 'versions' | 'commits' | 'disks'> = {
  held: { list: isRelayOnly, remove: isRelayOnly, verify: isRelayOnly },
  versions: { list: isRelayOnly, rollBack: isRelayOnly, lacks: isRelayOnly },
  commits: { prepare: isRelayOnly, consult: isRelayOnly, force: isRelayOnly },
  disks: isRelayOnly,
}
export const noCopies: Answers['copies'] = { start: isRelayOnly, follow: isRelayOnly }

interface Asker {
  readonly link: ControlLink
  readonly nodeId: string
  readonly established: Established
  /** Aborted when nobody waits for an answer any more. */
  readonly over: AbortController
  isWaiting: boolean
}

export class Questions {
  readonly #answers: Answers
  readonly #authority: Pick<Authority, 'require'>
  readonly #askers = new Waiting<Asker>()

  constructor(answers: Answers, authority: Pick<Authority, 'require'>) {
    this.#answers = answers
    this.#authority = authority
  }

  serve(established: Established): void {
    const link = linkOver(established, {
      onFrame: (frame) => {
        if (asker.isWaiting) throw new FrError('ERR_FR_PROTOCOL', 'a question before the answer')
        if (!isQuestion(frame)) throw unexpectedFrame(frame)
        const answer = this.#answer(frame, asker)
        asker.isWaiting = true
        this.#expect(asker, limits.stallMs)
        void answer.catch(refusal).then((found) => {
          asker.isWaiting = false
          if (link.send(found)) this.#expect(asker, limits.acceptMs)
        })
      },
      onClose: () => this.#forget(asker),
      lastWord: (code, text) => ({ type: 'refuse', code, text }),
    })
    const nodeId = established.peer?.nodeId ?? ''
    const asker = { link, nodeId, established, over: new AbortController(), isWaiting: false }
    // The peer must ask soon.
    this.#expect(asker, limits.acceptMs)
  }

  destroyAll(): void {
    for (const asker of [...this.#askers]) {
      this.#forget(asker)
      asker.link.destroy()
    }
  }

  async #answer(frame: Question, asker: Asker): Promise<Frame> {
    const { type } = frame
    this.#authority.require(asker.established, type, wantedBy(frame), readsOnly.has(type))
    return this.#begin(frame, asker)
  }

  #begin(frame: Question, asker: Asker): Promise<Frame> {
    const answers = this.#answers
    switch (frame.type) {
      case 'statusRequest':
        return (async () => ({ type: 'status', json: answers.statusJson() }))()
      case 'add':
        return answers.add(frame.transfer, frame.node).then(() => ({ type: 'added' }))
      case 'limit':
        return (async () => {
          const rates = answers.limit(frame.transfer, frame)
          return { type: 'limited', ...ratesOf(rates) }
        })()
      case 'list': {
        const { after, limit } = frame
        const glob = frame.glob === null ? null : decodeName(frame.glob)
        return answers.held.list({ glob, after, limit })
      }
      case 'copy': {
        const { type: _, ...wish } = frame
        const { transfer } = wish
        const begun = answers.copies.start(wish, asker.over.signal)
        return begun.then(() => ({ type: 'copying', transfer }))
      }
      case 'follow':
        return this.#follow(frame.transfer, asker)
      case 'remove':
        return this.#remove(decodeName(frame), frame.isGlob, asker)
      case 'verify':
        return this.#reading(asker, ({ isReading, signal }) =>
          answers.held.verify(decodeName(frame), isReading, signal),
        )
      case 'versions':
        return answers.versions.list(frame.glob && decodeName(frame.glob), frame.after)
      case 'rollback':
        return this.#reading(asker, (reading) =>
          answers.versions.rollBack(decodeName(frame), frame.version, reading),
        )
      case 'lacks':
        return answers.versions.lacks(frame.entries)
      case 'disks':
        return answers.disks()
      case 'prepare':
        return this.#reading(asker, (reading) => answers.commits.prepare(frame, reading))
      case 'consult':
        return answers.commits.consult(frame, asker.nodeId)
      case 'force':
        return answers.commits.force(frame)
      case 'where':
        return this.#where(frame.criteria, asker)
      case 'describe':
        return (async () => ({ type: 'described', attributes: answers.describe(frame) }))()
      case 'publishing':
        return (async () => answers.publishing.tell(decodeName(frame)))()
      case 'announce':
        return answers.publishing.announce(frame, asker.nodeId)
      case 'swarm':
        return answers.swarm(frame, asker.established)
      default:
        return frame satisfies never
    }
  }

  /** Says again and again how far it is; a disk that brings nothing ends it. */
  async #reading(asker: Asker, answer: (reading: Reading) => Promise<Frame>): Promise<Frame> {
    const saying = this.#saying(asker, { type: 'verifying', readBytes: 0, bytes: 0 })
    try {
      const isReading = (readBytes: number, bytes: number): void =>
        saying.now({ type: 'verifying', readBytes, bytes }, readBytes)
      return await answer({ isReading, signal: asker.over.signal })
    } finally {
      saying.end()
    }
  }

  async #where(criteria: string, { link }: Asker): Promise<Frame> {
    const found = await this.#answers.where(criteria, (nodes) => {
      link.send({ type: 'whereFound', nodes })
    })
    return { type: 'whereTold', ...found }
  }

  async #remove(name: Uint8Array, isGlob: boolean, asker: Asker): Promise<Frame> {
    const saying = this.#saying(asker, { type: 'removing', entries: 0 })
    try {
      const isRemoving = (entries: number): void =>
        saying.now({ type: 'removing', entries }, entries)
      const how = { isRemoving, signal: asker.over.signal }
      const removed = await this.#answers.held.remove(name, isGlob, how)
      this.#answers.removed(name, isGlob)
      return removed
    } finally {
      saying.end()
    }
  }

  /** Sends the last word every so often; `amount` tells whether there is progress. */
  #saying(asker: Asker, first: Frame) {
    let [last, most] = [first, 0]
    const timer = setInterval(() => asker.link.send(last), limits.verifyingMs)
    return {
      now: (word: Frame, amount: number): void => {
        if (amount > most) this.#expect(asker, limits.stallMs)
        most = Math.max(most, amount)
        last = word
      },
      end: (): void => clearInterval(timer),
    }
  }

  /** A push that runs always has something to tell in time. */
  async #follow(transfer: string, asker: Asker): Promise<Frame> {
    const tell = (json: string): void => {
      this.#expect(asker, limits.stallMs)
      asker.link.send({ type: 'report', json })
    }
    const json = await this.#answers.copies.follow(transfer, tell, asker.over.signal)
    return { type: 'reported', json }
  }

  /** Something must happen within `forMs`: a question, an answer, or progress. */
  #expect(asker: Asker, forMs: number): void {
    if (asker.over.signal.aborted) return
    this.#askers.add(asker, forMs, () => {
      if (asker.isWaiting) {
        const text = `the node found no answer within ${forMs / 1000} s`
        asker.link.send({ type: 'refuse', code: 'ERR_FR_TIMEOUT', text })
      }
      void asker.link.close()
      this.#forget(asker)
    })
  }

  #forget(asker: Asker): void {
    this.#askers.delete(asker)
    asker.over.abort()
  }
}

function refusal(error: unknown): Frame {
  const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
  return { type: 'refuse', code, text }
}
