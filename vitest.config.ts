/**
 * One project per test room. Each file runs in a process of its own (the addon owns threads);
 * nothing is retried: a test that fails sometimes is a failing test.
 *
 * scripts/sanitize.mjs sets FR_SLOW, by which instrumented code may take longer, and FR_PLANTED.
 */
import { defineConfig } from 'vitest/config'

const slow = Number(process.env.FR_SLOW ?? 1)

function project(name: string, seconds: number) {
  return {
    extends: true as const,
    test: {
      name,
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
    retry: 0,
    teardownTimeout: 10_000,
    coverage: { provider: 'v8', include: ['src/**'] },
    projects: [
      project('unit', 30),
      project('sim', 120),
      project('engine', 60),
      project('e2e', 120),
      project('net', 300),
    ],
  },
})
