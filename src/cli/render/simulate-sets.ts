/** What `fr simulate --topology` shows. Pure string building. */
import type { SimulateSetsResult } from '../../api/simulate-sets-types.js'
import type { Paint } from './text.js'
import { count, formatBytes } from './units.js'

const titleWidth = 12
const linksShown = 10

export function simulateSetsLines(result: SimulateSetsResult, paint: Paint): string[] {
  const { sites, nodes, files, bytes, seconds, missing, crossedBytes, copies, cost } = result
  const { leastSeconds, direct, unmeant } = result
  const where = `${count(nodes, 'node')} in ${count(sites, 'site')}`
  const facts: [string, string][] = [
    ['sets', `${count(files, 'file')}, ${formatBytes(bytes)} to ${where}`],
    ['bound', secondsText(leastSeconds)],
    ['simulated', seconds === null ? 'not all of it comes' : secondsText(seconds)],
    ['copies', `${copies}, ${formatBytes(crossedBytes)} between sites`],
    ['cost', cost.toFixed(4)],
    ['direct', `at least ${secondsText(direct.seconds)}, ${direct.cost.toFixed(4)}`],
  ]
  if (unmeant.length > 0) facts.push(['for nobody', unmeant.join(', ')])
  if (missing > 0) facts.push(['missing', `${count(missing, 'file')} of nodes`])
  for (const link of result.links.slice(0, linksShown)) {
    const use = link.use === null ? '' : `, ${(100 * link.use).toFixed(1)}% of it`
    facts.push(['link', `${link.name}: ${formatBytes(link.bytes)}${use}, ${link.cost.toFixed(4)}`])
  }
  const left = result.links.length - linksShown
  if (left > 0) facts.push(['', `and ${left} more`])
  return facts.map(([title, text]) => `${paint('bold', title.padEnd(titleWidth))}${text}`)
}

function secondsText(seconds: number | null): string {
  return seconds === null ? 'for ever' : `${seconds.toFixed(2)} s`
}
