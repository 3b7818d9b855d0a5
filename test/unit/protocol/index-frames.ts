/** What a node says of an offer until it accepts it, and the index that it is told. */

import { limits, MIB } from '../../../src/base/limits.js'
import type { RangePair } from '../../../src/base/ranges.js'
import { entriesOf } from '../../../src/sim/content.js'
import fc from '../../support/property.js'

const sized = (bytes: number) => ({ minLength: bytes, maxLength: bytes })

const piece = fc.record({
  offset: fc.integer({ min: 0, max: 2 ** 40 }),
  length: fc.integer({ min: 1, max: MIB }),
})

const indexed = piece.chain(({ offset, length }) => {
  const entryBytes = 8 * Math.ceil(length / limits.indexPageBytes)
  const pages = fc.uint8Array(sized(entryBytes))
  return fc.oneof(
    pages.map((entries) => ({ kind: 'pages' as const, offset, length, entries })),
    fc.constant({
      ...{ kind: 'chunks' as const, offset, length },
      entries: entriesOf({ kind: 'chunks', offset, length }),
    }),
  )
})

export const arrivalBodies = (ranges: fc.Arbitrary<RangePair[]>) => ({
  claimed: fc.constant({}),
  compares: fc.constant({}),
  accept: fc.record({ have: ranges }),
  index: fc.record({ kind: fc.constantFrom('pages' as const, 'chunks' as const), ranges }),
  indexed,
  fills: fc.record({ ranges }),
  whole: fc.constant({}),
})
