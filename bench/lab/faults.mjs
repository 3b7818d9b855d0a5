/**
 * The suite `faults`: what failures cost those that survive them (fault-scenarios.mjs), each beside
 * the run without, and what a push costs in which nothing flows: its heartbeats, reports and ticks.
 *
 * A row that does not come to what it should, because the product cannot do it or did not, says so
 * in its verdict; the figures of such runs count for nothing. Injections are printed as they were.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { median, spread } from '../report.mjs'
import { judge } from '../wanted.mjs'
import { MIB, Obstacle } from '../workspace.mjs'
import { faultRun, wireOf, withPush } from './fault-run.mjs'
import { faultBoundSeconds, faultScenarios, quickFaults } from './fault-scenarios.mjs'
import { labObstacle, wireFactor } from './lab.mjs'

/** What heartbeats may cost beside a push. */
const beatsWanted = { CPU: 0.01, bytes: 0.01 }
/** The origin of a push in which nothing flows sends hardly more than a block a second. */
const trickle = ['--limit-up', '100kB']

/** How long a push without faults may take. */
const completeMs = 300_000

/** A line of the table: medians of the runs that came to what they should. */
function lineOf(name, scenario, runs, failures, besides) {
  const floor = faultBoundSeconds(scenario) * wireFactor
  const good = runs.filter(({ isGood }) => isGood)
  const figure = (of) => {
    const values = good.map((run) => run[of]).filter((value) => value !== null)
    return values.length === 0 ? null : values
  }
  const [seconds, last, named] = ['seconds', 'lastOfMedian', 'untilNamed'].map(figure)
  const middle = (values) => values && median(values)
  const ratio = seconds && median(seconds) / floor
  const values = {
    'of floor': ratio,
    'max/median': middle(last),
    's until named': middle(named),
  }
  const bad = runs.find(({ isGood }) => !isGood)
  const some = good.length < runs.length && runs.length > 1
  const verdict = bad?.verdict ?? runs[0]?.verdict ?? failures[0]
  const verdicts = judge(name, scenario.wanted, values, 3)
  // What was wanted and did not come is missed, too.
  const fails = bad === undefined && failures.length === 0 ? [] : [`${name}: ${verdict}`]
  return {
    name,
    ratio,
    verdict: some ? `${runs.length - good.length} of ${runs.length} runs: ${verdict}` : verdict,
    floor,
    seconds: seconds && spread(seconds),
    ratios:
      seconds &&
      spread(
        seconds.map((each) => each / floor),
        3,
      ),
    beside: ratio && besides && ratio / besides,
    lastOfMedian: values['max/median'],
    untilNamed: values['s until named'],
    ...verdicts,
    missed: [...fails, ...verdicts.missed],
    runs,
    injected: [...new Set(runs.flatMap(({ injected }) => injected))],
  }
}

const columns = [
  { key: 'name', title: 'scenario' },
  { key: 'verdict', title: 'verdict' },
  { key: 'floor', title: 'floor s' },
  { key: 'seconds', title: 'survivors s' },
  { key: 'ratios', title: 'of floor' },
  { key: 'wanted', title: 'wanted' },
  { key: 'met', title: 'met' },
  { key: 'beside', title: 'of no fault', digits: 3 },
  { key: 'lastOfMedian', title: 'max/median', digits: 3 },
  { key: 'untilNamed', title: 's until named' },
]

/**
 * The table of all scenarios. `measured`: `{ name, runs, failures }`, those without faults before
 * those that are compared with them.
 * @param {Readonly<Record<string, import('./fault-scenarios.mjs').FaultScenario>>} table
 */
export function faultReport(table, measured) {
  const rows = []
  for (const { name, runs, failures } of measured) {
    const besides = rows.find((row) => row.name === table[name].beside)
    rows.push(lineOf(name, table[name], runs, failures, besides?.ratio))
  }
  const rounds = Math.max(...measured.map(({ runs }) => runs.length))
  return {
    suite: 'faults',
    title: `what failures cost those that survive, ${rounds} rounds: median (min-max)`,
    columns,
    rows,
    isFailed: measured.some(({ failures }) => failures.length > 0),
    isJudged: true,
    missed: rows.flatMap(({ missed }) => missed),
    matters: rows.flatMap((row) => mattersOf(row, table[row.name])),
    notes: [
      ...rows.map(({ name }) => `${name}: ${table[name].about}; ${table[name].bytes / MIB} MiB`),
      ...rows.flatMap(({ name, injected }) => injected.map((each) => `${name}, done: ${each}`)),
      `survivors s: first contact to the last of them that published; floor: T* x ${wireFactor}`,
      ...measured.flatMap(({ failures }) => failures.map((each) => `FAILED: ${each}`)),
    ],
  }
}

function mattersOf({ name, ratios, untilNamed, verdict, wanted, met }, { about, wanted: asked }) {
  if (Object.keys(asked).length === 0) return []
  const [of] = Object.keys(asked)
  const measured = ratios ?? (untilNamed === null ? verdict : `${untilNamed.toFixed(2)} s`)
  const what = `${name}: ${about}`
  return [{ what, of: of === 'of floor' ? 'the least time of TCP' : of, measured, wanted, met }]
}

/** Processor seconds of all processes of a push, and bytes that all hosts have sent. */
function spent({ watched, origin }) {
  const all = [...watched.map(({ node }) => node), origin]
  return {
    cpuSeconds: all.reduce((sum, each) => sum + each.cpuSeconds(), 0),
    bytes: all.reduce((sum, each) => sum + (wireOf(each.child.pid)?.sent ?? 0), 0),
    ms: performance.now(),
  }
}

/** Per second, from one moment to another. */
function perSecond(before, after) {
  const seconds = (after.ms - before.ms) / 1000
  return {
    cpu: (after.cpuSeconds - before.cpuSeconds) / seconds,
    bytes: (after.bytes - before.bytes) / seconds,
  }
}

/** A push at full speed, from its plan until somebody has it all. */
const busyRate = (scenario, network) =>
  withPush(scenario, network, async ({ run }) => {
    const before = spent(run)
    const isThere = () => run.origin.lines.some(({ event }) => event === 'node')
    await run.origin.until('node that is complete', isThere, completeMs)
    return perSecond(before, spent(run))
  })

/** The same of one in which next to nothing flows, without the payload that does. */
const idleRate = (scenario, network, seconds) =>
  withPush({ ...scenario, args: trickle }, network, async ({ run }) => {
    const landed = () =>
      run.origin.lines.findLast(({ event }) => event === 'progress')?.landedBytes ?? 0
    // Connections are made first, and code is compiled.
    await sleep(seconds * 300)
    const [before, landedBefore] = [spent(run), landed()]
    await sleep(seconds * 1000)
    const after = spent(run)
    const { cpu, bytes } = perSecond(before, after)
    const payload = (landed() - landedBefore) * wireFactor
    return { cpu, bytes: Math.max(0, bytes - payload / ((after.ms - before.ms) / 1000)) }
  })

async function runBeats(scenario, network, { quick, say }) {
  const busy = await busyRate(scenario, network)
  say(`a push: ${busy.cpu.toFixed(2)} cores`)
  const idle = await idleRate(scenario, network, quick ? 2 : 10)
  say(`nothing flows: ${idle.cpu.toFixed(2)} cores`)
  const shares = { CPU: idle.cpu / busy.cpu, bytes: idle.bytes / busy.bytes }
  const units = { CPU: ['cpu', 1, 'cores'], bytes: ['bytes', 1e3, 'kB/s'] }
  const rows = Object.entries(units).map(([name, [key, unit, title]]) => {
    const share = shares[name]
    // Heartbeats are a part of it, so more than is wanted of them alone decides nothing.
    const judged = share <= beatsWanted[name] ? share : null
    return {
      name: `${name} (${title})`,
      busy: busy[key] / unit,
      idle: idle[key] / unit,
      share,
      ...judge(`heartbeats, ${name}`, { share: beatsWanted[name] }, { share: judged }, 3),
    }
  })
  return {
    suite: 'faults',
    title: 'all that goes on in a push in which nothing flows, as a part of one at full speed',
    columns: [
      { key: 'name', title: 'of what' },
      { key: 'busy', title: 'a push' },
      { key: 'idle', title: 'nothing flows' },
      { key: 'share', title: 'share', digits: 4 },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
    ],
    rows,
    isJudged: true,
    missed: [],
    notes: ['heartbeats and journal are a part of it, reports, looks at feeds and ticks the rest'],
  }
}

async function runScenarios(table, names, { network, rounds, say }) {
  const measured = names.map((name) => ({ name, runs: [], failures: [] }))
  for (let round = 0; round < rounds; round++)
    for (const { name, runs, failures } of measured) {
      try {
        const run = await faultRun(table[name], network)
        runs.push(run)
        say(`${name}: ${run.verdict}${run.seconds === null ? '' : `, ${run.seconds.toFixed(2)} s`}`)
      } catch (error) {
        say(`${name}: ${error.stack}`)
        failures.push(`${name}: ${error.message.split('\n')[0]}`)
      }
    }
  return faultReport(table, measured)
}

/** Those chosen, each with the one without faults before it, in the order of the table. */
export function withBeside(table, names) {
  const wanted = new Set(names.flatMap((name) => [table[name].beside ?? name, name]))
  return Object.keys(table).filter((name) => wanted.has(name))
}

export const faults = {
  parts({ scenarios: names, quick, rounds = quick ? 1 : 5, congestion = 'cubic', queues }) {
    const table = quick ? quickFaults : faultScenarios
    const known = [...Object.keys(table), 'beats']
    const chosen = names ?? known
    const unknown = chosen.find((name) => !known.includes(name))
    if (unknown !== undefined)
      throw new Obstacle(`no scenario ${unknown}; known are ${known.join(', ')}`)
    const obstacle = labObstacle()
    if (obstacle !== null) throw new Obstacle(obstacle)
    const network = { congestion: congestion === 'system' ? null : congestion, queue: queues?.[0] }
    const rows = chosen.filter((name) => name !== 'beats')
    const run = ({ say }) => runScenarios(table, withBeside(table, rows), { network, rounds, say })
    const beats = ({ say }) => runBeats(table['none'], network, { quick, say })
    return [
      ...(rows.length === 0 ? [] : [{ run }]),
      ...(chosen.includes('beats') ? [{ run: beats }] : []),
    ]
  },
}
