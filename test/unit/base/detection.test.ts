/** When silence counts: what a caller may say of it, and what follows for the rest. */
import { expect, it } from 'vitest'
import { detectionFault, detectionOf } from '../../../src/base/detection.js'

it.each([
  [{}, 15_000, 1_000, 2_000],
  [{}, 1_000, 400, 800],
  [{ suspectMs: 5_000 }, 15_000, 5_000, 10_000],
  [{ suspectMs: 5_000 }, 8_000, 5_000, 6_400],
  [{ failMs: 1_000 }, 15_000, 500, 1_000],
  [{ failMs: 9_000 }, 15_000, 1_000, 9_000],
  [{ suspectMs: 300, failMs: 9_000 }, 15_000, 300, 9_000],
])(
  '%o of a silence of %i ms: suspected after %i ms, failed after %i',
  (given, silenceMs, ...is) => {
    const detection = detectionOf(given, silenceMs)
    expect([detection.suspectMs, detection.failMs]).toEqual(is)
    expect(detectionFault(detection, silenceMs)).toBeNull()
  },
)

it.each([
  [{ suspectMs: 2_000, failMs: 2_000 }, 15_000, /suspected before it has failed/],
  [{ suspectMs: 1_000, failMs: 15_000 }, 15_000, /failed before its silence ends/],
])('%o does not go with %i ms', (detection, silenceMs, why) => {
  expect(detectionFault(detection, silenceMs)).toMatch(why)
})
