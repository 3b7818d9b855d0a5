/**
 * Contents that are still written by the word of nodes, and of which nothing comes any more.
 *
 * The idea: only its author can say where a content ends. One that is quiet may only have nothing
 * to write, so nothing is done about it; people are told: they know whether the author comes back.
 */
import { limits } from '../../base/limits.js'
import type { Master } from './master.js'
import type { Version } from './versions.js'

/**
 * Milliseconds since something of it came; null: it has ended, or goes on. Where no node here has
 * it any more nobody writes it: for a moment, until those are back that have.
 */
export function unendedMs(
  { id, isGrowing, grewMs }: Version,
  { scheduler }: Pick<Master, 'scheduler'>,
  nowMs: number,
): number | null {
  if (!isGrowing) return null
  const quietMs = Math.max(0, nowMs - grewMs)
  const isHere = (scheduler.files.get(id)?.holders.count ?? 0) > 0
  return quietMs < (isHere ? limits.growingQuietMs : limits.masterListensMs) ? null : quietMs
}
