/** Offsets in the address space of a transfer, and in its contents. */

import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { Space, type Span, spanBytes } from '../../../../src/control/space/space.js'
import fc from '../../../support/property.js'

// Block 100: 250 bytes, then none, then 100, then 30.
const spans: Span[] = [
  { stream: 4, base: 0, size: 250 },
  { stream: 7, base: 300, size: 0 },
  { stream: 5, base: 300, size: 100 },
  { stream: 6, base: 500, size: 30 },
]
const space = new Space(spans)

describe('a space', () => {
  it.each<[string, [number, number], (readonly [number, number, number])[]]>([
    ['within one content', [10, 20], [[4, 10, 20]]],
    [
      'over padding into the next',
      [240, 70],
      [
        [4, 240, 10],
        [5, 0, 10],
      ],
    ],
    ['in padding alone', [250, 50], []],
    [
      'over several contents',
      [0, 1000],
      [
        [4, 0, 250],
        [5, 0, 100],
        [6, 0, 30],
      ],
    ],
    ['beyond the last', [530, 10], []],
    ['that is empty', [10, 0], []],
  ])('has the runs of a range %s', (_, range, runs) => {
    expect(space.runs(range).map(({ stream, offset, length }) => [stream, offset, length])).toEqual(
      runs,
    )
  })

  it('knows where a run of a content lies, and refuses what no content has', () => {
    expect(space.offsetOf({ stream: 5, offset: 40, length: 60 })).toBe(340)
    expect(space.offsetOf({ stream: 5, offset: 40, length: 61 })).toBeNull()
    expect(space.offsetOf({ stream: 1, offset: 0, length: 1 })).toBeNull()
  })

  it('gives each content whole blocks, and none more than there is', () => {
    expect([0, 1, 100, 101].map((size) => spanBytes(size, 100))).toEqual([0, 100, 100, 200])
    expect(spanBytes(limits.spaceBytes, 3)).toBe(limits.spaceBytes)
  })

  it('finds every byte of a content where it says it is', () => {
    const contents = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(contents, fc.nat(), fc.nat(), (sizes, at, bytes) => {
        let base = 0
        const made = sizes.map((size, stream): Span => {
          const span = { stream, base, size }
          base += spanBytes(size, 100)
          return span
        })
        const over = new Space(made)
        const range = [at % (base + 50), bytes % 700] as const
        const runs = over.runs(range)
        const within = made.reduce((sum, { base: from, size }) => {
          const [start, end] = [
            Math.max(from, range[0]),
            Math.min(from + size, range[0] + range[1]),
          ]
          return sum + Math.max(0, end - start)
        }, 0)
        expect(runs.reduce((sum, { length }) => sum + length, 0)).toBe(within)
        for (const run of runs) {
          const offset = over.offsetOf(run) as number
          expect(over.runs([offset, run.length])).toEqual([run])
        }
      }),
    )
  })
})
