/**
 * Links that this side dialled and whose connection broke: dialled again until the link goes on,
 * the other side will not have it, or it is closed here.
 *
 * A link that is down is silence: how long a silent member is waited for is the machine's to judge.
 * Where nobody listens any more, or whoever does knows nothing of the link, because it was started
 * again or its part is over, the link is given up at once.
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
  #isEnded = false
  /** Why the connection broke. */
  #cause: Failure = { code: 'ERR_FR_NODE_LOST', text: '' }

  /** `wentOn`: it has a connection again. */
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
    this.#again()
  }

  /** The link has ended. */
  end(): void {
    this.#isEnded = true
    this.#disarm?.()
  }

  #again(): void {
    const { clock } = this.#ports
    this.#reopening.broke(0, clock.awakeMs())
    this.#disarm?.()
    this.#disarm = clock.at(this.#reopening.dueMs, () => this.#dial())
  }

  #dial(): void {
    const link = this.#link as Link
    this.#ports.net.dial(
      { ...this.#target, isFedSoon: false, resumes: link },
      {
        opened: (connection) => {
          if (this.#isEnded) connection.close()
          else this.#goOn(link, connection)
        },
        failed: (failure) => this.#failed(link, failure),
      },
    )
  }

  #goOn(link: Link, connection: Connection): void {
    try {
      link.goOn(connection)
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      return this.#failed(link, { code: error.code, text: error.message })
    }
    this.#reopening.opened(0, this.#ports.clock.awakeMs())
    this.#wentOn()
  }

  #failed(link: Link, { text, isFinal = false }: DialFailure): void {
    if (this.#isEnded) return
    if (!isFinal) return this.#again()
    this.end()
    link.giveUp(this.#cause.code, `${this.#cause.text}; dialled again: ${text}`)
  }
}
