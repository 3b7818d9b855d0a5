/** The dealers of a group by their strategy, for tests that hold one in their hands. */
import type { RangePair } from '../../../../src/base/ranges.js'
import { GroupDealer } from '../../../../src/control/dealing/group.js'
import { Pool } from '../../../../src/control/dealing/pool.js'
import { Quotas } from '../../../../src/control/dealing/quotas.js'

export const adaptiveDealer = (
  bytes: number,
  rates?: ReadonlyMap<number, number>,
  holes?: readonly RangePair[],
): GroupDealer => new GroupDealer(new Pool(bytes), rates, holes)

export const classicDealer = (
  bytes: number,
  blockBytes: number,
  holes?: readonly RangePair[],
): GroupDealer => new GroupDealer(new Quotas(bytes, blockBytes), undefined, holes)
