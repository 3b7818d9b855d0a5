/**
 * Control links at a node that outlive their connections: who dialled one may come again and name
 * it, and it goes on where it was.
 *
 * Never: a link that goes on for another node than the one that dialled it.
 */
import { FrError } from '../base/errors.js'
import { goOnOver } from '../net/dial.js'
import type { Admitted, Established } from '../net/handshake.js'
import type { ControlLink } from '../net/link.js'
import type { DataEngine } from '../ports.js'

interface Open {
  readonly link: ControlLink
  /** Of the dialler. */
  readonly nodeId: string
  /** Why its connection is gone; undefined: it has another one. */
  readonly told: (broken: string | undefined) => void
  readonly engine: DataEngine
  /** How often it was named. */
  turn: number
}

export class LastingLinks {
  readonly #open = new Map<string, Open>()

  /** A link without an id, or with that of another, ends with its connection. */
  add(link: ControlLink, { peer }: Established, engine: DataEngine, told: Open['told']): void {
    const { id } = link
    if (id === undefined || this.#open.has(id)) return
    this.#open.set(id, { link, nodeId: peer?.nodeId ?? '', engine, told, turn: 0 })
    void link.ended.then(() => this.#open.delete(id))
  }

  /**
   * The link that this connection names goes on over it, from the last on. Rejects with FrError,
   * after telling the dialler, where there is no such link or it lacks what would have to be said.
   */
  async resume(admitted: Admitted): Promise<void> {
    const { link: part, peer } = admitted
    const open = this.#open.get(part?.id ?? '')
    const isKnown = open !== undefined && open.nodeId === peer?.nodeId
    if (!isKnown || !open.link.canGoOn(part?.heard ?? -1)) {
      const text = 'the link is not known here: the node was started again, or its part is over'
      admitted.refuse('ERR_FR_NO_TRANSFER', text)
      throw new FrError('ERR_FR_NO_TRANSFER', text)
    }
    const turn = ++open.turn
    // The dialler has noticed a break that this side has not.
    if (!open.link.isBroken) open.told('another connection takes its place')
    const established = await admitted.go(open.link.pause())
    // What `go` has said of a later one holds.
    if (turn !== open.turn) return established.close()
    goOnOver(open.link, established, open.engine)
    open.told(undefined)
  }
}
