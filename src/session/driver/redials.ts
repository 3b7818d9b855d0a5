/**
 * Links that this side dialled and whose connection broke, or is silent: dialled again until the
 * link goes on, the other side will not have it, or it is closed here.
 *
 *     up -> broken         the connection is gone; what is said waits
 *     up -> doubted        it is silent: another one is tried beside it, and takes its place
 *     doubted -> up        it speaks again; what is tried meanwhile is not wanted any more
 *     doubted -> broken    it is gone by now, or done without, because there is another way
 *     broken -> up         the link goes on over another connection
 *     any -> ended         the link is closed, or given up
 *
 * A link that is down is silence: how long a silent member is waited for is the machine's to judge.
 * Where nobody listens any more, or whoever does knows nothing of the link, because it was started
 * again or its part is over, one that broke is given up at once.
 */
import { type Failure, FrError } from '../../base/errors.js'
import { Reopening } from '../../control/members/reopening.js'
import type { Clock, Connection, DialFailure, Link, Net, Target } from './ports.js'

interface Ports {
  readonly clock: Clock
  readonly net: Net
}

type Control = Target & { readonly channel: 'control' }

/** Of one link. */
export class Redials {
  readonly #ports: Ports
  readonly #target: Control
  readonly #wentOn: () => void
  readonly #reopening: Reopening
  #link: Link | undefined
  #disarm: (() => void) | undefined
  #state: 'up' | 'doubted' | 'broken' | 'ended' = 'up'
  #isDialling = false
  /** Why the connection broke. */
  #cause: Failure = { code: 'ERR_FR_NODE_LOST', text: '' }

  /** `wentOn`: it has another connection. */
  constructor(ports: Ports, target: Control, wentOn: () => void) {
    this.#ports = ports
    this.#target = target
    this.#wentOn = wentOn
    this.#reopening = new Reopening(target.to)
  }

  /** This is the link. */
  begin(link: Link): void {
    this.#link = link
  }

  /** Its connection broke. */
  broke(cause: Failure): void {
    this.#cause = cause
    this.#state = 'broken'
    this.#again()
  }

  /** Nothing comes on it. */
  doubt(): void {
    if (this.#state !== 'up') return
    this.#state = 'doubted'
    this.#again()
  }

  /** Something came. */
  heard(): void {
    if (this.#state !== 'doubted') return
    this.#state = 'up'
    this.#disarm?.()
  }

  /** The link has ended. */
  end(): void {
    this.#state = 'ended'
    this.#disarm?.()
  }

  /** As soon as it is time, if none is being dialled. */
  #again(): void {
    this.#disarm?.()
    if (this.#isDialling) return
    const { clock } = this.#ports
    this.#reopening.broke(0, clock.awakeMs())
    this.#disarm = clock.at(this.#reopening.dueMs, () => this.#dial())
  }

  #dial(): void {
    const link = this.#link as Link
    this.#isDialling = true
    this.#ports.net.dial(
      { ...this.#target, isFedSoon: false, resumes: link, takesOver: () => this.#takesOver() },
      {
        opened: (connection) => {
          this.#isDialling = false
          if (this.#state === 'ended') connection.close()
          else this.#goOn(link, connection)
        },
        failed: (failure) => {
          this.#isDialling = false
          this.#failed(link, failure)
        },
      },
    )
  }

  #takesOver(): boolean {
    if (this.#state === 'doubted') {
      this.#state = 'broken'
      this.#cause = { code: 'ERR_FR_NODE_LOST', text: 'it was silent' }
    }
    return this.#state === 'broken'
  }

  #goOn(link: Link, connection: Connection): void {
    try {
      link.goOn(connection)
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      return this.#failed(link, { code: error.code, text: error.message })
    }
    this.#state = 'up'
    this.#reopening.opened(0, this.#ports.clock.awakeMs())
    this.#wentOn()
  }

  #failed(link: Link, { code, text, isFinal = false }: DialFailure): void {
    if (this.#state === 'ended' || this.#state === 'up') return
    // One that is only silent may still be there: what its silence means others judge.
    if (this.#state === 'doubted' || !isFinal) return this.#again()
    this.end()
    // It is not as it was when the link began, and so why that broke.
    if (code === 'ERR_FR_AUTH') return link.giveUp(code, text)
    link.giveUp(this.#cause.code, `${this.#cause.text}; dialled again: ${text}`)
  }
}
