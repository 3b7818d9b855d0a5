/** Random networks, files and failures: all that is wanted comes, and no link carries too much. */
import { expect, it } from 'vitest'
import type { LinkSpec } from '../../../../src/control/copies/network.js'
import type { ViewKind } from '../../../../src/control/copies/views.js'
import { Random } from '../../../../src/sim/random.js'
import { World } from './world.js'

const MB = 1e6
const views: readonly ViewKind[] = ['near', 'overall', 'changed']

/** Sites in a ring of links both ways, so that each can be reached without any one link. */
function drawn(seed: number): World {
  const from = new Random(seed)
  const random = () => from.next()
  const below = (most: number) => from.integer(0, most - 1)
  const pick = <T>(values: readonly T[]) => from.pick(values)
  const sites = 1 + below(5)
  const links: LinkSpec[] = []
  const add = (from: number, to: number) =>
    links.push({
      ...{ name: `${from}-${to}`, from: `s${from}`, to: `s${to}` },
      ...{ bytesPerSecond: Math.round((0.5 + 5 * random()) * MB), costPerGb: random() / 10 },
      ...(random() < 0.2 && {
        budget: [{ fromMinute: 0, toMinute: 1 + below(3), bytesPerSecond: MB / 2 }],
      }),
    })
  for (let i = 0; i < sites && sites > 1; i++) {
    const next = (i + 1) % sites
    if (sites === 2 && i === 1) break
    add(i, next)
    add(next, i)
  }
  const failing = random() < 0.5 ? random() * 0.3 : 0
  const world = new World({
    topology: {
      sites: Array.from({ length: sites }, (_, i) => ({ name: `s${i}` })),
      links,
      routes: [],
    },
    view: pick(views),
    objective: pick([{ kind: 'all' }, { kind: 'mean' }, { kind: 'first', nodes: 2 }] as const),
    failure: () => (random() < failing ? random() : undefined),
  })
  const nodes = Array.from({ length: 2 + below(15) }, (_, i) =>
    world.node(`n${i}`, `s${below(sites)}`, Math.round((0.5 + 10 * random()) * MB)),
  )
  for (let file = 0; file < 1 + below(5); file++) {
    const holders = new Set([pick(nodes), ...(random() < 0.3 ? [pick(nodes)] : [])])
    world.file(file, Math.round((0.1 + 60 * random()) * MB), [...holders])
    for (const node of nodes)
      if (!holders.has(node) && random() < 0.8)
        world.wants({ file, node, priority: below(11), sinceMs: below(1_000) })
  }
  return world
}

it.each(Array.from({ length: 30 }, (_, i) => i))('seed %i', (seed) => {
  const world = drawn(seed)
  world.run(7_200_000)
  const left = [...world.scheduler.files.values()].flatMap(({ id, demands }) =>
    [...demands.values()].map(({ node, state }) => ({ file: id, node, state })),
  )
  expect(left).toEqual([])
  expect(world.running.size).toBe(0)
  if (world.failed > 0) return
  for (const [key, bytes] of world.crossed) {
    const size = world.scheduler.files.get(Number(key.split(' ')[0]))?.holders.size
    expect(bytes).toBeLessThanOrEqual(size as number)
  }
})
