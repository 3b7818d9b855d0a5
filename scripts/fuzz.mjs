/**
 * Fuzzes every native parser (native/test/fuzz/NAME_fuzz.cc) with libFuzzer, ASan and UBSan, and
 * the TypeScript wire parsers (test/fuzz) with mutated messages and little memory.
 *
 *   npm run fuzz                     10 seconds each, two at a time; TypeScript parsers 3
 *   npm run fuzz -- --minutes 60     an hour each; TypeScript parsers a quarter
 *
 * The corpus in native/test/fuzz/corpus/NAME is read, never written: findings go to build-fuzz, and
 * those worth keeping are copied by hand.
 */
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { builds } from './checks.mjs'
import { conclude, report, runBeside, tail } from './steps.mjs'

const { values } = parseArgs({ options: { minutes: { type: 'string' } } })
const seconds = values.minutes === undefined ? 10 : Math.round(Number(values.minutes) * 60)
if (!(seconds > 0)) throw new TypeError('--minutes: a number above zero')

const dir = 'build-fuzz'
const sources = 'native/test/fuzz'
const names = existsSync(sources)
  ? readdirSync(sources)
      .filter((name) => name.endsWith('_fuzz.cc'))
      .map((name) => name.slice(0, -'.cc'.length))
  : []

const tasks = [fuzzReaders, ...(build() ? names.map((name) => () => fuzz(name)) : [])]
const inTurn = async () => {
  for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) await task()
}
await Promise.all([inTurn(), inTurn()])
conclude()

function build() {
  return names.length === 0 ? report('fuzzers', `none found in ${sources}`) : builds.fuzz()
}

async function fuzzReaders() {
  const startedMs = performance.now()
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'fuzz']
  const env = { FR_FUZZ_SECONDS: String(seconds / 4), NODE_OPTIONS: '--max-old-space-size=256' }
  const options = { env, timeoutMs: (seconds * 10 + 120) * 1000 }
  const { isOk, output, how } = await runBeside(process.execPath, args, options)
  const lines = output.match(/^.+: \d+ inputs, .+ seed \d+$/gm) ?? []
  console.log(isOk ? lines.join('\n') : tail(output))
  report(`${lines.length} readers in TypeScript`, isOk ? null : how, startedMs)
}

async function fuzz(name) {
  const found = `${dir}/corpus/${name}`
  const kept = `${sources}/corpus/${name.replace(/_fuzz$/, '')}`
  mkdirSync(found, { recursive: true })
  const limits = [`-max_total_time=${seconds}`, '-timeout=10', '-rss_limit_mb=1024']
  const corpus = existsSync(kept) ? [found, kept] : [found]
  const args = [...limits, `-artifact_prefix=${dir}/${name}-`, '-print_final_stats=1', ...corpus]
  const startedMs = performance.now()
  const result = await runBeside(`${dir}/${name}`, args, { timeoutMs: (seconds + 120) * 1000 })
  const runs = Number(result.output.match(/stat::number_of_executed_units:\s*(\d+)/)?.[1] ?? 0)
  if (!result.isOk) console.log(tail(result.output))
  const problem = result.isOk && runs > 0 ? null : result.isOk ? 'no input was tried' : result.how
  report(`${name}: ${runs} inputs`, problem, startedMs)
}
