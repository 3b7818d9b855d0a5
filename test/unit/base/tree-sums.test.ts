/** SHA-256 that come with a tree, as text. */
import { expect, it } from 'vitest'
import { doorLimits } from '../../../src/base/door-limits.js'
import { limits } from '../../../src/base/limits.js'
import { sumsIn, sumsText } from '../../../src/base/tree-sums.js'

const hex = (n: number): string => n.toString(16).padStart(64, '0')

it('are read as they were written, in one order', () => {
  const sums = new Map([
    [`blake3:${hex(2)}`, hex(9)],
    [`xxh64-blocks/65536:${hex(3).slice(48)}`, hex(1)],
  ])
  const text = sumsText(sums)
  expect(text).toBe(sumsText(new Map([...sums].reverse())))
  expect(sumsIn(text)).toEqual(sums)
})

it('are no more than there may be, and nothing else', () => {
  const lines = ['', 'x', `${hex(1)} blake3:${hex(1)}`, `${hex(1)}  md5:${hex(1)}`, `${hex(1)}  `]
  expect(sumsIn(lines.join('\n')).size).toBe(0)
  const many = new Map<string, string>()
  for (let n = 0; n <= limits.treeSums; n++) many.set(`sha256-blocks/67108864:${hex(n)}`, hex(n))
  const text = sumsText(many)
  expect(sumsIn(text).size).toBe(limits.treeSums)
  expect(text.length).toBeLessThan(doorLimits.sumsBytes)
})
