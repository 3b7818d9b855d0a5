/** Bodies of the frames between nodes and their master. */

import { limits } from '../../../src/base/limits.js'
import type { RangePair } from '../../../src/base/ranges.js'
import fc from '../../support/property.js'
import { fileDigest, hex } from './parts.js'
import { bytes } from './support.js'

const rate = fc.option(fc.integer({ min: limits.rateMin, max: limits.rateMax }))
const address = fc.constantFrom('10.0.0.2:7400', '[::]:7400', 'node-a.lan:7400')
const name = fc.constantFrom('a', 'models/ä b', 'x/y/z')
const size = fc.integer({ min: 8, max: limits.growingSpanBytes })
const number = fc.nat({ max: 2 ** 53 - 1 })
const growing = fc.record({ digest: fc.constant(null), isGrowing: fc.constant(true) })
const whole = fc.record({ digest: fc.option(fileDigest), isGrowing: fc.constant(false) })
const said = fc
  .tuple(fc.record({ name, contentId: hex(32), size }), fc.oneof(growing, whole))
  .map(([of, is]) => ({ ...of, ...is }))
const parts = fc.constantFrom<RangePair[] | null>(
  null,
  [],
  [
    [0, 3],
    [5, 3],
  ],
)
const held = fc.tuple(said, parts).map(([of, ranges]) => ({ ...of, ranges }))
const order = fc
  .record({
    ...{ said, copy: number, bytesPerSecond: rate.map((one) => one ?? Infinity) },
    range: fc.constantFrom<RangePair>([0, 8], [7, 1]),
    source: fc.record({ name: fc.string({ maxLength: 40 }), nodeId: hex(32), address }),
  })
  .map(({ said: of, ...rest }) => ({ ...of, ...rest }))

export const masterBodies = {
  enlist: fc.record({ address, up: rate, down: rate }),
  holdings: fc.record({
    held: fc.array(held, { maxLength: 3 }),
    gone: fc.array(fc.record({ name, contentId: hex(32) }), { maxLength: 3 }),
    carried: fc.array(fc.record({ copy: number, bytes }), { maxLength: 3 }),
    freeBytes: bytes,
  }),
  underway: fc.record({ copies: fc.array(order, { maxLength: 3 }) }),
  copied: fc.record({
    ...{ copy: number, bytes: size, cause: fc.constantFrom(null, 'absent', 'ERR_FR_DIGEST') },
    blames: fc.subarray(['source', 'disk', 'links'] as const),
  }),
  order,
  orderRate: fc.record({ copy: number, bytesPerSecond: rate.map((one) => one ?? Infinity) }),
  orderStop: fc.record({ copy: number }),
  leads: fc.record({ state: hex(32), term: fc.integer({ min: 1, max: 2 ** 53 - 1 }) }),
  elsewhere: fc.record({ address: fc.option(address) }),
  required: fc.record({
    files: fc.array(
      fc.record({ name, digest: fc.option(fileDigest), priority: fc.nat({ max: 10 }) }),
      { maxLength: 3 },
    ),
    ...{ isFirst: fc.boolean(), isLast: fc.boolean() },
  }),
}
