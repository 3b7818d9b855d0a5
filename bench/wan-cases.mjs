/** Networks of sites with prices, on which masters are compared with a bound and with baselines. */
import { Random } from '../dist/sim/random.js'
import { calm } from '../dist/sim/wan/scenario.js'

const MB = 1e6
const mate = 1_250 * MB

/** Sites at random places; a link costs about its length. `files`: each is made at one node. */
export function caseOf({ seed, sites: count, files, perSite, slack }) {
  const random = new Random(seed)
  const places = Array.from({ length: count }, () => [random.next(), random.next()])
  const links = []
  const pairs = new Set()
  const add = (a, b) => {
    const key = `${Math.min(a, b)} ${Math.max(a, b)}`
    if (a === b || pairs.has(key)) return
    pairs.add(key)
    const [[ax, ay], [bx, by]] = [places[a], places[b]]
    for (const [one, other] of [
      [a, b],
      [b, a],
    ])
      links.push({
        ...{ name: `${one}-${other}`, from: `s${one}`, to: `s${other}` },
        bytesPerSecond: Math.round(random.between(5, 45) * MB),
        costPerGb: 0.08 * Math.hypot(ax - bx, ay - by) + random.between(0, 0.02),
      })
  }
  for (let site = 1; site < count; site++) add(random.integer(0, site - 1), site)
  for (let i = 0; i < 1.5 * count; i++)
    add(random.integer(0, count - 1), random.integer(0, count - 1))
  const nodes = Array.from({ length: count * perSite }, (_, i) => ({
    ...{ name: `n${i}`, site: `s${i % count}`, attributes: {}, latencyMs: 20 },
    ...{ up: { bytesPerSecond: mate }, down: { bytesPerSecond: mate }, lineBytesPerSecond: mate },
    ...{ diskBytes: 1e15, lies: [], corrupts: false },
  }))
  const contents = Array.from({ length: files }, (_, i) => ({
    ...{ contentId: `c${i}`, name: `f${i}`, node: random.pick(nodes).name, atMs: 0, growth: [] },
    size: Math.round(random.between(1, 4) * 1_000 * MB),
  }))
  const set = {
    ...{ name: 'all', priority: 5, where: { type: 'has', key: 'name' }, never: null, from: null },
    files: contents.map(({ name }) => ({ name, digest: null })),
  }
  return {
    ...calm,
    ...{ seed, topology: { sites: places.map((_, i) => ({ name: `s${i}` })), links, routes: [] } },
    ...{ nodes, contents, slack, horizonMs: 864e5, sets: [{ atMs: 0, sets: [set] }] },
  }
}

/** Small enough for a look whether it works. */
export const quickCases = [{ seed: 6, sites: 4, files: 1, perSite: 2, slack: 1.25 }]

export const cases = [
  { seed: 1, sites: 6, files: 4, perSite: 3, slack: 1.25 },
  { seed: 2, sites: 9, files: 4, perSite: 3, slack: 1.25 },
  { seed: 3, sites: 12, files: 2, perSite: 2, slack: 1.25 },
  { seed: 4, sites: 20, files: 2, perSite: 2, slack: 1.25 },
  { seed: 5, sites: 30, files: 1, perSite: 2, slack: 1.25 },
]
