/**
 * The list of suites and the order of events of `fr-bench`. A suite is an object `{ name, about,
 * run(options) }`. Its `run` resolves to one or several reports (report.mjs; `isFailed` when a part
 * failed), throws Obstacle when this machine cannot run it, and any other error when the product
 * failed. A suite of several has `parts(options)` instead of `run`; all parts run, whatever happens
 * to the others.
 *
 * Missed target values (wanted.mjs) are listed at the end and do not change the exit status.
 */
import { existsSync } from 'node:fs'
import { bareLan, disk, net } from './bare.mjs'
import { coding } from './coding.mjs'
import { disks } from './disks.mjs'
import { engine } from './engine.mjs'
import { follow } from './follow.mjs'
import { limits } from './limits.mjs'
import { loopback } from './loopback.mjs'
import { machineLine } from './machine.mjs'
import { memory } from './memory.mjs'
import { micro } from './micro.mjs'
import { publish } from './publish.mjs'
import { reportText } from './report.mjs'
import { writeResults } from './results.mjs'
import { resume } from './resume.mjs'
import { seal } from './seal.mjs'
import { serve } from './serve.mjs'
import { small } from './small.mjs'
import { tree } from './tree.mjs'
import { versions } from './versions.mjs'
import { missedText } from './wanted.mjs'
import { main, Obstacle, requireRepository } from './workspace.mjs'

/** A suite of the lab, which the published package does not contain. */
const ofLab = (name, about) => ({
  name,
  about,
  async parts(options) {
    if (name === 'lan' && options.nodesFile !== undefined) return [bareLan]
    requireRepository()
    const { [name]: suite } = await import('./lab/all.mjs')
    return suite.parts?.(options) ?? [suite]
  },
})

export const suites = [
  loopback,
  disk,
  net,
  engine,
  small,
  seal,
  serve,
  memory,
  resume,
  tree,
  coding,
  versions,
  follow,
  publish,
  disks,
  limits,
  micro,
  {
    name: 'wan',
    about: 'a master over links between sites, simulated: cost, time, decisions (repository)',
    async parts() {
      requireRepository()
      const { wanParts } = await import('./wan.mjs')
      return wanParts
    },
  },
  ofLab(
    'fast',
    'beside plain copies and chains, where the processor is the limit (root, repository)',
  ),
  ofLab('lan', 'real machines (--nodes); else 8 namespaces, 200 Mbit/s each (root, repository)'),
  ofLab('groups', 'groups in a chain, long ways, small files to 32 nodes (root, repository)'),
  ofLab('faults', 'nodes and the origin killed, hung, restarted; survivors (root, repository)'),
  ofLab('lab', 'all that has a wanted value: scenarios, small files, loopback (root, repository)'),
]

/**
 * `request` is `{ suites, json, out, quick, command, ...options of the suites }`. Returns the exit
 * status: 0, 1 when a suite failed, 2 when one cannot run here.
 */
export async function runSuites(request, stdout, stderr) {
  if (!existsSync(main)) {
    stderr('fr-bench: dist/ is not built; run: npm run build\n')
    return 2
  }
  const { suites: names, json, out, command, ...options } = request
  const machine = machineLine()
  const where = { out, json, machine, command, stdout, isQuick: options.quick }
  const printed = { ...where, missed: [], isJudged: false }
  if (!json) stdout(`${machine}\n`)
  let status = 0
  for (const name of names) {
    const suite = suites.find((each) => each.name === name)
    const say = (text) => stderr(`${name}: ${text}\n`)
    const attempt = async (act) => {
      try {
        return await act()
      } catch (error) {
        const isObstacle = error instanceof Obstacle
        stderr(`fr-bench ${name}: ${isObstacle ? error.message : error.stack}\n`)
        status = Math.max(status, isObstacle ? 2 : 1)
        return []
      }
    }
    for (const part of await attempt(() => suite.parts?.(options) ?? [suite])) {
      const reports = await attempt(async () => [await part.run({ ...options, say })].flat())
      for (const report of reports) {
        print(report, printed)
        if (report.isFailed) status = Math.max(status, 1)
      }
    }
  }
  if (!json && (printed.isJudged || printed.missed.length > 0)) {
    stdout(`\n${missedText(printed.missed, printed.isJudged)}`)
  }
  return status
}

/** Prints to stdout, and to a file if one is given. */
function print(report, printed) {
  const { out, json, machine, command, stdout, isQuick } = printed
  const date = new Date().toISOString()
  stdout(
    json
      ? `${JSON.stringify({ event: 'bench', date, machine, command, ...report })}\n`
      : `\n${reportText(report)}`,
  )
  const circumstances = { machine, command, date: date.slice(0, 10), isQuick }
  if (out !== undefined) writeResults(out, report, circumstances)
  printed.missed.push(...(report.missed ?? []))
  printed.isJudged ||= report.isJudged === true
}
