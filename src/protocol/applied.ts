/** What the offer of a part of a tree says of it, and what a node says of a bundle it applied. */
import { limits } from '../base/limits.js'
import type { RangePair } from '../base/ranges.js'
import type { Applied, DryApplied, EntryFailure, TreePart } from '../control/messages/applied.js'
import type { Fields } from './fields.js'
import { readCode } from './reasons.js'

export function readTreePart(fields: Fields): TreePart {
  return {
    id: fields.hex('id', 32),
    isBundle: fields.boolean('isBundle'),
    isAtomic: fields.boolean('isAtomic'),
  }
}

/** Counts are of one listing: all of them together are no more than its entries can be. */
export function readApplied(fields: Fields): Applied {
  const { treeBatchEntries: most, treeFailuresTold } = limits
  const lacks = readIndices(fields, 'lacks')
  const failedCount = fields.integer('failedCount', 0, most)
  const failed = fields.list('failed', treeFailuresTold, readEntryFailure)
  if (failed.length > failedCount) fields.refuse('failed', 'has more entries than failed')
  return {
    lacks,
    held: fields.integer('held', 0, most),
    done: fields.integer('done', 0, most),
    failed,
    failedCount,
    warnings: fields.texts('warnings', limits.warningsPerNode),
    ...(fields.has('dry') && { dry: readDry(fields.object('dry')) }),
  }
}

function readDry(fields: Fields): DryApplied {
  const removes = fields.texts('removes', limits.treeRemovalsTold)
  const removedCount = fields.integer('removedCount', 0, Number.MAX_SAFE_INTEGER)
  if (removes.length > removedCount) fields.refuse('removes', 'has more names than removedCount')
  return { sets: readIndices(fields, 'sets'), removes, removedCount }
}

/** Of entries of a listing. */
export function readIndices(fields: Fields, name: string): readonly RangePair[] {
  const { treeBatchEntries: most } = limits
  const ranges = fields.ranges(name, most / 2)
  const [start, length] = ranges.at(-1) ?? [0, 0]
  if (start + length > most) fields.refuse(name, `goes beyond entry ${most}`)
  return ranges
}

function readEntryFailure(fields: Fields): EntryFailure {
  return {
    index: fields.integer('index', 0, limits.treeBatchEntries - 1),
    code: readCode(fields),
    text: fields.text('text'),
  }
}
