/** Where parts of a file may be divided among copies. */
import { blockBytesFor, limits } from '../../base/limits.js'

/**
 * Bytes that parts of a file of this size are multiples of, but for the last one. Nodes copy whole
 * blocks, so a block that two copies share is copied by both.
 */
export function copyUnitOf(fileBytes: number): number {
  return Math.max(limits.copyUnitBytes, blockBytesFor(fileBytes))
}
