/**
 * The machine's limit and the product, in turns: 4 nodes, 1 GiB, new files on tmpfs. Three
 * programs take part in every round, each in fresh processes:
 *
 * - limit: bench/limit, the bare data movement in C;
 * - engine: the native engine alone, one process per node, no digests (bench/engine.mjs);
 * - push: real `fr node` processes and `fr push`, content compared after the clock has stopped;
 *   once more with the portable engine, which carries every byte through JavaScript.
 *
 * The first round is not counted. Ratios are of medians of the same rounds, the programs
 * interleaved, so that what else the machine does meets all of them alike.
 */
import { engineTrial } from './engine.mjs'
import { median, spread } from './report.mjs'
import { GIB, limitProgram, MIB, push, sameContent, Workspace, warmMemory } from './workspace.mjs'

const portable = 'fr push, portable engine'

async function limitTrial(workspace, source, { nodes, bytes }) {
  const output = workspace.makeDirectory('limit')
  const args = ['--nodes', nodes, '--size', bytes, '--source', source, '--output', output]
  const run = await workspace.collect(limitProgram(), args.map(String))
  if (run.code !== 0) throw new Error(run.errorText)
  const [{ seconds, cpuSecondsPerDeliveredGB }] = JSON.parse(run.text).runs
  return { seconds, cpuSeconds: (cpuSecondsPerDeliveredGB * bytes * nodes) / 1e9 }
}

async function pushTrial(workspace, source, { nodes: count, bytes }, { strategy, engine } = {}) {
  const on = engine === undefined ? [] : ['--engine', engine]
  const names = Array.from({ length: count }, (_, at) => `node-${at + 1}`)
  const nodes = await Promise.all(
    names.map((name) => workspace.startNode({ listen: '127.0.0.1:0', name, args: on })),
  )
  await warmMemory(workspace, source, bytes * count)
  const args = strategy === undefined ? on : [...on, '--strategy', strategy]
  const pushed = await push(workspace, { source, nodes, args })
  const { result, exitStatus, cpuSeconds, wallSeconds } = pushed
  const good = nodes.every((node) => sameContent(source, `${node.data}/source`))
  await workspace.stop(nodes.map((node) => node.child))
  for (const name of names) workspace.remove(name)
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

function row(name, trials, deliveredGB, limit) {
  const rates = trials.map((trial) => deliveredGB / trial.seconds)
  const cpu = trials.map((trial) => trial.cpuSeconds / deliveredGB)
  return {
    name,
    rate: spread(rates),
    ofLimit: limit === null ? 1 : median(rates) / limit.rateValue,
    bestOfLimit: limit === null ? 1 : Math.max(...rates) / limit.bestValue,
    cpu: spread(cpu, 3),
    cpuOfLimit: limit === null ? 1 : median(cpu) / limit.cpuValue,
    cpuMore: limit === null ? 0 : median(cpu) - limit.cpuValue,
    rateValue: median(rates),
    bestValue: Math.max(...rates),
    cpuValue: median(cpu),
    trials,
  }
}

export const loopback = {
  name: 'loopback',
  about: 'the limit program, the engine alone and fr push in turns, on loopback',

  async run(options) {
    const { quick, rounds = quick ? 1 : 5, strategies = [undefined], say } = options
    const size = { nodes: 4, bytes: quick ? 16 * MIB : GIB }
    const workspace = new Workspace(size.bytes * (size.nodes + 1) + (quick ? 0 : 512 * MIB))
    const entries = contenders(strategies)
    const trials = new Map(entries.map(([name]) => [name, []]))
    try {
      const source = workspace.randomFile('source', size.bytes)
      for (let round = 0; round <= rounds; round++) {
        for (const [name, trial] of entries) {
          const done = await trial(workspace, source, size)
          say(`round ${round}, ${name}: ${done.seconds.toFixed(2)} s`)
          if (round > 0) trials.get(name).push(done)
        }
      }
    } finally {
      await workspace.close()
    }
    return loopbackReport(size, trials, rounds)
  },
}

/** Who takes part, in the order of a round. */
function contenders(strategies) {
  return [
    ['limit', (...args) => warmed(...args, limitTrial)],
    ['engine, no digests', (...args) => warmed(...args, engineTrial)],
    ...strategies.map((strategy) => [
      strategy === undefined ? 'fr push' : `fr push, ${strategy}`,
      (...args) => pushTrial(...args, { strategy }),
    ]),
    [portable, (...args) => pushTrial(...args, { engine: 'portable' })],
  ]
}

function loopbackReport({ nodes, bytes }, trials, rounds) {
  const deliveredGB = (bytes * nodes) / 1e9
  const [[name, first], ...others] = trials
  const limit = row(name, first, deliveredGB, null)
  const rows = others.map(([other, done]) => row(other, done, deliveredGB, limit))
  const [engine, ...all] = rows
  const onNodeStreams = all.pop()
  const pushes = all
  const ofPortable = pushes[0].cpuValue / onNodeStreams.cpuValue
  const mostCpu = (1.3 * limit.cpuValue + 0.15).toFixed(2)
  return {
    suite: 'loopback',
    title: `${bytes / MIB} MiB to ${nodes} nodes, new files on tmpfs, ${rounds} rounds`,
    columns: [
      { key: 'name', title: 'program' },
      { key: 'rate', title: 'delivered GB/s' },
      { key: 'ofLimit', title: 'of limit' },
      { key: 'bestOfLimit', title: 'best of best' },
      { key: 'cpu', title: 'CPU-s/GB', digits: 3 },
      { key: 'cpuOfLimit', title: 'of limit' },
      { key: 'cpuMore', title: 'more', digits: 3 },
    ],
    rows: [limit, ...rows],
    notes: [
      `the engine without digests spends ${engine.cpuOfLimit.toFixed(2)} of the limit's CPU ` +
        '(wanted: at most 1.30)',
      ...pushes.map(
        (each) =>
          `${each.name} delivers ${(each.ofLimit * 100).toFixed(0)} % of the limit (wanted: 75 % ` +
          `or more) and spends ${each.cpuValue.toFixed(2)} CPU-s per delivered GB (wanted: at ` +
          `most ${mostCpu}, 1.30 of the limit plus 0.15 for digests)`,
      ),
      `on the native engine it spends ${ofPortable.toFixed(2)} of the portable engine's CPU ` +
        '(wanted: at most 0.60)',
    ],
  }
}
