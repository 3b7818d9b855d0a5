/**
 * Data connections that came before this node was ready for them: a mate may have the plan, or the
 * origin may dial, before this node knows the transfer. They have proved the key and wait for `go`,
 * for a bounded time and at most earlyDataConnections of them.
 */
import { limits } from '../base/limits.js'
import { Waiting } from '../base/time/patience.js'
import { originNumber } from '../control/messages/types.js'
import type { Admitted, Ticketed } from './established.js'

type Early = Admitted | Ticketed

export class ParkedConnections {
  readonly #parked = new Waiting<Early>()

  /** Refuses the connection at once when too many of its kind wait: of mates, or of origins. */
  park(admitted: Early, forMs: number): void {
    const isOrigin = (one: Early): boolean => one.from === originNumber
    const alike = [...this.#parked].filter((other) => isOrigin(other) === isOrigin(admitted))
    const most = isOrigin(admitted) ? limits.transfersPerNode : limits.earlyDataConnections
    if (alike.length >= most) {
      return admitted.refuse('ERR_FR_LIMIT', 'too many early data connections')
    }
    this.#parked.add(admitted, forMs, () =>
      admitted.refuse('ERR_FR_TIMEOUT', 'the transfer of this data connection did not come'),
    )
  }

  /** Removes and returns the connections of this transfer. */
  take(transfer: string): Early[] {
    const taken = [...this.#parked].filter((admitted) => admitted.transfer === transfer)
    for (const admitted of taken) this.#parked.delete(admitted)
    return taken
  }

  refuseAll(): void {
    for (const admitted of this.#parked.takeAll())
      admitted.refuse('ERR_FR_NODE_CLOSED', 'the node is closing')
  }
}
