/**
 * What a master is compared with: the same files over the same lines, by simpler rules. Each file
 * goes in parts, so that whoever has one can pass it on; a node takes four at a time.
 */
import { Network } from '../dist/control/copies/network.js'
import { Random } from '../dist/sim/random.js'
import { Timeline } from '../dist/sim/timeline.js'
import { Flow } from '../dist/sim/wan/flows.js'
import { linesOf } from '../dist/sim/wan/lines.js'

const partsOfFile = 16
const atOnce = 4

export const baselines = {
  /** Everybody copies from where the file was made. */
  direct: ({ origin }) => origin,
  /**
   * One node of each site copies from that of the site before it on the cheapest way from the
   * origin, all others of a site from that one.
   */
  tree: ({ node, first, before, origin }) => {
    if (first(node.site) !== node.name) return first(node.site)
    const site = before(node.site)
    return site === null ? origin : first(site)
  },
  /** From any node that has it by then. */
  random: ({ holders, random }) => random.pick(holders),
}

/** Seconds until everybody has everything, and what it cost. */
export function baseline(scenario, ruleOf) {
  const { topology, nodes, contents } = scenario
  const network = new Network(topology)
  const lines = linesOf(scenario)
  for (const node of nodes) network.addNode(node)
  const timeline = new Timeline()
  const random = new Random(scenario.seed)
  const siteOf = new Map(nodes.map(({ name, site }) => [name, site]))
  const into = new Map(nodes.map(({ name }) => [name, 0]))
  const wanted = []
  const held = new Map()
  for (const { contentId, node: origin, size } of contents)
    for (let i = 0; i < partsOfFile; i++) {
      const part = `${contentId} ${i}`
      held.set(part, [origin])
      for (const node of nodes)
        if (node.name !== origin)
          wanted.push({ part, origin, node, length: Math.max(1, Math.floor(size / partsOfFile)) })
    }
  const first = (site) => nodes.find((node) => node.site === site).name
  const beforeOf = (origin) => (site) => siteBefore(network, siteOf.get(origin), site)
  let open = wanted
  const begin = () => {
    open = open.filter((one) => {
      const { part, origin, node, length } = one
      if (into.get(node.name) >= atOnce) return true
      const holders = held.get(part)
      const source = ruleOf({ node, origin, first, before: beforeOf(origin), holders, random })
      if (!holders.includes(source)) return true
      into.set(node.name, into.get(node.name) + 1)
      const { resources } = network.route(network.nodeId(source), network.nodeId(node.name))
      const flow = new Flow(timeline, {
        lines: resources.map((id) => {
          const { kind, name } = network.resources.spec(id)
          return lines.get(`${kind} ${name}`)
        }),
        ...{ length, rate: Number.POSITIVE_INFINITY, stalled() {} },
        ended() {
          flow.end()
          into.set(node.name, into.get(node.name) - 1)
          holders.push(node.name)
          timeline.after(0, begin)
        },
      })
      return false
    })
  }
  begin()
  while (timeline.step());
  if (open.length > 0) throw new Error(`${open.length} parts came to nobody`)
  let cost = 0
  for (const { bytes, spec } of lines.values()) cost += (bytes / 1e9) * (spec.costPerGb ?? 0)
  return { seconds: timeline.nowMs / 1_000, cost }
}

/** The site before another on the cheapest way from the first; null: it is the first itself. */
function siteBefore(network, from, to) {
  if (from === to) return null
  const [a, b] = [network.siteId(from), network.siteId(to)]
  const { resources } = network.siteRoute(a, b)
  const last = resources.map((id) => network.resources.spec(id)).findLast((s) => s.kind === 'link')
  // The links of the cases are called FROM-TO, by the numbers of sites.
  return `s${last.name.split('-')[0]}`
}
