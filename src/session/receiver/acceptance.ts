/**
 * What the program around a node hears of each file that is offered to it, and its say in it.
 *
 * The idea: the hook is code of somebody else. It may refuse, throw, answer with nonsense or never
 * answer; each of these is a refusal by name, in time for the origin to hear of it.
 */
import { FrError, type FrErrorCode, isFrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { Patience } from '../../base/time/patience.js'

/** A file that is offered to a node. */
export interface NodeOffer {
  /** Id of the transfer; another attempt of the same push has the same. */
  readonly transfer: string
  readonly name: string
  /** Size of the file. */
  readonly bytes: number
  /** What it takes on the disk: `bytes` without holes, by the word of the sender. */
  readonly dataBytes: number
  /** HOST:PORT that the control connection of the sender comes from. */
  readonly sender: string
  /** Id of the push of a tree, of which this is a part: a bundle of files, or one large file. */
  readonly tree?: string
}

/** A file that is whole, durable and in its place at a node. */
export interface NodePublication {
  readonly transfer: string
  readonly name: string
  readonly bytes: number
  readonly sender: string
  /** As in the offer. */
  readonly tree?: string
  /** From the offer to the publication; of a commit to the switch. */
  readonly seconds: number
  readonly digest: string
}

/** An offer that came to nothing: refused, or failed later. */
export interface NodeFailure {
  readonly transfer: string
  readonly name: string
  readonly bytes: number
  readonly sender: string
  /** As in the offer. */
  readonly tree?: string
  readonly code: FrErrorCode
  /** `CODE: text`. */
  readonly reason: string
}

/** True takes the file. */
export type AcceptHook = (offer: NodeOffer) => boolean | PromiseLike<boolean>

/** The program around a node. What it is told must not throw. */
export interface Audience {
  /** Absent: every file is taken. */
  readonly accept: AcceptHook | undefined
  offered(offer: NodeOffer): void
  published(publication: NodePublication): void
  /** It is whole and durable beside what has the name, and may take it later. */
  ready?(publication: NodePublication): void
  failed(failure: NodeFailure): void
}

/** Whether a node takes one offer. */
export class Approval {
  readonly #hook: AcceptHook | undefined
  readonly #over = new AbortController()
  #isPending = false

  constructor(hook: AcceptHook | undefined) {
    this.#hook = hook
  }

  get isPending(): boolean {
    return this.#isPending
  }

  /** Like `askHook`; `broken` is given what is wrong with the hook. */
  async ask(offer: NodeOffer, broken: (text: string) => void): Promise<void> {
    if (this.#hook === undefined) return
    this.#isPending = true
    try {
      await askHook(this.#hook, offer, limits.decideMs, this.#over.signal)
    } catch (error) {
      const { code, cause } = error as FrError
      if (code === 'ERR_FR_INTERNAL')
        broken(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause))
      throw error
    } finally {
      this.#isPending = false
    }
  }

  /** Nobody waits for the answer any more. */
  end(): void {
    this.#over.abort()
  }
}

/**
 * Resolves when the hook takes the offer. Otherwise rejects with the refusal: ERR_FR_REFUSED, the
 * FrError that the hook throws, ERR_FR_TIMEOUT after `forMs`, or ERR_FR_INTERNAL (its cause is for
 * the log of the node, not for the sender). Rejects with ERR_FR_CLOSED once `signal` is aborted.
 */
export async function askHook(
  hook: AcceptHook,
  offer: NodeOffer,
  forMs: number,
  signal: AbortSignal,
): Promise<void> {
  const answer = await answerOf(hook, offer, forMs, signal).catch((error: unknown) => {
    if (error instanceof FrError && isFrErrorCode(error.code)) throw error
    throw brokenHook(error)
  })
  if (answer === false) throw new FrError('ERR_FR_REFUSED')
  if (answer !== true)
    throw brokenHook(new TypeError(`accept must return true or false, not ${typeof answer}`))
}

function answerOf(
  hook: AcceptHook,
  offer: NodeOffer,
  forMs: number,
  signal: AbortSignal,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      patience.end()
      signal.removeEventListener('abort', close)
    }
    const fail = (error: unknown): void => {
      settle()
      reject(error)
    }
    const close = (): void => fail(new FrError('ERR_FR_CLOSED', 'the transfer is over'))
    const patience = new Patience(forMs, () => {
      const text = `the accept hook of the node did not answer within ${forMs} ms`
      fail(new FrError('ERR_FR_TIMEOUT', text))
    })
    signal.addEventListener('abort', close)
    if (signal.aborted) return close()
    // Async, so that what the hook throws at once is a rejection like any other.
    const asked = (async () => hook(offer))()
    asked.then((answer) => {
      settle()
      resolve(answer)
    }, fail)
  })
}

function brokenHook(cause: unknown): FrError {
  return new FrError('ERR_FR_INTERNAL', 'the accept hook of the node failed', { cause })
}
