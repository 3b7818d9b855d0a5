/** The dealers of a group by their strategy, for tests that hold one in their hands. */
import type { RangePair } from '../../../../src/base/ranges.js'
import { GroupDealer } from '../../../../src/control/dealing/group.js'
import { Pool } from '../../../../src/control/dealing/pool.js'
import { Quotas } from '../../../../src/control/dealing/quotas.js'

export const adaptiveDealer = (
  bytes: number,
  rates?: ReadonlyMap<number, number>,
  holes?: readonly RangePair[],
): GroupDealer => new GroupDealer(new Pool(bytes), () => rates ?? new Map(), holes)

export const classicDealer = (
  bytes: number,
  blockBytes: number,
  holes?: readonly RangePair[],
  rates?: ReadonlyMap<number, number>,
): GroupDealer => new GroupDealer(new Quotas(bytes, blockBytes), () => rates ?? new Map(), holes)

/** All of it goes to this node, which passes it on. */
export const wholeDealer = (bytes: number, first: number): GroupDealer =>
  new GroupDealer(new Pool(bytes, first))

/** Of nodes that are known to be so fast that a small file is dealt at once. */
export const fastRates: ReadonlyMap<number, number> = new Map(
  Array.from({ length: 10 }, (_, node) => [node, 1e9]),
)
