/**
 * Changes the code of src/control in small ways, one at a time (StrykerJS), and says which changes
 * no test notices: each such mutant is a claim that no test makes, or makes no difference.
 *
 *   npm run mutate                          all of src/control, which takes hours
 *   npm run mutate -- holdings members      rooms of it
 *   npm run mutate -- plan/check.ts         one file, from src/control on
 *   npm run mutate -- holdings --seconds N  for so long; the score is of what was tried by then
 *   npm run mutate -- space --jobs N        so many at a time, instead of one
 *   npm run mutate -- space --all           with the unit tests of all rooms of src/control
 *   npm run mutate -- receiver --sim        with the simulated pushes that take little time, too
 *
 * The unit tests are those of the rooms that are named, because those of a machine with everything
 * below it take seconds for each mutant: what survives here other rooms may still notice.
 *
 * StrykerJS is no dependency of the project, because nothing else needs it: it is installed into
 * node_modules/.cache, from where it finds this project's Vitest. Runs at the lowest priority.
 * Ends with 1 only where the tests fail without any change, or nothing could be tried.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

/** The newest that runs on every Node that the project does. */
const version = '9.6.1'
const root = join(import.meta.dirname, '..')
const place = join(root, 'node_modules/.cache/mutate')
const stryker = join(place, 'node_modules/@stryker-mutator/core/bin/stryker.js')

function usage(text) {
  console.error(text)
  process.exit(2)
}

function numberOf(name, text) {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  return usage(`--${name} is a whole number from 1 on, not '${text}'`)
}

/** Lines of the file head are the help. */
function help() {
  const [head] = readFileSync(import.meta.filename, 'utf8').split(' */')
  console.log(head.replaceAll(/^(\/\*\*| \*) ?/gm, '').trim())
}

function install() {
  if (existsSync(stryker)) return
  mkdirSync(place, { recursive: true })
  writeFileSync(join(place, 'package.json'), '{ "private": true }\n')
  const names = ['core', 'vitest-runner'].map((name) => `@stryker-mutator/${name}@${version}`)
  // Without peers, which are Vitest and are there.
  const how = ['--no-save', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund']
  const { status } = spawnSync('npm', ['install', '--prefix', place, ...how, ...names], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(1)
}

/** What is changed, as StrykerJS names it. */
function targetOf(name) {
  const path = `src/control/${name.replace(/^(\.\/)?(src\/control\/?)?/, '')}`
  if (!existsSync(join(root, path))) usage(`there is no ${path}`)
  return path.endsWith('.ts') ? path : `${path.replace(/\/$/, '')}/**/*.ts`
}

function configure({ mutate, jobs, told }) {
  const config = join(place, 'stryker.json')
  const options = {
    mutate,
    concurrency: jobs,
    testRunner: 'vitest',
    plugins: ['@stryker-mutator/vitest-runner', join(import.meta.dirname, 'mutate-reporter.mjs')],
    reporters: ['lines'],
    lines: { file: told },
    vitest: { configFile: 'scripts/mutate-vitest.mjs', related: false },
    coverageAnalysis: 'perTest',
    // What is built once, when a file is loaded, would need all tests again.
    ignoreStatic: true,
    // Words for people, which tests quote where it matters.
    mutator: { excludedMutations: ['StringLiteral'] },
    // Only what tests of the machines read.
    ignorePatterns: ['/*', '!/src', '!/test', '!/scripts', '!/package.json'],
    warnings: { unknownOptions: false },
    tempDirName: 'node_modules/.cache/mutate/sandbox',
    cleanTempDir: 'always',
    timeoutMS: 10_000,
    disableTypeChecks: false,
    // It would read one with the compiler's interface, which TypeScript 7 does not have.
    tsconfigFile: 'none.json',
    checkers: [],
    allowConsoleColors: false,
    logLevel: 'warn',
  }
  writeFileSync(config, JSON.stringify(options))
  return config
}

/** Ends once all is tried, or the time is over; true: the time was over. */
function run(config, env, seconds) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [stryker, 'run', config], {
      ...{ cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'], detached: true },
    })
    let isOver = false
    const stop = () => {
      isOver = true
      process.kill(-child.pid, 'SIGTERM')
    }
    const timer = seconds === undefined ? undefined : setTimeout(stop, seconds * 1_000)
    process.on('SIGINT', stop)
    child.on('error', reject)
    child.on('exit', (code) => {
      clearTimeout(timer)
      resolve({ isOver, isOk: code === 0 })
    })
  })
}

/** By file: how many of its mutants were noticed. */
function report(told) {
  const lines = existsSync(told) ? readFileSync(told, 'utf8').trim().split('\n') : []
  const mutants = lines.filter((line) => line !== '').map((line) => JSON.parse(line))
  const files = new Map()
  for (const { file, status } of mutants) {
    const counts = files.get(file) ?? { noticed: 0, survived: 0, other: 0 }
    files.set(file, counts)
    if (status === 'Killed' || status === 'Timeout') counts.noticed++
    else if (status === 'Survived' || status === 'NoCoverage') counts.survived++
    else counts.other++
  }
  const rows = [...files].sort(([a], [b]) => (a < b ? -1 : 1))
  let [noticed, survived] = [0, 0]
  for (const [file, counts] of rows) {
    noticed += counts.noticed
    survived += counts.survived
    console.log(`${file}: ${scoreOf(counts)}`)
  }
  if (rows.length > 0) console.log(`all: ${scoreOf({ noticed, survived })}`)
  return noticed + survived > 0
}

function scoreOf({ noticed, survived }) {
  const all = noticed + survived
  const score = all === 0 ? '' : ` (${((100 * noticed) / all).toFixed(1)} %)`
  return `${noticed} of ${all} noticed${score}`
}

const text = { type: 'string' }
const flag = { type: 'boolean', default: false }
const { values, positionals } = parseArgs({
  options: { seconds: text, jobs: text, all: flag, sim: flag, help: flag },
  allowPositionals: true,
})
if (values.help) {
  help()
  process.exit(0)
}
const seconds = values.seconds === undefined ? undefined : numberOf('seconds', values.seconds)
const jobs = numberOf('jobs', values.jobs ?? '1')
const mutate = positionals.length > 0 ? positionals.map(targetOf) : ['src/control/**/*.ts']
install()
setPriority(19)
const told = join(place, 'told.jsonl')
rmSync(told, { force: true })
const rooms = values.all ? [] : positionals.map((name) => targetOf(name).split('/')[2])
const env = {
  ...process.env,
  FR_MUTATE_ROOMS: [...new Set(rooms)].join(),
  FR_MUTATE_SIM: values.sim ? '1' : '',
}
const { isOver, isOk } = await run(configure({ mutate, jobs, told }), env, seconds)
const isTried = report(told)
if (isOver) console.log('not all: the time was over')
process.exitCode = (isOk || isOver) && isTried ? 0 : 1
