/**
 * The place of a node at its master: from the first word of its link until the link is over.
 *
 * States: enlisting -> telling (pages of all that it holds, put together) -> seated -> over. The
 * master hears of it when it is seated, with all that it holds at once, so that nothing is begun
 * that a later page would make needless.
 *
 * Never: more of a node in memory than limits.masterNodeFiles contents.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { nowMs } from '../../base/time/awake.js'
import { Patience } from '../../base/time/patience.js'
import type {
  Carried,
  CopyOrder,
  Ended,
  HeldThere,
  MasterToNode,
  RequiredFile,
} from '../../control/messages/mastering.js'
import type { Frame } from '../../control/messages/types.js'
import { reachedAt } from '../../net/address.js'
import { linkOver } from '../../net/dial.js'
import type { Established } from '../../net/handshake.js'
import type { ControlLink } from '../../net/link.js'
import { unexpectedFrame } from '../../protocol/fields.js'
import type { Enlisting } from './master-talk.js'

type Holdings = Extract<Frame, { type: 'holdings' }>

/** All that a node has said when it is seated. */
export interface Told {
  readonly files: readonly HeldThere[]
  readonly freeBytes: number
  readonly carried: readonly Carried[]
  readonly running: readonly CopyOrder[]
}

export interface SeatHost {
  /** Throws the FrError with which the node is refused. */
  enlisted(seat: Seat): void
  seated(seat: Seat, told: Told): void
  changed(seat: Seat, page: Holdings): void
  copied(seat: Seat, copy: number, ended: Ended): void
  /** Once, in a later microtask, unless this side has closed it. */
  over(seat: Seat, error: FrError): void
}

export class Seat {
  /** What the master calls the node; empty until it is taken. */
  name = ''
  /** Its id, which it has proved. */
  readonly nodeId: string
  readonly established: Established
  readonly #host: SeatHost
  readonly #link: ControlLink
  readonly #silenceMs: number
  #silence: Patience | undefined
  #enlisting: Enlisting | undefined
  #files: HeldThere[] = []
  #freeBytes = 0
  #carried: readonly Carried[] = []
  #isSeated = false
  #isLeft = false
  #saidMs = Number.NEGATIVE_INFINITY

  constructor(established: Established, host: SeatHost, silenceMs: number) {
    this.nodeId = established.peer?.nodeId ?? ''
    this.established = established
    this.#host = host
    this.#silenceMs = silenceMs
    this.#link = linkOver(established, {
      onFrame: (frame) => this.#take(frame),
      onClose: (code, text) => {
        this.#silence?.end()
        if (!this.#isLeft) host.over(this, new FrError(code, text))
      },
      lastWord: (code, text) => ({ type: 'refuse', code, text }),
    })
    this.#hear()
  }

  get isSeated(): boolean {
    return this.#isSeated
  }

  /** Valid from `enlisted` on. */
  get enlisting(): Enlisting {
    return this.#enlisting as Enlisting
  }

  /** HOST:PORT where other nodes reach it. */
  get address(): string {
    return reachedAt(this.enlisting.address, this.established.remoteAddress)
  }

  say(word: MasterToNode | Extract<Frame, { type: 'beat' }>): void {
    this.#saidMs = nowMs()
    this.#link.send(word)
  }

  require(files: readonly RequiredFile[]): void {
    for (let at = 0; at === 0 || at < files.length; at += limits.masterPageFiles) {
      const page = files.slice(at, at + limits.masterPageFiles)
      const isLast = at + page.length >= files.length
      this.say({ type: 'required', files: page, isFirst: at === 0, isLast })
    }
  }

  /** The last word of the master; `over` is not called. */
  leave(word: MasterToNode): void {
    this.#silence?.end()
    this.#isLeft = true
    this.#link.send(word)
    void this.#link.close()
  }

  /** `over` is not called. */
  destroy(): void {
    this.#silence?.end()
    this.#link.destroy()
  }

  #hear(): void {
    this.#silence?.end()
    this.#silence = new Patience(this.#silenceMs, () => {
      this.#link.destroy()
      const text = `the node said nothing for ${this.#silenceMs / 1_000} s`
      this.#host.over(this, new FrError('ERR_FR_NODE_SILENT', text))
    })
  }

  #take(frame: Frame): void {
    if (this.#isLeft) return
    this.#hear()
    if (this.#enlisting === undefined) {
      if (frame.type !== 'enlist') throw unexpectedFrame(frame)
      const { type: _, ...enlisting } = frame
      this.#enlisting = enlisting
      return this.#host.enlisted(this)
    }
    switch (frame.type) {
      case 'holdings':
        if (nowMs() - this.#saidMs >= limits.mastersStateMs / 2) this.say({ type: 'beat' })
        return this.#isSeated ? this.#host.changed(this, frame) : this.#collect(frame)
      case 'underway': {
        if (this.#isSeated) throw unexpectedFrame(frame)
        this.#isSeated = true
        const said = { freeBytes: this.#freeBytes, carried: this.#carried }
        const told = { ...said, files: this.#files, running: frame.copies }
        this.#files = []
        return this.#host.seated(this, told)
      }
      case 'copied': {
        if (!this.#isSeated) throw unexpectedFrame(frame)
        const { type: _, copy, ...ended } = frame
        return this.#host.copied(this, copy, ended)
      }
      default:
        throw unexpectedFrame(frame)
    }
  }

  #collect({ held, gone, carried, freeBytes }: Holdings): void {
    if (this.#files.length + held.length > limits.masterNodeFiles)
      throw new FrError('ERR_FR_LIMIT', `a node has more than ${limits.masterNodeFiles} files`)
    const isGone = new Set(gone.map(keyOf))
    if (isGone.size > 0) this.#files = this.#files.filter((one) => !isGone.has(keyOf(one)))
    for (const one of held) this.#files.push(one)
    this.#freeBytes = freeBytes
    if (carried.length > 0) this.#carried = carried
  }
}

function keyOf({ name, contentId }: Pick<HeldThere, 'name' | 'contentId'>): string {
  return `${contentId} ${name}`
}
