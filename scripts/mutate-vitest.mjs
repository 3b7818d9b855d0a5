/** The tests that look for mutants (scripts/mutate.mjs): those of the machines. */
import { defineConfig } from 'vitest/config'

const simulated = ['coordinator', 'detection', 'takeover', 'transcripts', 'wrong']
const sims = simulated.map((name) => `test/sim/${name}.test.ts`)

const { FR_MUTATE_ROOMS: rooms = '', FR_MUTATE_SIM: isSimulated } = process.env
const units = rooms === '' ? ['**'] : rooms.split(',')
const tests = units.map((room) => `test/unit/control/${room}/**/*.test.ts`)

export default defineConfig({
  test: {
    include: isSimulated ? [...tests, ...sims] : tests,
    testTimeout: 60_000,
    // Without isolation StrykerJS sees only what the first file of tests covers.
    isolate: true,
  },
})
