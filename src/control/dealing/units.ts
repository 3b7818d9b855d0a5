/** How bytes are cut into units of the deal. */
import { KIB } from '../../base/limits.js'

const pageBytes = 4 * KIB

/** One page at least. */
export function wholePages(bytes: number): number {
  return Math.max(1, Math.floor(bytes / pageBytes)) * pageBytes
}
