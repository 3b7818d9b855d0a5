/**
 * What `fr-bench` loads: the list of suites and the order of events. A suite is an object
 * `{ name, about, run(options) }`. Its `run` resolves to a report (report.mjs; `isFailed` where
 * some of it went wrong), throws Obstacle when this machine cannot do it, and any other error when
 * the product failed.
 */
import { existsSync } from 'node:fs'
import { engine } from './engine.mjs'
import { lab, lan } from './lab/suites.mjs'
import { loopback } from './loopback.mjs'
import { machineLine } from './machine.mjs'
import { memory } from './memory.mjs'
import { micro } from './micro.mjs'
import { appendResults, reportText } from './report.mjs'
import { small } from './small.mjs'
import { main, Obstacle } from './workspace.mjs'

export const suites = [loopback, engine, small, memory, micro, lan, lab]

/**
 * `request`: `{ suites, json, out, quick, command, ...options of the suites }`. Returns the exit
 * status: 0, 1 when a suite failed, 2 when one cannot run here.
 */
export async function runSuites(request, stdout, stderr) {
  if (!existsSync(main)) {
    stderr('fr-bench: dist/ is not built; run: npm run build\n')
    return 2
  }
  const { suites: names, json, out, command, ...options } = request
  const machine = machineLine()
  if (!json) stdout(`${machine}\n`)
  let status = 0
  for (const name of names) {
    const suite = suites.find((each) => each.name === name)
    const say = (text) => stderr(`${name}: ${text}\n`)
    try {
      const report = await suite.run({ ...options, say })
      const date = new Date().toISOString()
      stdout(
        json
          ? `${JSON.stringify({ event: 'bench', date, machine, command, ...report })}\n`
          : `\n${reportText(report)}`,
      )
      if (out !== undefined)
        appendResults(out, report, { machine, command, date: date.slice(0, 10) })
      if (report.isFailed) status = Math.max(status, 1)
    } catch (error) {
      const isObstacle = error instanceof Obstacle
      stderr(`fr-bench ${name}: ${isObstacle ? error.message : error.stack}\n`)
      status = Math.max(status, isObstacle ? 2 : 1)
    }
  }
  return status
}
