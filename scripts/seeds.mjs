/**
 * Whole clusters in which anything goes wrong (src/sim/mix.ts), many of them, a worker for each
 * processor. Ends with 1 where a seed fails, and prints for each the line that replays it.
 *
 *   npm run seeds                      20,000 seeds
 *   npm run seeds -- --seeds N         the seeds 1 to N
 *   npm run seeds -- --from M --seeds N   N seeds from M on
 *   npm run seeds -- --seed N          one seed
 *   npm run seeds -- --planted         each planted bug (src/sim/planted.ts), in 1,000 seeds
 *   npm run seeds -- --planted NAME    for one of them
 *
 * With `--wan` a master and its nodes over links between sites (src/sim/wan), 10,000 seeds.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { build } from 'esbuild'

const plantedSeeds = 1_000
const failuresShown = 20

/** A worker: tells of each seed what came of it, until none is left. */
async function work({ bundle, next, last, plant, isWan }) {
  const simulator = await import(bundle)
  const { runMixedSeed, runSeed, runWanSeed, mixedScenario, drawnWan } = simulator
  const withPlanted = isWan ? simulator.withPlantedWan : simulator.withPlanted
  const kindsOf = (seed) => (isWan ? [...drawnWan(seed).kinds] : mixedScenario(seed).kinds)
  const mixed = plant === undefined ? [runMixedSeed] : [runSeed, runMixedSeed]
  const runs = isWan ? [runWanSeed] : mixed
  const run = (seed) => {
    for (const one of runs) {
      try {
        if (plant === undefined) one(seed)
        else withPlanted(plant, () => one(seed))
      } catch (error) {
        return { by: one.name, text: error.message }
      }
    }
    return null
  }
  for (let seed = Atomics.add(next, 0, 1); seed <= last; seed = Atomics.add(next, 0, 1)) {
    const failure = run(seed)
    parentPort.postMessage({ seed, failure, kinds: kindsOf(seed) })
  }
}

/** Runs the seeds; `told` is called with what came of each, and stops the rest where it says so. */
async function runAll({ bundle, first, last, plant, isWan }, told) {
  const next = new Int32Array(new SharedArrayBuffer(4))
  next[0] = first
  const workers = Array.from({ length: Math.min(availableParallelism(), last - first + 1) }, () => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { bundle, next, last, plant, isWan },
    })
    worker.on('message', (message) => {
      if (told(message) === false) Atomics.store(next, 0, last + 1)
    })
    return new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve))
  })
  await Promise.all(workers)
}

async function soak({ bundle, isWan }, first, last) {
  const wan = isWan ? ' --wan' : ''
  const kinds = new Map()
  const failures = []
  const begunMs = performance.now()
  let done = 0
  await runAll({ bundle, first, last, isWan }, ({ seed, failure, kinds: drawn }) => {
    done++
    for (const kind of drawn) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    if (failure !== null) {
      failures.push(seed)
      if (failures.length <= failuresShown)
        console.log(
          `seed ${seed}: ${failure.text}\n  replay: npm run seeds --${wan} --seed ${seed}`,
        )
    }
    if (done % 1_000 === 0) {
      const seconds = Math.round((performance.now() - begunMs) / 1000)
      console.error(`${done} of ${last - first + 1} seeds, ${failures.length} failed, ${seconds} s`)
    }
  })
  const drawn = [...kinds].sort((a, b) => b[1] - a[1]).map(([kind, count]) => `${kind} ${count}`)
  console.log(`injected: ${drawn.join(', ') || 'nothing'}`)
  console.log(`${done} seeds, ${failures.length} failed`)
  return failures.length === 0
}

async function search({ bundle, isWan }, names) {
  let lost = 0
  for (const plant of names) {
    let found
    await runAll({ bundle, first: 1, last: plantedSeeds, plant, isWan }, ({ seed, failure }) => {
      if (failure === null) return true
      if (found === undefined || seed < found.seed) found = { seed, ...failure }
      return false
    })
    if (found === undefined) lost++
    const how = found && `by seed ${found.seed} of ${found.by}: ${found.text}`
    console.log(`${plant}: ${how ?? `not found in ${plantedSeeds} seeds`}`)
  }
  console.log(`${names.length - lost} of ${names.length} planted bugs found`)
  return lost === 0
}

function numberOf(values, name, otherwise) {
  const text = values[name]
  if (text === undefined) return otherwise
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  console.error(`--${name} is a whole number from 1 on, not '${text}'`)
  process.exit(2)
}

async function main() {
  const text = { type: 'string' }
  const flag = { type: 'boolean' }
  const options = { seed: text, seeds: text, from: text, planted: flag, wan: flag }
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const seed = numberOf(values, 'seed')
  const first = seed ?? numberOf(values, 'from', 1)
  const last = seed ?? first + numberOf(values, 'seeds', values.wan ? 10_000 : 20_000) - 1
  const directory = mkdtempSync(join(tmpdir(), 'fr-seeds-'))
  try {
    const bundle = join(directory, 'simulator.mjs')
    const names = ['verdicts', 'mix', 'run-seed', 'planted']
    names.push('wan/run-wan', 'wan/mix', 'wan/planted')
    await build({
      stdin: {
        contents: names.map((name) => `export * from './src/sim/${name}.js'\n`).join(''),
        resolveDir: join(import.meta.dirname, '..'),
      },
      ...{ bundle: true, platform: 'node', format: 'esm', sourcemap: 'inline', outfile: bundle },
      ...{ keepNames: true, logLevel: 'warning' },
    })
    process.setSourceMapsEnabled(true)
    const simulator = { bundle, isWan: values.wan === true }
    if (!values.planted) return await soak(simulator, first, last)
    const all = await import(bundle)
    const planted = values.wan ? all.plantedWan : all.planted
    const unknown = positionals.find((name) => !Object.hasOwn(planted, name))
    if (unknown !== undefined)
      throw new Error(`no such bug: ${unknown}; there are ${Object.keys(planted).join(', ')}`)
    return await search(simulator, positionals.length > 0 ? positionals : Object.keys(planted))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

if (isMainThread) process.exitCode = (await main()) ? 0 : 1
else await work(workerData)
