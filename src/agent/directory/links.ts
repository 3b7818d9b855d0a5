/**
 * Links of a node to its neighbours in the directory, under numbers that are never used again:
 * those that it has dialled, and those that others have.
 *
 * Each side is heard every so often, or the link is over. What somebody spreads is verified here,
 * before the machine hears of it: a record that its author has not signed ends the link, because
 * nobody passes such a record on.
 */
import { bytesOfBase64url } from '../../base/bytes.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import { nowMs } from '../../base/time/awake.js'
import { Patience } from '../../base/time/patience.js'
import type { DirectoryFact, LinkFrame, LinkKind } from '../../control/directory/facts.js'
import type { DirectoryFrame } from '../../control/messages/directory.js'
import type { Frame } from '../../control/messages/types.js'
import { reachedAt } from '../../net/address.js'
import { nodePrimitives } from '../../net/crypto.js'
import { type Dialler, linkOver } from '../../net/dial.js'
import { dial, type Established } from '../../net/handshake.js'
import type { ControlLink } from '../../net/link.js'
import { readAnnouncement } from '../../protocol/announcement.js'
import { unexpectedFrame } from '../../protocol/fields.js'

export interface LinksHost {
  readonly dialler: () => Dialler
  /** Throws why whoever has dialled may not be a child or a mate. */
  readonly require: (asking: Established, as: 'enroll' | 'mate') => void
  readonly fact: (fact: DirectoryFact) => void
  /** See Flood. */
  readonly isWanted: (link: number, id: string) => boolean
  readonly silenceMs: number
}

interface Neighbour {
  readonly established: Established
  readonly link: ControlLink
  readonly beat: NodeJS.Timeout
  silence: Patience | undefined
  saidMs: number
  /** The machine knows of it. */
  isKnown: boolean
}

const others: readonly Frame['type'][] = [
  ...(['refuse', 'passDown', 'lineage', 'mayEnroll', 'enrollJudged', 'rollUp', 'define'] as const),
  ...(['dictionary', 'kin', 'find', 'found', 'known', 'askKnown', 'wanted', 'given'] as const),
]

function isOther(frame: Frame): frame is Extract<Frame, LinkFrame> {
  return others.includes(frame.type)
}

export class DirectoryLinks {
  readonly #host: LinksHost
  readonly #all = new Map<number, Neighbour>()
  readonly #closing = new AbortController()
  #last = 0

  constructor(host: LinksHost) {
    this.#host = host
  }

  /** Tells how it went. Never throws. */
  dial(kind: LinkKind, address: string): void {
    const { signal } = this.#closing
    const { dialler, fact } = this.#host
    void dial({ ...dialler(), address, channel: 'directory', signal })
      .then((established) => {
        if (signal.aborted) return established.close()
        const nodeId = established.peer?.nodeId ?? ''
        fact({ type: 'opened', link: this.#open(established, true), kind, nodeId, address })
      })
      .catch((error: unknown) => {
        const { message: text } = asFrError(error, 'ERR_FR_INTERNAL')
        if (!signal.aborted) fact({ type: 'failed', kind, address, text })
      })
  }

  /** Somebody has dialled. */
  serve(established: Established): void {
    if (this.#closing.signal.aborted) return established.close()
    this.#open(established, false)
  }

  say(number: number, frame: LinkFrame): void {
    const neighbour = this.#all.get(number)
    if (neighbour === undefined) return
    neighbour.saidMs = nowMs()
    neighbour.link.send(frame)
  }

  /** What was said before still goes out. */
  hangUp(number: number): void {
    void this.#forget(number)?.link.close()
  }

  close(): void {
    this.#closing.abort()
    for (const number of [...this.#all.keys()]) this.#forget(number)?.link.destroy()
  }

  #open(established: Established, isKnown: boolean): number {
    const number = ++this.#last
    const link = linkOver(established, {
      onFrame: (frame) => this.#take(number, frame),
      onClose: () => this.#over(number),
      lastWord: (code, text) => ({ type: 'refuse', code, text }),
    })
    const beat = setInterval(() => this.#beat(number), limits.directoryBeatMs / 2)
    const neighbour = { established, link, beat, silence: undefined, saidMs: nowMs(), isKnown }
    this.#all.set(number, neighbour)
    this.#hear(number, neighbour)
    return number
  }

  #hear(number: number, neighbour: Neighbour): void {
    neighbour.silence?.end()
    neighbour.silence = new Patience(this.#host.silenceMs, () => {
      neighbour.link.destroy()
      this.#over(number)
    })
  }

  #beat(number: number): void {
    const neighbour = this.#all.get(number)
    if (neighbour === undefined || nowMs() - neighbour.saidMs < limits.directoryBeatMs / 2) return
    neighbour.saidMs = nowMs()
    neighbour.link.send({ type: 'beat' })
  }

  #take(number: number, frame: Frame): void {
    const neighbour = this.#all.get(number)
    if (neighbour === undefined) return
    this.#hear(number, neighbour)
    if (frame.type === 'beat') return
    if (frame.type === 'enroll' || frame.type === 'mate')
      return this.#called(number, neighbour, frame)
    if (!neighbour.isKnown) throw unexpectedFrame(frame)
    if (frame.type === 'spread') return this.#spread(number, frame)
    if (!isOther(frame)) throw unexpectedFrame(frame)
    this.#host.fact({ type: 'said', link: number, frame })
  }

  #called(
    number: number,
    neighbour: Neighbour,
    frame: Extract<DirectoryFrame, { type: 'enroll' | 'mate' }>,
  ): void {
    if (neighbour.isKnown) throw unexpectedFrame(frame)
    const { established } = neighbour
    this.#host.require(established, frame.type)
    neighbour.isKnown = true
    const address = reachedAt(frame.address, established.remoteAddress)
    const nodeId = established.peer?.nodeId ?? ''
    this.#host.fact({ type: 'called', link: number, nodeId, frame: { ...frame, address } })
  }

  #spread(link: number, { id, record: text }: Extract<Frame, { type: 'spread' }>): void {
    if (!this.#host.isWanted(link, id)) return
    const record = bytesOfBase64url(text)
    if (record === null) throw new FrError('ERR_FR_PROTOCOL', 'an announcement is no base64url')
    const announcement = readAnnouncement(nodePrimitives, record)
    if (announcement.id !== id)
      throw new FrError('ERR_FR_PROTOCOL', 'an announcement has another id than it came with')
    this.#host.fact({ type: 'verified', link, announcement, record })
  }

  #over(number: number): void {
    const neighbour = this.#forget(number)
    if (neighbour?.isKnown) this.#host.fact({ type: 'closed', link: number })
  }

  #forget(number: number): Neighbour | undefined {
    const neighbour = this.#all.get(number)
    this.#all.delete(number)
    clearInterval(neighbour?.beat)
    neighbour?.silence?.end()
    return neighbour
  }
}
