import { expect, it } from 'vitest'
import { concat, u32, utf8 } from '../../src/base/bytes.js'
import { limits } from '../../src/base/limits.js'
import { changed } from './mutations.js'

it('repetitions of repetitions stay a few frames long', () => {
  const json = utf8(JSON.stringify(['x'.repeat(400)]))
  const message = concat(u32(1 + json.length), Uint8Array.of(1), json)
  // Repeats what there is, as often as can be, three times.
  const repeats = (below: number): number => (below === 4 ? 1 : below - 1)
  const { length } = changed(message, 'json', repeats)
  expect(length).toBeGreaterThan(limits.frameBytes / 4)
  expect(length).toBeLessThan(4 * limits.frameBytes)
})
