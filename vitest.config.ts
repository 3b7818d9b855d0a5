/**
 * One project per test room. Each file runs in a process of its own (the addon owns threads);
 * nothing is retried: a test that fails sometimes is a failing test.
 */
import { defineConfig } from 'vitest/config'

function project(name: string, seconds: number) {
  return {
    extends: true as const,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: seconds * 1000,
      hookTimeout: seconds * 1000,
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
