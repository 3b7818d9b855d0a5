/**
 * The machine's limit and the product, in turns: 4 nodes and 1 GiB, 8 nodes and 256 MiB, new files
 * on tmpfs. Every round runs three programs, each in new processes:
 *
 * - limit: bench/limit, the bare data movement in C, if there is a C compiler;
 * - engine: the native engine alone, one process per node, no digests (bench/engine.mjs);
 * - push: real `fr node` processes and `fr push`, contents compared after the clock stops; for 4
 *   nodes also with the portable engine, which carries every byte through JavaScript.
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
  warmMemory,
} from './workspace.mjs'

const limitName = 'limit'
const portable = 'fr push, portable engine'

/** Wanted shares of the limit's rate, and of its CPU time, which digests may exceed. */
const rateWanted = 0.85
const cpuWanted = (limit) => 1.25 * limit + 0.15
const engineCpuWanted = 1.3
const portableCpuWanted = 0.6

async function limitTrial(workspace, source, { nodes, bytes }) {
  const output = workspace.makeDirectory('limit')
  const args = ['--nodes', nodes, '--size', bytes, '--source', source, '--output', output]
  const run = await workspace.collect(limitProgram().program, args.map(String))
  if (run.status !== 0) throw new Error(run.stderr)
  const [{ seconds, cpuSecondsPerDeliveredGB }] = JSON.parse(run.stdout).runs
  return { seconds, cpuSeconds: (cpuSecondsPerDeliveredGB * bytes * nodes) / 1e9 }
}

async function pushTrial(workspace, source, { nodes: count, bytes }, { strategy, engine } = {}) {
  const on = engine === undefined ? [] : ['--engine', engine]
  const nodes = await workspace.startNodes(count, { args: on })
  await warmMemory(workspace, source, bytes * count)
  const args = [...on, ...strategyArguments(strategy)]
  const pushed = await push(workspace, { source, nodes, args })
  const { result, exitStatus, cpuSeconds, wallSeconds } = pushed
  const good = nodes.every((node) => sameContent(source, `${node.data}/source`))
  await workspace.stop(nodes)
  for (const { data } of nodes) rmSync(data, { recursive: true })
  if (exitStatus !== 0 || !good) {
    const text = good ? 'content right' : 'content missing or wrong'
    throw new Error(`fr push: exit status ${exitStatus}, ${text}; ${pushed.errorText}`)
  }
  return { seconds: result.seconds, wallSeconds, cpuSeconds }
}

async function warmed(workspace, source, size, trial) {
  await warmMemory(workspace, source, size.bytes * size.nodes)
  return trial(workspace, source, size)
}

/** `limit` is the row of the limit program; null when it is not measured, and for itself. */
function row(name, trials, deliveredGB, limit) {
  const rates = trials.map((trial) => deliveredGB / trial.seconds)
  const cpu = trials.map((trial) => trial.cpuSeconds / deliveredGB)
  const [rateValue, bestValue, cpuValue] = [median(rates), Math.max(...rates), median(cpu)]
  return {
    name,
    rate: spread(rates),
    ofLimit: limit && rateValue / limit.rateValue,
    bestOfLimit: limit && bestValue / limit.bestValue,
    cpu: spread(cpu, 3),
    cpuOfLimit: limit && cpuValue / limit.cpuValue,
    cpuMore: limit && cpuValue - limit.cpuValue,
    rateValue,
    bestValue,
    cpuValue,
    trials,
  }
}

/** A suite for each size; the portable engine takes part in the first. */
function sized(nodes, bytes, quickBytes, hasPortable) {
  return {
    async run(options) {
      const { quick, rounds = quick ? 1 : 5, strategies = [undefined], say } = options
      const size = { nodes, bytes: quick ? quickBytes : bytes }
      const workspace = new Workspace(size.bytes * (nodes + 1) + (quick ? 0 : 512 * MIB))
      const entries = contenders(strategies, hasPortable)
      const trials = new Map(entries.map(([name]) => [name, []]))
      try {
        const source = await workspace.randomFile('source', size.bytes)
        for (let round = 0; round <= rounds; round++) {
          for (const [name, trial] of entries) {
            const done = await trial(workspace, source, size)
            say(`${nodes} nodes, round ${round}, ${name}: ${done.seconds.toFixed(2)} s`)
            if (round > 0) trials.get(name).push(done)
          }
        }
      } finally {
        await workspace.close()
      }
      return loopbackReport(size, trials, rounds)
    },
  }
}

export const loopbackSuites = () => [
  sized(4, GIB, 16 * MIB, true),
  sized(8, 256 * MIB, 8 * MIB, false),
]

export const loopback = {
  name: 'loopback',
  about: 'the limit program, the engine alone and fr push in turns, on loopback',
  parts: loopbackSuites,
}

/** Programs of a round, in order. */
function contenders(strategies, hasPortable) {
  const pushes = strategies.map((strategy) => [
    strategy === undefined ? 'fr push' : `fr push, ${strategy}`,
    (...args) => pushTrial(...args, { strategy }),
  ])
  const others = [[portable, (...args) => pushTrial(...args, { engine: 'portable' })]]
  const hasLimit = limitProgram().program !== undefined
  return [
    ...(hasLimit ? [[limitName, (...args) => warmed(...args, limitTrial)]] : []),
    ['engine, no digests', (...args) => warmed(...args, engineTrial)],
    ...pushes,
    ...(hasPortable ? others : []),
  ]
}

/** Target values of `fr push` with its defaults; other strategies are only compared. */
function judged(each, limit, where) {
  const isJudged = limit !== null && ['fr push', 'fr push, adaptive'].includes(each.name)
  if (!isJudged) return { ...each, ...judge(where, undefined, {}) }
  const wanted = { 'of limit': { atLeast: rateWanted }, 'CPU-s/GB': cpuWanted(limit.cpuValue) }
  const values = { 'of limit': each.ofLimit, 'CPU-s/GB': each.cpuValue }
  return { ...each, ...judge(`${where}, ${each.name}`, wanted, values) }
}

function loopbackReport({ nodes, bytes }, trials, rounds) {
  const deliveredGB = (bytes * nodes) / 1e9
  const where = `${bytes / MIB} MiB to ${nodes} nodes`
  const all = [...trials].filter(([name]) => name !== limitName)
  const limits = trials.get(limitName)
  const limit = limits === undefined ? null : row(limitName, limits, deliveredGB, null)
  const rows = all.map(([name, done]) => judged(row(name, done, deliveredGB, limit), limit, where))
  const onNodeStreams = rows.find((each) => each.name === portable)
  const [engine, pushed] = rows
  return {
    suite: 'loopback',
    title: `${where}, new files on tmpfs, ${rounds} rounds`,
    columns: [
      { key: 'name', title: 'program' },
      { key: 'rate', title: 'delivered GB/s' },
      { key: 'ofLimit', title: 'of limit' },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
      { key: 'bestOfLimit', title: 'best of best' },
      { key: 'cpu', title: 'CPU-s/GB', digits: 3 },
      { key: 'cpuOfLimit', title: 'of limit' },
      { key: 'cpuMore', title: 'more', digits: 3 },
    ],
    rows: limit === null ? rows : [limit, ...rows],
    isJudged: limit !== null,
    missed: rows.flatMap((each) => each.missed),
    notes: [
      ...(limit === null
        ? [`${limitProgram().why}: nothing is compared with it`]
        : limitNotes(limit, engine)),
      ...(onNodeStreams === undefined
        ? []
        : [
            `on the native engine fr push spends ` +
              `${(pushed.cpuValue / onNodeStreams.cpuValue).toFixed(2)} of the portable engine's ` +
              `CPU (wanted: at most ${portableCpuWanted.toFixed(2)})`,
          ]),
    ],
  }
}

function limitNotes(limit, engine) {
  return [
    `wanted CPU-s/GB: at most ${cpuWanted(limit.cpuValue).toFixed(2)}, 1.25 of the limit plus ` +
      '0.15 for digests',
    `the engine without digests spends ${engine.cpuOfLimit.toFixed(2)} of the limit's CPU ` +
      `(wanted: at most ${engineCpuWanted.toFixed(2)})`,
  ]
}
