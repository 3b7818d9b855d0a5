/**
 * Runs the load tests (test/load), which take too long for `npm test`:
 *
 *   npm run flood [-- --short]
 *   npm run kills
 *   npm run fleet
 *   npm run edge [-- nodes|sites]
 *   npm run masters [-- several|alone]
 *   npm run breadth [-- nodes|sparse|large ...]     all, or only these
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  options: { short: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const [file, ...parts] = positionals
const only = parts.length === 0 ? [] : ['--testNamePattern', `^(${parts.join('|')}):`]
const args = ['run', '--project', 'load', '--reporter', 'verbose', `test/load/${file}`, ...only]
const env = { ...process.env, ...(values.short ? { FR_SHORT: '1' } : {}) }
const vitest = ['node_modules/vitest/vitest.mjs', ...args]
process.exitCode = spawnSync(process.execPath, vitest, { stdio: 'inherit', env }).status ?? 1
