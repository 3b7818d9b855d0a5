/** The network port of a simulated session. */
import { FrError } from '../base/errors.js'
import type { Frame } from '../control/messages/types.js'
import type { FeedHandle } from '../ports.js'
import type {
  Connection,
  DialEvents,
  Link,
  LinkEvents,
  Net,
  Target,
} from '../session/driver/ports.js'
import type { Connections, SimConnection } from './connections.js'
import type { SimEngine } from './engine.js'
import type { LinkEnd } from './sim-link.js'

export class SimNet implements Net {
  readonly #connections: Connections
  readonly #end: LinkEnd
  readonly #number: () => number
  readonly #engine: SimEngine
  readonly #saying: (frame: Frame) => void
  #isEnded = false

  /** `number`: of this member. `saying`: shown what is about to be said on a link. */
  constructor(
    connections: Connections,
    end: LinkEnd,
    number: () => number,
    engine: SimEngine,
    saying: (frame: Frame) => void = () => {},
  ) {
    this.#connections = connections
    this.#end = end
    this.#number = number
    this.#engine = engine
    this.#saying = saying
  }

  dial(target: Target, events: DialEvents): void {
    if (this.#isEnded) return
    this.#connections.dial(this.#end, this.#number(), target, {
      opened: (connection, ...about) => {
        if (this.#isEnded) connection.close()
        else events.opened(connection, ...about)
      },
      failed: (failure) => {
        if (!this.#isEnded) events.failed(failure)
      },
    })
  }

  /** Everybody reaches everybody here. */
  reach(): void {}

  link(connection: Connection, events: LinkEvents): Link {
    const { link } = connection as SimConnection
    if (link === undefined) throw new TypeError('a data connection is no link')
    link.hear(events, this.#saying)
    return link
  }

  /** Nothing here is held back on its way, so nobody wants more flows. */
  adopt(connection: Connection, direction: 'in' | 'out'): FeedHandle {
    const { feed } = connection as SimConnection
    if (feed === undefined) throw new TypeError('a link is no data connection')
    if (!feed.isOpen) throw new FrError('ERR_FR_NODE_LOST', 'the connection broke')
    return this.#engine.adopt(feed, direction)
  }

  end(): void {
    this.#isEnded = true
  }
}
