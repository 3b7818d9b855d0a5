/**
 * Tables from runs: the figures of the lab beside their floor and target values, and the systems
 * beside one another. Pure: nothing here runs anything.
 *
 * An entry is all runs of one system in one network:
 *
 *     { name, queue, system, runs: [figures of runs.mjs], failures: [sentence], missing: null }
 *
 * `missing` says why there are none. `merged` joins entries of several outputs, so that a long
 * measurement may be taken in parts.
 */
import { median, spread } from '../report.mjs'
import { judge } from '../wanted.mjs'
import { wireFactor } from './lab.mjs'
import { apartBoundSeconds, boundSeconds } from './scenarios.mjs'

const MIB = 2 ** 20

/** Target values apply to the product with its defaults. */
const judgedSystem = 'adaptive'
/** Medians this close are equal: the order of two systems means nothing. */
const levelShare = 0.01

const wantedDigits = 3

const keyOf = ({ name, queue, system }) => `${name}, ${queue}, ${system}`

/**
 * Figures of one run; null when there is none.
 * @typedef {{
 *   seconds: number,
 *   apartSeconds: number | null,
 *   lastOfMedian: number | null,
 *   cpuPerGB: number,
 *   originCpuPerGB: number | null,
 *   originCopies: number,
 *   mainThreadShare?: number | null,
 *   busyPerGB?: number | null,
 *   stolenSeconds: number,
 *   crossings?: readonly { from: string, to: string, times: number, onTheWire: number }[],
 * }} Run
 * @typedef {{
 *   name: string,
 *   queue: string,
 *   system: string,
 *   runs: readonly Run[],
 *   failures: readonly string[],
 *   missing: string | null,
 * }} Entry
 * @typedef {Readonly<Record<string, import('./scenarios.mjs').Scenario>>} Table
 */

/**
 * Entries of the same system in the same network become one, in order of appearance.
 * @param {readonly Entry[]} entries
 * @returns {Entry[]}
 */
export function merged(entries) {
  const byKey = new Map()
  for (const entry of entries) {
    const before = byKey.get(keyOf(entry))
    byKey.set(keyOf(entry), {
      ...entry,
      runs: [...(before?.runs ?? []), ...entry.runs],
      failures: [...(before?.failures ?? []), ...entry.failures],
    })
  }
  return [...byKey.values()]
}

const maxOfMin = (values) => (values.length < 2 ? null : Math.max(...values) / Math.min(...values))

const medianOf = (runs, figure) => {
  const values = runs.map((run) => run[figure])
  return values.some((value) => value === null || value === undefined) ? null : median(values)
}

/** One line: the seconds of the runs against a bound, and their target values. */
function line({ name, entry, bound, seconds, wanted, about, more }) {
  const floor = bound * wireFactor
  const values = {
    'of floor': median(seconds) / floor,
    'max/min': maxOfMin(seconds),
    'last/median': more?.lastOfMedian ?? null,
    'main thread': more?.mainThread ?? null,
    'off one crossing': more?.offOne ?? null,
  }
  const asked = entry.system === judgedSystem ? wanted : undefined
  const { queue, system } = entry
  return {
    name,
    queue,
    system,
    bound,
    floor,
    seconds: spread(seconds),
    ratio: values['of floor'],
    ratios: spread(
      seconds.map((each) => each / floor),
      3,
    ),
    spread: values['max/min'],
    lastOfMedian: values['last/median'],
    mainThread: values['main thread'],
    cpu: more?.cpu ?? null,
    busy: more?.busy ?? null,
    originCpu: more?.originCpu ?? null,
    copies: more?.copies ?? null,
    stolen: more?.stolen ?? null,
    crossings: more?.crossings ?? null,
    matters: mattersOf({ name, queue, about, asked, seconds, floor, values, cpu: more?.cpu }),
    ...judge(`${name}, ${queue}`, asked, values, wantedDigits),
  }
}

/** The line of the summary: the ratio to the floor alone. */
function mattersOf({ name, queue, about, asked, seconds, floor, values, cpu }) {
  if (asked === undefined) return []
  const ratio = values['of floor']
  const { wanted, met, missed } = judge(
    name,
    { 'of floor': asked['of floor'] },
    values,
    wantedDigits,
  )
  const what = `${name}, ${queue}: ${about}`
  const measured = `${ratio.toFixed(3)}: ${median(seconds).toFixed(2)} s / ${floor.toFixed(2)} s`
  return [
    { what, of: 'the least time of TCP', measured, wanted, met, missed, cpu: cpu?.toFixed(2) },
  ]
}

/**
 * Over each link between sites, each way: the median of how often a byte crossed, and on the wire
 * in brackets; and by how much the worst of them is off once, or off not at all. Nothing without
 * sites.
 */
function crossingsOf(runs) {
  const ways = runs[0].crossings ?? []
  if (ways.length === 0) return {}
  const each = ways.map(({ from, to }, at) => {
    const middle = (figure) => median(runs.map((run) => run.crossings[at][figure]))
    return { way: `${from}-${to}`, times: middle('times'), onTheWire: middle('onTheWire') }
  })
  const text = ({ way, times, onTheWire }) => `${way} ${times.toFixed(3)} (${onTheWire.toFixed(2)})`
  return {
    crossings: each.map(text).join(', '),
    offOne: Math.max(...each.map(({ times }) => Math.min(times, Math.abs(times - 1)))),
  }
}

/** Lines of one entry: for the nodes that count, and for the one judged separately. */
function linesOf(entry, scenario) {
  const { name, queue, system, runs, missing, failures } = entry
  if (runs.length === 0) {
    const asked = system === judgedSystem && failures.length > 0 ? scenario.wanted : undefined
    const missed = asked === undefined ? [] : [`${name}, ${queue}: every run failed`]
    return [{ name, queue, system, seconds: missing ?? 'failed', missed }]
  }
  const main = line({
    name,
    entry,
    bound: boundSeconds(scenario),
    seconds: runs.map((run) => run.seconds),
    wanted: scenario.wanted,
    about: `${scenario.about}; ${scenario.bytes / MIB} MiB`,
    more: {
      mainThread: medianOf(runs, 'mainThreadShare'),
      busy: medianOf(runs, 'busyPerGB'),
      lastOfMedian: medianOf(runs, 'lastOfMedian'),
      cpu: medianOf(runs, 'cpuPerGB'),
      originCpu: medianOf(runs, 'originCpuPerGB'),
      copies: medianOf(runs, 'originCopies'),
      stolen: Math.max(...runs.map((run) => run.stolenSeconds)),
      ...crossingsOf(runs),
    },
  })
  const seconds = runs.map((run) => run.apartSeconds)
  if (seconds.includes(null)) return [main]
  const apart = line({
    name: `${name}, the ${scenario.joins === undefined ? 'slow' : 'new'} one`,
    entry,
    bound: apartBoundSeconds(scenario),
    seconds,
    wanted: scenario.wantedApart,
    about: `${scenario.about}; ${scenario.bytes / MIB} MiB`,
  })
  return [main, apart]
}

const columns = [
  { key: 'name', title: 'scenario' },
  { key: 'queue', title: 'uplinks' },
  { key: 'system', title: 'system' },
  { key: 'bound', title: 'T* s' },
  { key: 'floor', title: 'floor s' },
  { key: 'seconds', title: 'measured s' },
  { key: 'ratios', title: 'of floor' },
  { key: 'wanted', title: 'wanted' },
  { key: 'met', title: 'met' },
  { key: 'spread', title: 'max/min', digits: 3 },
  { key: 'lastOfMedian', title: 'last/median', digits: 3 },
  { key: 'mainThread', title: 'main thread', digits: 3 },
  { key: 'cpu', title: 'CPU-s/GB' },
  { key: 'originCpu', title: 'of it origin' },
  { key: 'busy', title: 'machine CPU-s/GB' },
  { key: 'copies', title: 'origin copies' },
  { key: 'stolen', title: 'stolen s' },
]

/** Only where there are sites. */
const crossingColumn = { key: 'crossings', title: 'crossings (on the wire)' }

/**
 * Everything that was measured, a line each. `table`: the scenarios by name.
 * @param {string} suite
 * @param {string} title
 * @param {Table} table
 * @param {readonly Entry[]} entries
 * @param {readonly string[]} notes
 * @returns {import('../report.mjs').Report}
 */
export function labReport(suite, title, table, entries, notes) {
  const rows = entries.flatMap((entry) => linesOf(entry, table[entry.name]))
  const failures = entries.flatMap((entry) => entry.failures)
  return {
    suite,
    title,
    columns: rows.some((row) => row.crossings) ? [...columns, crossingColumn] : columns,
    rows,
    entries,
    isFailed: failures.length > 0,
    isJudged: rows.some((row) => typeof row.met === 'string'),
    missed: rows.flatMap((row) => row.missed),
    matters: rows.flatMap((row) => row.matters ?? []),
    notes: [...notes, ...failures.map((text) => `FAILED: ${text}`)],
  }
}

const comparisonColumns = [
  { key: 'queue', title: 'uplinks' },
  { key: 'system', title: 'system' },
  { key: 'seconds', title: 'measured s' },
  { key: 'ratios', title: 'of floor' },
  { key: 'ofBest', title: 'of the fastest' },
  { key: 'cpu', title: 'CPU-s/GB' },
  { key: 'copies', title: 'origin copies' },
]

/** Fastest first, systems without a figure last. */
function ranked(entries, scenario) {
  const rows = entries.map((entry) => {
    const [main] = linesOf(entry, scenario)
    return { ...main, median: entry.runs.length === 0 ? null : medianOf(entry.runs, 'seconds') }
  })
  const measured = rows.filter((row) => row.median !== null).sort((a, b) => a.median - b.median)
  const best = measured[0]?.median
  return [
    ...measured.map((row) => ({ ...row, ofBest: row.median / best })),
    ...rows.filter((row) => row.median === null),
  ]
}

const percent = (row) => `${row.system} (+${((row.ofBest - 1) * 100).toFixed(0)} %)`

/** One network in a sentence: the fastest system, its equals, and how far behind the others are. */
function sentence(where, rows) {
  const measured = rows.filter((row) => row.median !== null)
  if (measured.length < 2) return []
  const level = measured.filter((row) => row.ofBest <= 1 + levelShare).map((row) => row.system)
  const behind = measured.filter((row) => row.ofBest > 1 + levelShare).map(percent)
  const first = level.length === 1 ? `${level[0]} is fastest` : `${level.join(' and ')} are fastest`
  return [`${where}: ${first}${behind.length === 0 ? '' : `, before ${behind.join(', ')}`}`]
}

/** Networks (scenario and uplink queue) with several systems, each with its entries. */
function contests(entries) {
  const byName = new Map()
  for (const entry of entries) {
    const queues = byName.get(entry.name) ?? new Map()
    queues.set(entry.queue, [...(queues.get(entry.queue) ?? []), entry])
    byName.set(entry.name, queues)
  }
  return [...byName].filter(([, queues]) => [...queues.values()].some((each) => each.length > 1))
}

/**
 * A table of all systems for each scenario in which several took part.
 * @param {string} suite
 * @param {Table} table
 * @param {readonly Entry[]} entries
 * @returns {import('../report.mjs').Report[]}
 */
export function comparisons(suite, table, entries) {
  return contests(entries).map(([name, queues]) => {
    const rows = [...queues].flatMap(([, each]) => ranked(each, table[name]))
    const notes = [...queues].flatMap(([queue, each]) =>
      sentence(`${name}, ${queue}`, ranked(each, table[name])),
    )
    const title = `${name}, all systems: ${table[name].about}`
    return { suite, title, columns: comparisonColumns, rows, notes, missed: [] }
  })
}

/**
 * Where each system wins, from the figures: one sentence a system.
 * @param {Table} table
 * @param {readonly Entry[]} entries
 * @returns {string[]}
 */
export function whereEachWins(table, entries) {
  const wins = new Map()
  for (const [name, queues] of contests(entries)) {
    for (const [queue, each] of queues) {
      for (const row of ranked(each, table[name])) {
        const mine = wins.get(row.system) ?? { fastest: [], level: [] }
        wins.set(row.system, mine)
        if (row.median === null || row.ofBest > 1 + levelShare) continue
        ;(row.ofBest === 1 ? mine.fastest : mine.level).push(`${name} ${queue}`)
      }
    }
  }
  return [...wins].map(([system, { fastest, level }]) => {
    const parts = [
      fastest.length === 0 ? 'is fastest nowhere' : `is fastest in ${fastest.join(', ')}`,
      ...(level.length === 0 ? [] : [`level with the fastest in ${level.join(', ')}`]),
    ]
    return `${system} ${parts.join('; ')}`
  })
}
