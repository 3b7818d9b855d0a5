/**
 * Runs the tests that need network namespaces of their own (test/net). They need root and `ip`;
 * without either they fail with a message, instead of passing silently.
 */
import { spawnSync } from 'node:child_process'

function fail(text) {
  console.error(`test:net: ${text}`)
  console.log('0 passed, 1 failed')
  process.exit(1)
}

if (process.getuid?.() !== 0)
  fail('needs root (it makes network namespaces): sudo npm run test:net')
const probe = `fr-probe-${process.pid}`
const made = spawnSync('ip', ['netns', 'add', probe], { encoding: 'utf8' })
if (made.error !== undefined) fail('needs the `ip` tool (Debian: apt-get install iproute2)')
if (made.status !== 0) fail(`this machine makes no network namespaces: ${made.stderr.trim()}`)
spawnSync('ip', ['netns', 'delete', probe])
if (spawnSync('ping', ['-V']).error !== undefined)
  fail('needs the `ping` tool (Debian: apt-get install iputils-ping)')

const vitest = [
  'node_modules/vitest/vitest.mjs',
  'run',
  '--project',
  'net',
  ...process.argv.slice(2),
]
process.exitCode = spawnSync(process.execPath, vitest, { stdio: 'inherit' }).status ?? 1
