/**
 * One project per test room. Each file runs in a process of its own (the addon owns threads), but
 * for those of `unit`, which load no addon: starting a process costs more than what they do in it.
 * Two files run at a time, of `e2e`, which waits a lot, three, in `net` and `load`, which measure,
 * one. Nothing is retried: a test that fails sometimes is a failing test.
 *
 * Sources that these tests import are what `build:ts` made of them, but for those of `unit`: each file
 * loads most of them anew, and to compile and load them through vitest takes three times as long.
 *
 * scripts/sanitize.mjs sets FR_SLOW, by which instrumented code may take longer, and FR_PLANTED;
 * FR_WORKERS, the most files at a time, is for a run beside others.
 */
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const slow = Number(process.env.FR_SLOW ?? 1)
const most = Number(process.env.FR_WORKERS ?? 16)

const dist = join(import.meta.dirname, 'dist')
const fromDist = { alias: [{ find: /^(?:\.\.\/)+src\//, replacement: `${dist}/` }] }

interface Room {
  /** For one test. */
  readonly seconds: number
  readonly isCompiled?: boolean
  readonly isolate?: boolean
  readonly maxWorkers?: number
  /** Rooms of an order run together, after those of lower ones. */
  readonly order?: number
}

function project(name: string, room: Room) {
  const { seconds, isCompiled = true, isolate = true, maxWorkers = 2, order = 0 } = room
  return {
    extends: true as const,
    ...(isCompiled && { resolve: fromDist }),
    test: {
      name,
      server: { deps: { external: [/\/dist\//] } },
      isolate,
      maxWorkers: Math.min(maxWorkers, most),
      sequence: { groupOrder: order },
      include: [`test/${name}/**/*.test.ts`],
      setupFiles: process.env.FR_PLANTED === undefined ? [] : ['test/support/leaks.ts'],
      testTimeout: seconds * slow * 1000,
      hookTimeout: seconds * slow * 1000,
    },
  }
}

export default defineConfig({
  test: {
    pool: 'forks',
    // Where the key of the clients and what they have sent is kept: not in the home of whoever runs
    // the tests.
    env: {
      XDG_CONFIG_HOME: join(import.meta.dirname, 'node_modules/.test-config'),
      XDG_CACHE_HOME: join(import.meta.dirname, 'node_modules/.test-cache'),
    },
    retry: 0,
    teardownTimeout: 10_000,
    coverage: { provider: 'v8', include: ['src/**'] },
    projects: [
      project('unit', { isCompiled: false, seconds: 90, isolate: false }),
      project('sim', { seconds: 240 }),
      project('engine', { seconds: 180 }),
      project('e2e', { seconds: 300, maxWorkers: 3, order: 1 }),
      project('net', { seconds: 300, maxWorkers: 1, order: 2 }),
      project('fuzz', { isCompiled: false, seconds: 600 }),
      project('load', { seconds: 900, maxWorkers: 1, order: 3 }),
    ],
  },
})
