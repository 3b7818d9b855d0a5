/** What nodes lack of a listing, and how it is cut into bundles. */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Applied } from '../../control/messages/types.js'
import type { Listed } from './listed.js'
import type { TreeNode } from './tree-node.js'

/** Of the entries that nodes lack: large files and who lacks each, and by node the others. */
export function lacking(
  answers: Map<TreeNode, Applied>,
  isAlone: (index: number) => boolean,
): [Map<number, TreeNode[]>, Map<TreeNode, RangeSet>] {
  const alone = new Map<number, TreeNode[]>()
  const packed = new Map<TreeNode, RangeSet>()
  for (const [node, { lacks }] of answers) {
    const others = RangeSet.of(lacks)
    for (const [from, length] of lacks)
      for (let index = from; index < from + length; index++) {
        if (!isAlone(index)) continue
        others.remove(index, 1)
        alone.set(index, [...(alone.get(index) ?? []), node])
      }
    if (!others.isEmpty) packed.set(node, others)
  }
  return [alone, packed]
}

/**
 * Entries in pieces, each with files of at most so many bytes, if it has several. What is no file
 * is in the last.
 */
export function piecesOf(
  ranges: readonly RangePair[],
  { bytes, isFile }: Listed,
  mostBytes: number,
): readonly RangeSet[] {
  let piece = new RangeSet()
  const pieces = [piece]
  const others: number[] = []
  let sum = 0
  for (const [from, length] of ranges)
    for (let index = from; index < from + length; index++) {
      if (!isFile(index)) {
        others.push(index)
        continue
      }
      const own = bytes(index, 1)
      if (sum + own > mostBytes && !piece.isEmpty) {
        piece = new RangeSet()
        pieces.push(piece)
        sum = 0
      }
      piece.add(index, 1)
      sum += own
    }
  for (const index of others) piece.add(index, 1)
  return pieces
}
