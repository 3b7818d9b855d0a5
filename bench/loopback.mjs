/**
 * The machine's limit and the product, in turns: 4 nodes and 1 GiB, 8 nodes and 256 MiB, new files
 * on tmpfs. Every round runs these programs, each in new processes:
 *
 * - limit: bench/limit, the bare data movement in C, if there is a C compiler; once as it is, and
 *   once verifying as the product does, which is what `fr push` is compared with;
 * - engine: the native engine alone, one process per node, no digests (bench/engine.mjs), compared
 *   with the bare limit;
 * - push: real `fr node` processes and `fr push`, contents compared after the clock stops, with
 *   its default strategy, classic and unicast; for 4 nodes also with the portable engine, which
 *   carries every byte through JavaScript.
 *
 * The first round is not counted. Ratios are of medians of the same rounds; the programs alternate,
 * so that other load on the machine affects all of them.
 */
import { rmSync } from 'node:fs'
import { engineTrial } from './engine.mjs'
import { median, spread } from './report.mjs'
import { judge } from './wanted.mjs'
import {
  GIB,
  limitProgram,
  MIB,
  push,
  sameContent,
  strategyArguments,
  Workspace,
  withWarmMemory,
} from './workspace.mjs'

const bare = 'limit'
const verified = 'limit, verified'
const engineAlone = 'engine, no digests'
const pushed = 'fr push'
const portable = 'fr push, portable engine'
const pushName = (strategy) => (strategy === undefined ? pushed : `${pushed}, ${strategy}`)
const plain = [pushName('classic'), pushName('unicast')]

/** Target values of `fr push`: shares of the verified limit, and of the best simpler strategy. */
const wanted = {
  'of limit': { atLeast: 0.8 },
  'CPU of limit': 1.25,
  'time of best': 1.02,
}
const digest = ['--digest', 'xxh64']

async function limitTrial(workspace, source, { nodes, bytes }, more) {
  const output = workspace.makeDirectory('limit')
  const args = ['--nodes', nodes, '--size', bytes, '--source', source, '--output', output, ...more]
  const run = await workspace.collect(limitProgram().program, args.map(String))
  if (run.status !== 0) throw new Error(run.stderr)
  const [{ seconds, cpuSecondsPerDeliveredGB }] = JSON.parse(run.stdout).runs
  return { seconds, cpuSeconds: (cpuSecondsPerDeliveredGB * bytes * nodes) / 1e9 }
}

async function pushTrial(workspace, source, { nodes: count, bytes }, { strategy, engine } = {}) {
  const on = engine === undefined ? [] : ['--engine', engine]
  const nodes = await workspace.startNodes(count, { args: on })
  const args = [...on, ...digest, ...strategyArguments(strategy)]
  const done = await withWarmMemory(workspace, bytes * count, () =>
    push(workspace, { source, nodes, args }),
  )
  const { result, exitStatus, cpuSeconds, busySeconds, wallSeconds } = done
  const good = nodes.every((node) => sameContent(source, `${node.data}/source`))
  await workspace.stop(nodes)
  for (const { data } of nodes) rmSync(data, { recursive: true })
  if (exitStatus !== 0 || !good) {
    const text = good ? 'content right' : 'content missing or wrong'
    throw new Error(`fr push: exit status ${exitStatus}, ${text}; ${done.errorText}`)
  }
  return { seconds: result.seconds, wallSeconds, cpuSeconds, busySeconds }
}

const warmed =
  (trial, ...more) =>
  (workspace, source, size) =>
    withWarmMemory(workspace, size.bytes * size.nodes, () =>
      trial(workspace, source, size, ...more),
    )

/** Programs of a round, in order: `[name, trial]`. */
function contenders(strategies, hasPortable) {
  const pushes = strategies.map((strategy) => [
    pushName(strategy),
    (...args) => pushTrial(...args, { strategy }),
  ])
  const hasLimit = limitProgram().program !== undefined
  const limits = [
    [bare, warmed(limitTrial, [])],
    [verified, warmed(limitTrial, ['--verify-hash'])],
  ]
  return [
    ...(hasLimit ? limits : []),
    [engineAlone, warmed(engineTrial)],
    ...pushes,
    ...(hasPortable ? [[portable, (...args) => pushTrial(...args, { engine: 'portable' })]] : []),
  ]
}

/** A suite for each size; the portable engine takes part in the first. */
function sized(full, small, hasPortable) {
  return {
    async run(options) {
      const { quick, rounds = quick ? 1 : 5, say } = options
      const { strategies = [undefined, 'classic', 'unicast'] } = options
      const size = quick ? small : full
      const { nodes } = size
      const workspace = new Workspace(size.bytes * (nodes + 1) + (quick ? 0 : 512 * MIB))
      const entries = contenders(strategies, hasPortable)
      const trials = new Map(entries.map(([name]) => [name, []]))
      try {
        const source = await workspace.randomFile('source', size.bytes)
        for (let round = quick ? 1 : 0; round <= rounds; round++) {
          for (const [name, trial] of entries) {
            const done = await trial(workspace, source, size)
            say(`${nodes} nodes, round ${round}, ${name}: ${done.seconds.toFixed(2)} s`)
            if (round > 0) trials.get(name).push(done)
          }
        }
      } finally {
        await workspace.close()
      }
      return loopbackReport(size, trials, rounds, limitProgram().why ?? null)
    },
  }
}

export const loopbackSuites = () => [
  sized({ nodes: 4, bytes: GIB }, { nodes: 2, bytes: 4 * MIB }, true),
  sized({ nodes: 8, bytes: 256 * MIB }, { nodes: 3, bytes: 4 * MIB }, false),
]

export const loopback = {
  name: 'loopback',
  about: 'the limit program, the engine alone and fr push in turns, on loopback',
  parts: loopbackSuites,
}

/** The figures of one program; `figures` are medians by name. */
function row(name, trials, deliveredGB) {
  const rates = trials.map((trial) => deliveredGB / trial.seconds)
  const cpu = trials.map((trial) => trial.cpuSeconds / deliveredGB)
  const figures = { rate: median(rates), best: Math.max(...rates), cpu: median(cpu) }
  return { name, rate: spread(rates), cpu: spread(cpu, 3), figures, trials }
}

/** Ratios to the program that bounds this one: the bare limit bounds what hashes nothing. */
function compared(each, bound) {
  if (bound === undefined || bound === each) return each
  const [mine, its] = [each.figures, bound.figures]
  return {
    ...each,
    of: bound.name,
    ofLimit: mine.rate / its.rate,
    bestOfLimit: mine.best / its.best,
    cpuOfLimit: mine.cpu / its.cpu,
  }
}

const secondsOf = (row) => median(row.trials.map((trial) => trial.seconds))

/** Targets apply to `fr push` with its defaults; other strategies are only compared. */
function judged(where, each, rows) {
  if (![pushed, pushName('adaptive')].includes(each.name)) return { ...each, missed: [] }
  const others = rows.filter((row) => plain.includes(row.name))
  const best = others.length === 0 ? null : Math.min(...others.map(secondsOf))
  const values = {
    'of limit': each.ofLimit ?? null,
    'CPU of limit': each.cpuOfLimit ?? null,
    'time of best': best === null ? null : secondsOf(each) / best,
  }
  const cpu = `${each.figures.cpu.toFixed(2)}`
  const limitCpu = rows.find((row) => row.name === verified)?.figures.cpu.toFixed(2)
  const of = {
    'of limit': 'the limit program, verifying: delivered GB/s',
    'CPU of limit': 'the limit program, verifying: CPU-s per delivered GB',
    'time of best': 'the better of classic and unicast: seconds',
  }
  const matters = Object.keys(of)
    .filter((name) => values[name] !== null)
    .map((name) => ({
      what: `loopback, ${where}, xxh64`,
      of: of[name],
      measured: values[name].toFixed(2),
      ...judge(where, { [name]: wanted[name] }, values),
      cpu: limitCpu === undefined ? cpu : `${cpu}, limit ${limitCpu}`,
    }))
  return {
    ...each,
    best: values['time of best'],
    matters,
    ...judge(`${where}, ${each.name}`, wanted, values),
  }
}

/**
 * @param {{ nodes: number, bytes: number }} size
 * @param {ReadonlyMap<string, readonly { seconds: number, cpuSeconds: number }[]>} trials
 * @param {number} rounds
 * @param {string | null} why there is no limit program
 */
export function loopbackReport({ nodes, bytes }, trials, rounds, why) {
  const deliveredGB = (bytes * nodes) / 1e9
  const where = `${nodes} nodes, ${bytes / MIB} MiB`
  const plainRows = [...trials].map(([name, done]) => row(name, done, deliveredGB))
  const find = (name) => plainRows.find((each) => each.name === name)
  const boundOf = ({ name }) => find([bare, verified, engineAlone].includes(name) ? bare : verified)
  const rows = plainRows
    .map((each) => compared(each, boundOf(each)))
    .map((each, _, all) => judged(where, each, all))
  return {
    suite: 'loopback',
    title: `${where}, new files on tmpfs, ${rounds} rounds`,
    columns: [
      { key: 'name', title: 'program' },
      { key: 'rate', title: 'delivered GB/s' },
      { key: 'of', title: 'limit' },
      { key: 'ofLimit', title: 'of limit' },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
      { key: 'best', title: 'time of best' },
      { key: 'bestOfLimit', title: 'best of best' },
      { key: 'cpu', title: 'CPU-s/GB', digits: 3 },
      { key: 'cpuOfLimit', title: 'CPU of limit' },
    ],
    rows,
    isJudged: rows.some((each) => each.met !== undefined),
    missed: rows.flatMap((each) => each.missed),
    matters: rows.flatMap((each) => each.matters ?? []),
    notes: [
      ...(why === null ? [] : [`${why}: nothing is compared with it`]),
      'wanted of fr push: 0.80 of the rate and at most 1.25 of the CPU time of the verifying ' +
        'limit, and at most 1.02 of the time of the better of classic and unicast',
    ],
  }
}
