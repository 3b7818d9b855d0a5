/**
 * The contests of the suite `fast`, as data, and their tables. Pure: nothing here runs anything.
 *
 * In a contest `fr push` and other systems put the same file on the same nodes in turns. `network`
 * is 'loopback' (one namespace for all), or a lab: `unshaped` links, `shared` (one queue of
 * 160 Mbit/s that carries every byte of everybody), or `lan8`. `args` are for every `fr push`.
 *
 * `wanted` lists targets for `fr push` with its defaults: the median of a figure is at most `most`
 * times that of the best of the systems in `of`, or at most `most` itself without `of`.
 */
import { median, spread } from '../report.mjs'
import { judge } from '../wanted.mjs'

const KIB = 2 ** 10
const MIB = 2 ** 20
const GIB = 2 ** 30

export const pushed = 'fr push'
const classic = 'fr push, classic'
const unicast = 'fr push, unicast'
const simpler = [classic, unicast]
const xxh64 = ['--digest', 'xxh64']
const blake3 = ['--digest', 'blake3']

/**
 * @typedef {'seconds' | 'busyPerGB' | 'firstByteSeconds'} Figure
 * @typedef {{ figure: Figure, of?: readonly string[], most: number }} Target
 * @typedef {{
 *   about: string,
 *   network: 'loopback' | 'unshaped' | 'shared' | 'lan8',
 *   nodes: number,
 *   bytes: number,
 *   args: readonly string[],
 *   systems: readonly string[],
 *   wanted: readonly Target[],
 *   quick: { nodes: number, bytes: number, systems?: readonly string[] },
 * }} Contest
 * @typedef {{
 *   seconds: number,
 *   cpuPerGB: number,
 *   busyPerGB: number,
 *   firstByteSeconds?: number | null,
 * }} Trial
 */

const seconds = (of, most) => ({ figure: /** @type {const} */ ('seconds'), of, most })
const quick = { nodes: 2, bytes: 4 * MIB }
const oneNode = {
  nodes: 1,
  bytes: GIB,
  args: xxh64,
  systems: [pushed, 'nginx', 'rsync'],
  wanted: [seconds(['nginx'], 1.05), seconds(['rsync'], 0.7)],
  quick: { nodes: 1, bytes: 4 * MIB },
}

/** @type {Readonly<Record<string, Contest>>} */
export const contests = {
  unshaped4: {
    about: '4 nodes, 1 GiB, xxh64, links without a limit',
    network: 'unshaped',
    nodes: 4,
    bytes: GIB,
    args: xxh64,
    systems: [pushed, ...simpler, 'nginx', 'rsync', 'mbuffer'],
    wanted: [seconds(['nginx'], 1.2), seconds(['rsync'], 0.85), seconds(simpler, 1.02)],
    quick,
  },
  blake3: {
    about: '4 nodes, 1 GiB, blake3, links without a limit',
    network: 'unshaped',
    nodes: 4,
    bytes: GIB,
    args: blake3,
    systems: [pushed, ...simpler, 'nginx', 'nginx, b3sum'],
    wanted: [seconds(['nginx'], 1.35), seconds(['nginx, b3sum'], 0.95), seconds(simpler, 1.02)],
    quick: { ...quick, systems: [pushed, 'nginx', 'nginx, b3sum'] },
  },
  one: { ...oneNode, about: '1 node, 1 GiB, xxh64, a link without a limit', network: 'unshaped' },
  'one-loopback': { ...oneNode, about: '1 node, 1 GiB, xxh64, loopback', network: 'loopback' },
  shared30: {
    about: '30 nodes, 12 MB, one queue of 160 Mbit/s for every byte of everybody',
    network: 'shared',
    nodes: 30,
    bytes: 12e6,
    args: [],
    systems: [pushed, unicast],
    wanted: [seconds([unicast], 1.15)],
    quick: { nodes: 2, bytes: 256 * KIB },
  },
  lan8: {
    about: '8 nodes, 128 MiB, every link 200 Mbit/s',
    network: 'lan8',
    nodes: 8,
    bytes: 128 * MIB,
    args: [],
    systems: [pushed, 'mbuffer'],
    wanted: [
      { figure: 'busyPerGB', of: ['mbuffer'], most: 1.35 },
      { figure: 'firstByteSeconds', most: 0.06 },
    ],
    quick,
  },
}

/** What a stranger would call a system. */
const titles = {
  nginx: 'nginx + curl',
  'nginx, b3sum': 'nginx + curl, then b3sum',
  rsync: 'rsync --whole-file',
  mbuffer: 'chain of mbuffer',
}
const titleOf = (name) => titles[name] ?? name

/**
 * The same contest, small and short, perhaps with fewer systems.
 * @param {Contest} contest
 * @returns {Contest}
 */
export function quickContest(contest) {
  const made = { ...contest, ...contest.quick, about: `${contest.about} (made small)` }
  const isThere = ({ of = [] }) => of.every((name) => made.systems.includes(name))
  return { ...made, wanted: contest.wanted.filter(isThere) }
}

const figures = {
  seconds: { name: 'seconds, start to exit', unit: 's' },
  busyPerGB: { name: 'CPU-s/GB of the whole machine', unit: '' },
  firstByteSeconds: { name: 'first contact to the first payload at every node', unit: 's' },
}

const text = (value, unit) => `${value.toFixed(3)}${unit && ` ${unit}`}`

/** Values of the rounds one by one; null where a round has none. */
const valuesOf = (trials, figure) => {
  const values = (trials ?? []).map((trial) => trial[figure] ?? null)
  return values.length === 0 || values.includes(null) ? null : values
}

/** The ratio of the medians, and between which ratios the rounds are. */
function ratioText(value, mine, its) {
  const ratios = mine.slice(0, its.length).map((each, at) => each / its[at])
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)]
  const between = ratios.length < 2 ? '' : ` (${least.toFixed(2)}-${most.toFixed(2)})`
  return `${value.toFixed(2)}${between}`
}

/** The best of the systems of a target that were measured: `{ name, values }`, or null. */
function rivalOf({ figure, of = [] }, trials) {
  const measured = of
    .map((name) => ({ name, values: valuesOf(trials.get(name), figure) }))
    .filter(({ values }) => values !== null)
  return measured.sort((one, other) => median(one.values) - median(other.values))[0] ?? null
}

/**
 * A line for a target: what was measured, whether it is what is wanted.
 * @param {Contest} contest
 * @param {Target} target
 * @param {ReadonlyMap<string, readonly Trial[]>} trials
 */
function verdictOf(contest, target, trials) {
  const { figure, of, most } = target
  const { name, unit } = figures[figure]
  const values = valuesOf(trials.get(pushed), figure)
  const rival = rivalOf(target, trials)
  const isComplete = values !== null && (of === undefined || rival !== null)
  const value = isComplete ? median(values) / (rival === null ? 1 : median(rival.values)) : null
  const against = of?.map(titleOf).join(' or ') ?? null
  const label = against === null ? contest.about : `${contest.about}: ${name}`
  const ratioName = against === null ? name : `of ${against}`
  const asked = { [ratioName]: most }
  const verdict = judge(label, asked, { [ratioName]: value }, against === null ? 3 : 2)
  const both =
    rival && isComplete && `${text(median(values), unit)} / ${text(median(rival.values), unit)}`
  return {
    name: against === null ? `${pushed}: ${name}` : `${pushed} / ${against}: ${name}`,
    ratio:
      value === null
        ? null
        : rival === null
          ? text(value, unit)
          : ratioText(value, values, rival.values),
    ...verdict,
    met: verdict.met?.startsWith('no') ? 'no' : verdict.met,
    matter: value !== null && {
      what: `${contest.about}: ${name}`,
      of: against ?? '-',
      measured: both ? `${value.toFixed(2)}: ${both}` : text(value, unit),
      cpu: cpuText(trials, rival),
    },
  }
}

function cpuText(trials, rival) {
  const cpu = (name) => valuesOf(trials.get(name), 'cpuPerGB')
  const mine = cpu(pushed)
  if (mine === null) return null
  const its = rival === null ? null : cpu(rival.name)
  const of = its === null ? '' : `, ${titleOf(rival.name)} ${median(its).toFixed(2)}`
  return `${median(mine).toFixed(2)}${of}`
}

/**
 * The report of a contest. `missing`: why systems were not measured, by name.
 * @param {Contest} contest
 * @param {ReadonlyMap<string, readonly Trial[]>} trials
 * @param {ReadonlyMap<string, string>} missing
 * @param {readonly string[]} failures
 * @returns {import('../report.mjs').Report}
 */
export function contestReport(contest, trials, missing, failures = []) {
  const delivered = (contest.nodes * contest.bytes) / 1e9
  const rows = contest.systems.map((name) => {
    const all = trials.get(name) ?? []
    const spreadOf = (figure, digits) => {
      const values = valuesOf(all, figure)
      return values && spread(values, digits)
    }
    return {
      name: titleOf(name),
      seconds: missing.get(name) ?? spreadOf('seconds', 2) ?? 'failed',
      rate: all.length === 0 ? null : delivered / median(all.map((trial) => trial.seconds)),
      cpu: spreadOf('cpuPerGB', 2),
      busy: spreadOf('busyPerGB', 2),
      trials: all,
    }
  })
  const verdicts = contest.wanted.map((target) => verdictOf(contest, target, trials))
  const rounds = Math.max(...rows.map((row) => row.trials.length))
  return {
    suite: 'fast',
    title: `${contest.about}, ${rounds} rounds in turns: median (min-max)`,
    columns: [
      { key: 'name', title: 'program' },
      { key: 'seconds', title: 'start to exit, s' },
      { key: 'rate', title: 'delivered GB/s' },
      { key: 'cpu', title: 'CPU-s/GB' },
      { key: 'busy', title: 'machine CPU-s/GB' },
      { key: 'ratio', title: 'ratio' },
      { key: 'wanted', title: 'wanted' },
      { key: 'met', title: 'met' },
    ],
    rows: [...rows, ...verdicts],
    isJudged: true,
    isFailed: failures.length > 0,
    missed: verdicts.flatMap((each) => each.missed),
    matters: verdicts.flatMap(({ matter, wanted, met }) =>
      matter ? [{ ...matter, wanted, met }] : [],
    ),
    notes: failures.map((each) => `FAILED: ${each}`),
  }
}
