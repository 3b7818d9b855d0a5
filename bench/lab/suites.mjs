/**
 * The suites that need the lab: scenarios, the product beside other systems, tables. A run that
 * fails is a row that says so, and fails the suite; the others are still measured.
 */
import { median, spread } from '../report.mjs'
import { MIB, Obstacle } from '../workspace.mjs'
import { labObstacle, wireFactor } from './lab.mjs'
import { peers } from './peers.mjs'
import { labRun, peerRun } from './runs.mjs'
import { boundSeconds, quickScenario, scenarios, slowBoundSeconds } from './scenarios.mjs'

function row(name, queue, scenario, runs) {
  const floor = boundSeconds(scenario) * wireFactor
  const seconds = runs.map((run) => run.seconds)
  return {
    name,
    queue,
    strategy: runs[0].strategy,
    bound: boundSeconds(scenario),
    floor,
    seconds: spread(seconds),
    ratio: median(seconds) / floor,
    ratios: spread(
      seconds.map((each) => each / floor),
      3,
    ),
    percent: (100 * floor) / median(seconds),
    cpu: spread(runs.map((run) => run.cpuPerGB)),
    copies: spread(runs.map((run) => run.originCopies)),
    runs,
  }
}

function slowRow(name, queue, scenario, runs) {
  const floor = slowBoundSeconds(scenario) * wireFactor
  const seconds = runs.map((run) => run.slowSeconds)
  return {
    name: `${name}, the slow one`,
    queue,
    strategy: runs[0].strategy,
    bound: slowBoundSeconds(scenario),
    floor,
    seconds: spread(seconds),
    ratio: median(seconds) / floor,
    ratios: spread(
      seconds.map((each) => each / floor),
      3,
    ),
    percent: (100 * floor) / median(seconds),
    cpu: null,
    copies: null,
  }
}

const columns = [
  { key: 'name', title: 'scenario' },
  { key: 'queue', title: 'uplinks' },
  { key: 'strategy', title: 'system' },
  { key: 'bound', title: 'T* s' },
  { key: 'floor', title: 'floor s' },
  { key: 'seconds', title: 'measured s' },
  { key: 'ratios', title: 'of floor' },
  { key: 'percent', title: 'bound %', digits: 1 },
  { key: 'cpu', title: 'CPU-s/GB' },
  { key: 'copies', title: 'origin copies' },
]

/** What takes part: `{ name, missing(), run(scenario, network) }`. */
function contenders({ strategies, peers: wanted }) {
  const ours = strategies.map((strategy) => ({
    name: strategy ?? 'fr push',
    missing: () => null,
    run: (scenario, network) => labRun(scenario, { ...network, strategy }),
  }))
  const others = peers.filter((peer) => wanted?.includes(peer.name))
  return [
    ...ours,
    ...others.map((peer) => ({
      name: peer.name,
      missing: peer.missing,
      run: (scenario, network) => peerRun(peer, scenario, network),
    })),
  ]
}

/** All runs of one contender in one network; resolves to rows and the reasons of failed runs. */
async function measure(contender, name, scenario, { network, runs, say }) {
  const { queue } = network
  const missing = contender.missing()
  if (missing !== null) {
    return { rows: [{ name, queue, strategy: contender.name, seconds: missing }], failures: [] }
  }
  const done = []
  const failures = []
  for (let run = 0; run < runs; run++) {
    const label = `${name}, ${queue}, ${contender.name}`
    try {
      done.push(await contender.run(scenario, network))
      say(`${label}: ${done.at(-1).seconds.toFixed(2)} s`)
    } catch (error) {
      if (error instanceof Obstacle) throw error
      say(`${label}: ${error.stack}`)
      failures.push(`FAILED: ${label}: ${error.message.split('\n')[0]}`)
    }
  }
  if (done.length === 0) {
    return { rows: [{ name, queue, strategy: contender.name, seconds: 'failed' }], failures }
  }
  const rows = [row(name, queue, scenario, done)]
  if (done[0].slowSeconds != null) rows.push(slowRow(name, queue, scenario, done))
  return { rows, failures }
}

async function runScenarios(suite, table, options) {
  const obstacle = labObstacle()
  if (obstacle !== null) throw new Obstacle(obstacle)
  const { congestion, say } = options
  const runs = options.rounds ?? (options.quick ? 1 : 3)
  const rows = []
  const failures = []
  for (const [name, scenario] of Object.entries(table)) {
    for (const queue of options.queues) {
      for (const contender of contenders(options)) {
        const network = { queue, congestion }
        const measured = await measure(contender, name, scenario, { network, runs, say })
        rows.push(...measured.rows)
        failures.push(...measured.failures)
      }
    }
  }
  const kind = congestion ?? 'the congestion control of the system'
  return {
    suite,
    title: `scenarios over network namespaces, ${kind}, ${runs} runs: median (min-max)`,
    columns,
    rows,
    isFailed: failures.length > 0,
    notes: [
      ...Object.entries(table).map(
        ([name, { about, bytes }]) => `${name}: ${about}; ${bytes / MIB} MiB`,
      ),
      `T* is the fluid bound, the floor what TCP can make of it: T* x ${wireFactor}`,
      ...failures,
    ],
  }
}

function settled(options) {
  return {
    ...options,
    queues: options.queues ?? ['fifo', 'fair'],
    // Undefined: whatever `fr push` does when not told.
    strategies: options.strategies ?? [undefined],
    congestion: options.congestion === 'system' ? null : (options.congestion ?? 'cubic'),
  }
}

export const lan = {
  name: 'lan',
  about: '8 nodes in network namespaces, every link 200 Mbit/s (needs root)',
  run: (options) =>
    runScenarios(
      'lan',
      options.quick ? { quick: quickScenario } : { lan8: scenarios.lan8 },
      settled(options),
    ),
}

export const lab = {
  name: 'lab',
  about: `scenarios over network namespaces: ${Object.keys(scenarios).join(', ')} (needs root)`,
  run(options) {
    const names = options.scenarios ?? Object.keys(scenarios)
    const unknown = names.find((name) => !Object.hasOwn(scenarios, name))
    if (unknown !== undefined) throw new Obstacle(`there is no scenario ${unknown}`)
    const table = Object.fromEntries(names.map((name) => [name, scenarios[name]]))
    return runScenarios('lab', options.quick ? { quick: quickScenario } : table, settled(options))
  },
}
