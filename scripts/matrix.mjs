/**
 * Runs the test suite under every supported Node with the one addon built before. The binaries come
 * from the `node` package of the npm registry.
 *
 *   npm run matrix                   20, 22, 24 and 26
 *   npm run matrix -- 22 24          only these
 *   npm run matrix -- --short 26     the engine tests alone
 */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { conclude, report, run, tail } from './steps.mjs'

const { values, positionals } = parseArgs({
  options: { short: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const versions = positionals.length > 0 ? positionals : ['20', '22', '24', '26']
const rooms = values.short ? ['engine'] : ['unit', 'sim', 'engine', 'e2e']
const projects = rooms.flatMap((name) => ['--project', name])
const vitest = `node node_modules/vitest/vitest.mjs run ${projects.join(' ')}`
const suite = `node -p process.version && ${vitest}`

if (!existsSync('dist/api/index.js')) {
  report('matrix', 'not built: npm run build')
} else {
  for (const version of versions) {
    const startedMs = performance.now()
    const { isOk, output, how } = run('npx', ['-y', '-p', `node@${version}`, '-c', suite])
    const ran = output.match(/^v\d+\.\d+\.\d+$/m)?.[0] ?? ''
    console.log(tail(output, isOk ? 6 : 80))
    // A Node that could not be fetched must not pass as the installed one.
    const isRight = ran.startsWith(`v${version.split('.')[0]}.`)
    const problem = isRight ? (isOk ? null : how) : `ran ${ran || 'nothing'} instead`
    report(`${rooms.join(', ')} tests on Node ${version} (${ran})`, problem, startedMs)
  }
}
conclude()
