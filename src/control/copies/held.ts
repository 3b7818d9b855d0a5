/** What a node holds of a content, as its master counts it. */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { HeldThere } from '../messages/mastering.js'
import type { FileId } from './demand.js'
import type { Version } from './versions.js'

/** What a node says that it has of a content. */
export type SaidToHave = Pick<HeldThere, 'ranges' | 'size' | 'isGrowing'>

/**
 * What counts of what a node says; null: all of it, under its name. Who has every byte of a
 * content, and has not heard that this is all, lacks the last one: then it is told so by an order,
 * if its source does not tell it before.
 */
export function rangesOf(
  { ranges, size, isGrowing }: SaidToHave,
  version: Pick<Version, 'size' | 'isGrowing'>,
): readonly RangePair[] | null {
  // All of it, and no more comes.
  if (!isGrowing) return ranges
  const held = ranges ?? [[0, size]]
  if (version.isGrowing) return held
  return RangeSet.of(held).present(0, Math.max(0, version.size - 1))
}

/** It has every byte of what has ended, by its word, and has not heard of the end. */
export function lacksEnd(
  { ranges, size, isGrowing }: SaidToHave,
  version: Pick<Version, 'size' | 'isGrowing'>,
): boolean {
  if (!isGrowing || version.isGrowing) return false
  const held = RangeSet.of(ranges ?? [[0, size]])
  return version.size === 0 || held.contains(0, version.size)
}

interface Holding {
  readonly held: ReadonlyMap<FileId, readonly RangePair[] | null>
}

/** Who has said that it has any of a content that has ended, when it was still written. */
export function* behind<M extends Holding>(
  members: Iterable<M>,
  version: Pick<Version, 'id' | 'size' | 'isGrowing'>,
): IterableIterator<[M, SaidToHave]> {
  for (const member of members) {
    const ranges = member.held.get(version.id)
    if (ranges) yield [member, { ranges, size: version.size, isGrowing: true }]
  }
}

/** Null: all of it. */
export function bytesOf(held: readonly RangePair[] | null | undefined, size: number): number {
  if (held === null) return size
  return (held ?? []).reduce((sum, [, length]) => sum + length, 0)
}
