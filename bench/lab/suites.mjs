/**
 * The suites that need the lab: scenarios, and the product beside other systems. A failed run
 * becomes a sentence in the table and fails the suite; the others are still measured. Systems take
 * turns: a round is one run of each in the same network.
 */
import { readFileSync } from 'node:fs'
import { copies, copiesTo32 } from '../copies.mjs'
import { gateway } from '../gateway.mjs'
import { loopbackSuites } from '../loopback.mjs'
import { MIB, Obstacle } from '../workspace.mjs'
import { labObstacle, wireFactor } from './lab.mjs'
import { peers } from './peers.mjs'
import { labRun, peerRun } from './runs.mjs'
import { groupScenarios, quickGroups, quickScenario, scenarios } from './scenarios.mjs'
import { comparisons, labReport, merged, whereEachWins } from './tables.mjs'

/** Why others cannot run a scenario: events, different times for nodes, several pushes, limits. */
function whyNotPeers({ fault, joins, slow, changes, atOnce }) {
  const isPlain = [fault, joins, slow, changes, atOnce].every((each) => each === undefined)
  return isPlain ? null : 'not measured'
}

/** Systems to measure: `{ name, missing(scenario), run(scenario, network) }`. */
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
      missing: (scenario) => peer.missing() ?? whyNotPeers(scenario),
      run: (scenario, network) => peerRun(peer, scenario, network),
    })),
  ]
}

/** All rounds in one network; resolves to one entry (tables.mjs) per system. */
async function measure(all, name, scenario, { network, rounds, say }) {
  const { queue } = network
  const entries = all.map((contender) => {
    const missing = contender.missing(scenario)
    return { name, queue, system: contender.name, runs: [], failures: [], missing }
  })
  for (let round = 0; round < rounds; round++) {
    for (const [at, contender] of all.entries()) {
      const entry = entries[at]
      if (entry.missing !== null) continue
      const label = `${name}, ${queue}, ${contender.name}`
      try {
        const run = await contender.run(scenario, network)
        entry.runs.push(run)
        entry.system = run.system
        say(`${label}: ${run.seconds.toFixed(2)} s`)
      } catch (error) {
        if (error instanceof Obstacle) throw error
        say(`${label}: ${error.stack}`)
        entry.failures.push(`${label}: ${error.message.split('\n')[0]}`)
      }
    }
  }
  return entries
}

/** Entries in earlier outputs (`--json`) of these suites. */
function earlier(files) {
  return files.flatMap((file) => {
    try {
      const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
      return lines.flatMap((text) => JSON.parse(text).entries ?? [])
    } catch (error) {
      throw new Obstacle(`--from ${file}: ${error.message}`)
    }
  })
}

async function entriesOf(table, options) {
  const { congestion, from, queues, say } = options
  if (from !== undefined) return earlier(from).filter(({ name }) => Object.hasOwn(table, name))
  const obstacle = labObstacle()
  if (obstacle !== null) throw new Obstacle(obstacle)
  const rounds = options.rounds ?? (options.quick ? 1 : 5)
  const entries = []
  for (const [name, scenario] of Object.entries(table)) {
    for (const queue of queues ?? scenario.queues) {
      const network = { queue, congestion, served: options.served }
      const all = contenders(options)
      entries.push(...(await measure(all, name, scenario, { network, rounds, say })))
    }
  }
  return entries
}

/** One table of all results, and one for each scenario with several systems. */
async function runScenarios(suite, table, options) {
  const entries = merged(await entriesOf(table, options))
  const here = Object.entries(table).filter(([name]) => entries.some((each) => each.name === name))
  const rounds = Math.max(...entries.map((entry) => entry.runs.length), 0)
  const kind = options.congestion ?? 'the congestion control of the system'
  const notes = [
    ...here.map(([name, { about, bytes }]) => `${name}: ${about}; ${bytes / MIB} MiB`),
    `T* is the fluid bound, the floor the best that TCP can do: T* x ${wireFactor}`,
    options.served ? 'nodes have served one small push' : 'nodes are freshly started',
    'wanted: ratio to the floor; met also includes alike runs (max/min), and on lan8 that equal ' +
      'nodes end together (last/median) and how busy the main thread of a node is (main thread)',
    'machine CPU-s/GB: of everything that ran on the machine meanwhile, interrupts included',
    'stolen s: the most processor time that one run lost to other guests of this machine; if it ' +
      'is not small, the row says little about the product',
    ...whereEachWins(table, entries),
  ]
  const title = `scenarios over network namespaces, ${kind}, ${rounds} rounds: median (min-max)`
  return [labReport(suite, title, table, entries, notes), ...comparisons(suite, table, entries)]
}

function settled(options) {
  return {
    ...options,
    // Undefined leaves the strategy to `fr push`.
    strategies: options.strategies ?? [undefined],
    congestion: options.congestion === 'system' ? null : (options.congestion ?? 'cubic'),
  }
}

export const lan = {
  run: (options) =>
    runScenarios(
      'lan',
      options.quick ? { quick: quickScenario } : { lan8: scenarios.lan8 },
      settled(options),
    ),
}

/**
 * Chosen rows of a table, and of what needs no network, each part a suite of its own. `quick`: the
 * rows that are run instead when all is to be small.
 */
function partsOf(suite, { table, quick, unshaped }, names) {
  const known = [...Object.keys(table), ...Object.keys(unshaped)]
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new Obstacle(`no scenario ${unknown}; known are ${known.join(', ')}`)
  }
  const chosen = names.filter((name) => Object.hasOwn(table, name))
  const shaped = Object.fromEntries(chosen.map((name) => [name, table[name]]))
  const run = (given) => runScenarios(suite, given.quick ? quick(chosen) : shaped, settled(given))
  return [
    ...(chosen.length === 0 ? [] : [{ run }]),
    ...names.flatMap((name) => unshaped[name]?.() ?? []),
  ]
}

/** Rows that need no network of their own. */
const unshaped = { small: () => [copies], loopback: loopbackSuites }

function everything({ quick, from }, known) {
  if (quick) return ['lan8']
  return from === undefined ? known : Object.keys(scenarios)
}

/** Each part is a separate suite, so that one failure does not affect the others. */
export const lab = {
  parts(options) {
    const known = [...Object.keys(scenarios), ...Object.keys(unshaped)]
    const names = options.scenarios ?? everything(options, known)
    const quick = () => ({ quick: quickScenario })
    return partsOf('lab', { table: scenarios, quick, unshaped }, names)
  },
}

const ofGroups = { small: () => [copiesTo32], gateway: () => [gateway] }

/** Small forms of these rows; of those that have none the chain stands for all. */
function quickRows(names) {
  const kinds = new Set(names.map((name) => (Object.hasOwn(quickGroups, name) ? name : 'chain32')))
  return Object.fromEntries([...kinds].map((name) => [name, quickGroups[name]]))
}

/** Many nodes and long ways. */
export const groups = {
  parts({ scenarios: names, quick, from }) {
    const table = groupScenarios
    const all =
      quick || from !== undefined
        ? Object.keys(table)
        : [...Object.keys(table), ...Object.keys(ofGroups)]
    return partsOf('groups', { table, quick: quickRows, unshaped: ofGroups }, names ?? all)
  },
}
