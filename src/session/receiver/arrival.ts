/**
 * Where the bytes of a reception land, and what of them the node has already: what an earlier
 * transfer left of the content, or nothing, in a new partial. What is found is never more than a
 * claim: blocks count when the author's digest says so.
 */
import type { Found } from '../../control/receiver/events.js'
import type { Unfinished, WantedContent } from '../../store/leftovers.js'
import type { Partial } from '../../store/partial.js'
import type { NodeHost } from './node-host.js'

export interface ArrivalSpec {
  readonly wanted: WantedContent
  /** It has holes, by the word of the origin. */
  readonly isSparse: boolean
  /** Rejects with ERR_FR_NO_SPACE when there is no room for what is not there. */
  readonly requireSpace: (presentBytes: number) => Promise<void>
}

export interface Arrival extends Found {
  /** Which content the journal of the partial is of; none: there is no journal. */
  readonly journal: 'none' | 'ours' | 'another'
}

/** Opens the partial. */
export async function arrive(
  host: NodeHost,
  partial: Partial,
  { wanted, isSparse, requireSpace }: ArrivalSpec,
): Promise<Arrival> {
  const unfinished = await host.store.leftovers.find(wanted)
  // What another content left would show through the holes of this one.
  if (unfinished !== undefined && (unfinished.isOfContent || !isSparse)) {
    await partial.resume(unfinished.id, wanted.size)
    await requireSpace(unfinished.bytes)
    return foundIn(unfinished)
  }
  await requireSpace(0)
  await partial.create(wanted.size)
  return { journal: 'none' }
}

function foundIn({ isOfContent, held, unread }: Unfinished): Arrival {
  if (isOfContent) return { held, unread, journal: 'ours' }
  // Whether the disk has lost some only reading them tells: those are left out.
  return { candidates: held, journal: 'another' }
}
