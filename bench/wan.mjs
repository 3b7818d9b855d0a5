/**
 * A master over links between sites, simulated: what its schedules cost and how long they take
 * beside the least that any schedule costs in that time, and beside simpler rules; and how long one
 * decision takes with 1,000 sites, 10,000 nodes and 1,000,000 demands.
 */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { WanWorld } from '../dist/sim/wan/world.js'
import { median } from './report.mjs'
import { baseline, baselines } from './wan-baselines.mjs'
import { caseOf, cases, quickCases } from './wan-cases.mjs'

const worstWanted = 1.3
const medianWanted = 1.15
const decisionMsWanted = 1
const memoryMibWanted = 2_048

/** The master's run of a case: seconds until all is everywhere, and what it cost. */
export function masterRun(scenario) {
  const world = new WanWorld(scenario, false)
  world.run()
  const seconds = Math.max(...world.doneMs.values()) / 1_000
  return { seconds, cost: world.cost, done: world.doneMs.size }
}

/** The least cost of a case in so many seconds. */
export async function boundOf({ topology, nodes, contents }, seconds) {
  const { leastCost } = await import('./wan-bound.mjs')
  const siteOf = new Map(nodes.map(({ name, site }) => [name, site]))
  const spreads = contents.map(({ node, size }) => {
    const holders = [siteOf.get(node)]
    const wanting = topology.sites.map(({ name }) => name).filter((name) => name !== holders[0])
    return { bytes: size, holders, wanting }
  })
  return await leastCost(topology, spreads, seconds)
}

async function costs({ quick, say }) {
  const rows = []
  const ratios = []
  for (const each of quick ? quickCases : cases) {
    const scenario = caseOf(each)
    const where = `${each.sites} sites, ${each.files} files, ${scenario.nodes.length} nodes`
    const own = masterRun(scenario)
    const bound = await boundOf(scenario, own.seconds)
    if (bound === null) throw new Error(`${where}: the bound cannot be what the master did`)
    ratios.push(own.cost / bound)
    rows.push({ where, name: 'master', ...own, ofBound: own.cost / bound })
    for (const [name, rule] of Object.entries(baselines)) {
      const { seconds, cost } = baseline(scenario, rule)
      const ratio = { ofCost: cost / own.cost, ofTime: seconds / own.seconds }
      rows.push({ where, name, seconds, cost, ofBound: cost / bound, ...ratio })
    }
    say(where)
  }
  const [middle, worst] = [median(ratios), Math.max(...ratios)]
  const judged = [
    ['median', middle, medianWanted],
    ['worst', worst, worstWanted],
  ]
  return {
    suite: 'wan',
    title: 'what copies between sites cost, simulated',
    columns: [
      { key: 'where', title: 'what' },
      { key: 'name', title: 'who decides' },
      { key: 'seconds', title: 'seconds', digits: 1 },
      { key: 'cost', title: 'cost', digits: 3 },
      { key: 'ofBound', title: 'of the bound', digits: 3 },
      { key: 'ofCost', title: "of the master's cost" },
      { key: 'ofTime', title: 'of its time' },
    ],
    rows,
    isJudged: true,
    missed: judged
      .filter(([, ratio, wanted]) => ratio > wanted)
      .map(([what, ratio, wanted]) => `wan: ${what} ${ratio.toFixed(3)} (wanted: <= ${wanted})`),
    matters: judged.map(([what, ratio, wanted]) => ({
      what: `cost of copies between sites, ${what} of ${rows.length / 4} networks, simulated`,
      of: 'the least in that time (linear program)',
      measured: ratio.toFixed(3),
      wanted: `<= ${wanted}`,
      met: ratio <= wanted ? 'yes' : 'no',
      cpu: null,
    })),
    notes: [
      'the bound: the linear program of flows over the links, in the time that the master took',
      'direct, tree, random: the same lines without a master (wan-baselines.mjs)',
    ],
  }
}

async function scale({ quick, say }) {
  const [sites, nodes, files, copies] = quick ? [20, 60, 4, 200] : [1_000, 10_000, 100, 100_000]
  say(`${sites} sites, ${nodes} nodes, ${nodes * files} demands`)
  const script = path.join(import.meta.dirname, 'wan-scale.mjs')
  const args = ['--max-old-space-size=8192', script, ...[sites, nodes, files, copies].map(String)]
  const found = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
  const what = `${sites} sites, ${nodes} nodes, ${found.demands} demands`
  const judged = [
    [`one decision, ${what}`, found.medianMs, decisionMsWanted, 'ms of a processor, median'],
    [`memory of a master, ${what}`, found.peakMib, memoryMibWanted, 'MiB'],
  ]
  return {
    suite: 'wan',
    title: `one master with ${what}`,
    columns: [
      { key: 'firstSeconds', title: 'until the first decision, s', digits: 1 },
      { key: 'begun', title: 'copies', digits: 0 },
      { key: 'looked', title: 'decisions', digits: 0 },
      { key: 'medianMs', title: 'ms a decision, median', digits: 3 },
      { key: 'turnMs', title: 'mean', digits: 3 },
      { key: 'p99Ms', title: 'p99', digits: 3 },
      { key: 'longestMs', title: 'longest turn, ms', digits: 0 },
      { key: 'endedMs', title: 'ms for the end of a copy', digits: 3 },
      { key: 'peakMib', title: 'memory, MiB', digits: 0 },
    ],
    rows: [found],
    isJudged: true,
    missed: judged
      .filter(([, value, wanted]) => value > wanted)
      .map(([name, value, wanted]) => `${name}: ${value.toFixed(2)} (wanted: <= ${wanted})`),
    matters: judged.map(([name, value, wanted, unit]) => ({
      ...{ what: name, of: unit, measured: value.toFixed(2), wanted: `<= ${wanted}` },
      ...{ met: value <= wanted ? 'yes' : 'no', cpu: null },
    })),
    notes: ['processor time; a decision: a copy begins, or what its demand waits for is known'],
  }
}

export const wanParts = [{ run: costs }, { run: scale }]
