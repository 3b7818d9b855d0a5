/** Asks a node questions over a status link, one after the other. */
import { setTimeout as sleep } from 'node:timers/promises'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { nowMs } from '../base/time/awake.js'
import type { Frame, FrameType } from '../control/messages/types.js'
import { type Dialler, linkOver } from '../net/dial.js'
import { dial } from '../net/handshake.js'
import type { ControlLink } from '../net/link.js'

export interface AskOptions {
  /** Milliseconds until the answer, or the next word before it. */
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

type FrameOf<T extends FrameType> = Extract<Frame, { type: T }>

interface Asked {
  readonly take: (frame: Frame) => void
  readonly fail: (error: FrError) => void
}

export class Inquiry {
  readonly #dialler: Dialler
  /** Of whom it was given, and of who is asked instead, where that one has named another. */
  readonly #given: string
  #address: string
  readonly #expected: { readonly expectedNodeId?: string }
  #nodeId = ''
  #link: ControlLink | undefined
  #answeredMs = 0
  #asked: Asked | undefined
  /** The last one that was asked is a master that does not lead. */
  #isLeaderless = false

  /** `expectedNodeId`: another node at the address is refused, with ERR_FR_UNREACHABLE. */
  constructor(dialler: Dialler, address: string, expectedNodeId?: string) {
    this.#dialler = dialler
    this.#given = address
    this.#address = address
    this.#expected = expectedNodeId === undefined ? {} : { expectedNodeId }
  }

  /** Of the node that was asked last; empty: none has been reached. */
  get nodeId(): string {
    return this.#nodeId
  }

  /**
   * Resolves to the answer. Rejects with the refusal of the node, with what broke the connection,
   * ERR_FR_TIMEOUT, or the reason of the signal; the link is then closed. `onWord` gets the frames
   * of type `word` that come before the answer.
   */
  async ask<T extends FrameType, W extends FrameType = never>(
    question: Frame,
    answer: T,
    { timeoutMs, signal }: AskOptions,
    word?: W,
    onWord?: (frame: FrameOf<W>) => void,
  ): Promise<FrameOf<T>> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), timeoutMs)
    const over = AbortSignal.any(signal === undefined ? [late.signal] : [late.signal, signal])
    try {
      const found = await this.#askWhoLeads(question, over, (frame) => {
        if (frame.type === answer) return frame as FrameOf<T>
        if (frame.type === 'refuse')
          throw new FrError(frame.code, frame.text, { node: this.#address })
        if (frame.type !== word) throw this.#error('ERR_FR_PROTOCOL', `sent '${frame.type}'`)
        timer.refresh()
        onWord?.(frame as FrameOf<W>)
        return undefined
      })
      this.#answeredMs = nowMs()
      return found
    } catch (error) {
      this.close()
      signal?.throwIfAborted()
      if (late.signal.aborted && this.#isLeaderless)
        throw this.#error('ERR_FR_NOT_LEADING', `knew of no master that leads for ${timeoutMs} ms`)
      if (late.signal.aborted)
        throw this.#error('ERR_FR_TIMEOUT', `did not answer within ${timeoutMs} ms`)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Ends a question that is open. Idempotent; a question after it opens a new link. */
  close(): void {
    this.#link?.destroy()
    this.#link = undefined
    this.#asked?.fail(this.#error('ERR_FR_ABORTED', 'was not asked to the end'))
  }

  /**
   * Of several masters one leads, and the others name it. While none does, or where the one that is
   * named is not there any more, the one that was given is asked again, as long as there is time.
   */
  async #askWhoLeads<T>(
    question: Frame,
    signal: AbortSignal,
    read: (frame: Frame) => T | undefined,
  ): Promise<T> {
    for (let hops = 1; ; hops += 1) {
      const isGiven = this.#address === this.#given
      const found = await this.#open(signal)
        .then((link) => this.#answer(link, question, signal, (frame) => whoLeads(frame, read)))
        .catch((error: unknown) => {
          if (isGiven || signal.aborted || !isAway(error)) throw error
          return { leader: null }
        })
      this.#isLeaderless = !('found' in found)
      if ('found' in found) return found.found
      this.close()
      this.#address = hops % limits.leaderHops === 0 ? this.#given : (found.leader ?? this.#given)
      if (this.#address !== this.#given) continue
      await sleep(limits.leaderAskMs, undefined, { signal })
    }
  }

  async #open(signal: AbortSignal): Promise<ControlLink> {
    // The node drops a link without questions.
    if (nowMs() - this.#answeredMs > limits.askAgainMs) this.close()
    if (this.#link?.isOpen) return this.#link
    const address = this.#address
    const how = { ...this.#dialler, ...this.#expected, signal }
    const established = await dial({ ...how, address, channel: 'status' })
    this.#nodeId = established.peer?.nodeId ?? ''
    this.#link = linkOver(established, {
      onFrame: (frame) => this.#asked?.take(frame),
      onClose: (code, text) => this.#asked?.fail(new FrError(code, text, { node: address })),
    })
    return this.#link
  }

  #answer<T>(
    link: ControlLink,
    question: Frame,
    signal: AbortSignal,
    read: (frame: Frame) => T | undefined,
  ): Promise<T> {
    let onAbort = (): void => {}
    const answered = new Promise<T>((resolve, reject) => {
      onAbort = () => reject(this.#error('ERR_FR_ABORTED', 'was not asked to the end'))
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
      const take = (frame: Frame): void => {
        try {
          const found = read(frame)
          if (found !== undefined) resolve(found)
        } catch (error) {
          reject(error)
        }
      }
      this.#asked = { take, fail: reject }
      if (!link.send(question)) reject(this.#error('ERR_FR_NODE_LOST', 'closed the connection'))
    })
    return answered.finally(() => {
      signal.removeEventListener('abort', onAbort)
      this.#asked = undefined
    })
  }

  #error(
    code:
      | 'ERR_FR_NOT_LEADING'
      | 'ERR_FR_PROTOCOL'
      | 'ERR_FR_TIMEOUT'
      | 'ERR_FR_ABORTED'
      | 'ERR_FR_NODE_LOST',
    what: string,
  ): FrError {
    return new FrError(code, `${this.#address} ${what}`, { node: this.#address })
  }
}

type Led<T> = { readonly found: T } | { readonly leader: string | null }

function whoLeads<T>(frame: Frame, read: (frame: Frame) => T | undefined): Led<T> | undefined {
  if (frame.type === 'elsewhere') return { leader: frame.address }
  const found = read(frame)
  return found === undefined ? undefined : { found }
}

function isAway(error: unknown): boolean {
  return error instanceof FrError && error.retryable
}
