/**
 * Which nodes could not be reached by which others: one sentence for a push instead of a line for
 * every pair.
 *
 * The idea: nodes dial each other by the addresses that the origin dials, and behind address
 * translation, forwarded ports or container networks those lead nowhere from a node. Then
 * everything comes from the origin, which is correct and slow, and somebody should be told.
 */
import type { FrErrorCode } from '../../base/errors.js'
import type { Peer } from './peer.js'

/** What a node reports of a mate that it could not open a connection to. */
export const unopened: ReadonlySet<FrErrorCode> = new Set([
  'ERR_FR_UNREACHABLE',
  'ERR_FR_TIMEOUT',
  'ERR_FR_OPEN',
  'ERR_FR_AUTH',
  'ERR_FR_GATEWAY',
  'ERR_FR_BRIDGE',
])
const advice =
  'say where they can be dialled with fr node --advertise or advertise= in a nodes file'
/** Names in a sentence. */
const namesMax = 3

export class Reach {
  /** By node, who could not dial it. */
  readonly #unreached = new Map<Peer, Set<Peer>>()

  /** By node, those who live and have nothing more from it. */
  readonly #cutOff = new Map<Peer, Set<Peer>>()

  /** Those whom the feeds of this node no longer reach. */
  cutOff(from: Peer): Iterable<Peer> {
    return this.#cutOff.get(from) ?? []
  }

  lost(from: Peer, to: Peer, code: FrErrorCode): void {
    this.#cutOff.set(from, (this.#cutOff.get(from) ?? new Set()).add(to))
    if (!unopened.has(code)) return
    const callers = this.#unreached.get(to) ?? new Set()
    this.#unreached.set(to, callers.add(from))
  }

  /** What goes from one to the other is tried again; in `summary` it counts as it was. */
  retried(from: Peer, to: Peer): void {
    this.#cutOff.get(from)?.delete(to)
  }

  /** Null: every node that took part could be reached by those that dialled it. */
  summary(group: readonly Peer[]): string | null {
    const pairs = group.flatMap((to) =>
      [...(this.#unreached.get(to) ?? [])].map((from) => [from, to]),
    )
    const [first] = pairs
    if (first === undefined) return null
    const count = group.length
    const deaf = group.filter((to) => this.#unreached.get(to)?.size === count - 1)
    let text: string
    if (deaf.length === count)
      text = `no two of the ${count} nodes reach each other: everything came from the origin`
    else if (deaf.length > 0)
      text = `${deaf.length} of ${count} nodes cannot be reached by the others (${names(deaf)})`
    else {
      const pair = first.map((peer) => peer.link.address).join(' to ')
      const all = count * (count - 1)
      text = `${pairs.length} of ${all} connections between nodes could not be made (${pair})`
    }
    return `${text}; ${advice}`
  }
}

function names(peers: readonly Peer[]): string {
  const some = peers.slice(0, namesMax).map((peer) => peer.link.address)
  return [...some, ...(peers.length > namesMax ? ['...'] : [])].join(', ')
}
