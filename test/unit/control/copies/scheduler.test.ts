import { describe, expect, it } from 'vitest'
import type { LinkSpec, TopologySpec } from '../../../../src/control/copies/network.js'
import { World } from './world.js'

const MB = 1e6

function link(from: string, to: string, bytesPerSecond: number, costPerGb = 0): LinkSpec {
  return { name: `${from}-${to}`, from, to, bytesPerSecond, costPerGb }
}

const topology = (...links: LinkSpec[]): TopologySpec => ({
  sites: [...new Set(links.flatMap(({ from, to }) => [from, to]))].map((name) => ({ name })),
  links,
  routes: [],
})

describe('CopyScheduler', () => {
  it('brings a file to all of a site over the link between the sites once', () => {
    const world = new World({ topology: topology(link('a', 'b', 10 * MB)) })
    const origin = world.node('o', 'a')
    const nodes = [1, 2, 3, 4].map((i) => world.node(`n${i}`, 'b'))
    world.file(1, 400 * MB, [origin])
    for (const node of nodes) world.wants({ file: 1, node })
    const ms = world.run()
    expect(world.open).toBe(0)
    expect(world.crossed.get('1 1')).toBe(400 * MB)
    // 40 s over the link, and the last piece goes on inside.
    expect(ms).toBeLessThan(50_000)
    expect(ms).toBeGreaterThanOrEqual(40_000)
  })

  it('has a far site from the near one that has the file already, where that costs less', () => {
    const world = new World({
      topology: topology(
        link('a', 'b', 10 * MB, 0.01),
        link('b', 'c', 10 * MB, 0.01),
        link('a', 'c', 10 * MB, 0.1),
      ),
      slack: 2,
    })
    const origin = world.node('o', 'a', 100 * MB)
    const [b, c] = [world.node('b', 'b', 100 * MB), world.node('c', 'c', 100 * MB)]
    world.file(1, 200 * MB, [origin])
    world.wants({ file: 1, node: b })
    world.wants({ file: 1, node: c })
    world.run()
    expect(world.open).toBe(0)
    const carried = (name: string) => {
      const id = [...Array(world.network.resources.count).keys()].find(
        (i) => world.network.resources.spec(i).name === name,
      ) as number
      return world.carried.get(id) ?? 0
    }
    expect(carried('a-b')).toBe(200 * MB)
    expect(carried('b-c')).toBe(200 * MB)
    expect(carried('a-c')).toBe(0)
  })

  it('a way that has brought its part brings some of what another one would', () => {
    const world = new World({
      topology: topology(
        link('a', 'b', 10 * MB, 0.01),
        link('b', 'c', 5 * MB, 0.01),
        link('a', 'c', 5 * MB, 0.005),
      ),
      slack: 1,
    })
    const [origin, b, c] = ['a', 'b', 'c'].map((site) => world.node(site, site, 100 * MB))
    world.file(1, 100 * MB, [origin as number])
    for (const node of [b, c]) world.wants({ file: 1, node: node as number })
    // Both ways into c together take 10 s, and what comes by way of b has to be there first.
    expect(world.run()).toBeLessThan(12_000)
    expect(world.open).toBe(0)
  })

  it('gives a copy that began with little what others leave', () => {
    const world = new World()
    const origin = world.node('o', 'a', 10 * MB)
    const [one, other] = [world.node('l', 'a', 100 * MB), world.node('h', 'a', 100 * MB)]
    const bytes = 4 * 2 ** 20
    for (const [file, node] of [
      [1, one],
      [2, other],
    ] as const) {
      world.file(file, bytes, [origin])
      world.wants({ file, node })
    }
    // The first takes half a second; what it leaves would be enough for the other in 2.6 s.
    expect(world.run()).toBeLessThan(1_200)
    expect(world.open).toBe(0)
  })

  it('serves the higher priority first', () => {
    const world = new World()
    const origin = world.node('o', 'a', 10 * MB)
    const [low, high] = [world.node('l', 'a', 100 * MB), world.node('h', 'a', 100 * MB)]
    world.file(1, 100 * MB, [origin])
    world.file(2, 100 * MB, [origin])
    world.wants({ file: 1, node: low, priority: 1 })
    world.wants({ file: 2, node: high, priority: 9 })
    world.run(11_000)
    expect(world.scheduler.files.get(2)?.holders.bytesAt(high)).toBe(100 * MB)
    expect(world.scheduler.files.get(1)?.holders.bytesAt(low)).toBeLessThan(20 * MB)
    world.run()
    expect(world.open).toBe(0)
  })

  it('goes round a link that fails, and takes it again after a while', () => {
    let isDown = true
    const world = new World({
      topology: topology(
        link('a', 'b', 10 * MB, 0.01),
        link('a', 'c', 10 * MB, 0.05),
        link('c', 'b', 10 * MB, 0.05),
      ),
      failure: (copy, { network }) =>
        isDown && copy.route.some((id) => network.resources.spec(id).name === 'a-b')
          ? 0
          : undefined,
    })
    const origin = world.node('o', 'a', 100 * MB)
    const [b, c] = [world.node('b', 'b', 100 * MB), world.node('c', 'c', 100 * MB)]
    world.file(1, 200 * MB, [origin])
    world.wants({ file: 1, node: b })
    world.wants({ file: 1, node: c })
    world.run(60_000)
    expect(world.open).toBe(0)
    const failed = world.components.records(world.nowMs).filter(([, { failures }]) => failures > 0)
    expect(
      failed.map(([{ kind, id }]) => [kind, world.network.resources.spec(id).name]),
    ).toContainEqual(['resource', 'a-b'])
    isDown = false
    world.file(2, 50 * MB, [origin])
    world.wants({ file: 2, node: b })
    world.run()
    expect(world.open).toBe(0)
  })

  it('uses a link only as its budget says at that time of the day', () => {
    const hour = 600_000
    const world = new World({
      topology: topology({
        ...link('a', 'b', 1 * MB),
        budget: [{ fromMinute: 10, toMinute: 20, bytesPerSecond: 10 * MB }],
      }),
    })
    const [origin, node] = [world.node('o', 'a'), world.node('n', 'b')]
    world.file(1, 9_000 * MB, [origin])
    world.wants({ file: 1, node })
    world.run(hour)
    const before = world.scheduler.files.get(1)?.holders.bytesAt(node) as number
    expect(before).toBeGreaterThan(580 * MB)
    expect(before).toBeLessThanOrEqual(600 * MB)
    world.run(2 * hour)
    const then = (world.scheduler.files.get(1)?.holders.bytesAt(node) as number) - before
    expect(then).toBeGreaterThan(5_700 * MB)
    expect(then).toBeLessThanOrEqual(6_000 * MB)
  })

  it.each(['near', 'overall', 'changed'] as const)(
    'serves all that is wanted in view %s',
    (view) => {
      const world = new World({
        view,
        topology: topology(link('a', 'b', 20 * MB), link('b', 'a', 20 * MB)),
      })
      const nodes = Array.from({ length: 12 }, (_, i) => world.node(`n${i}`, i < 6 ? 'a' : 'b'))
      for (let file = 0; file < 6; file++) world.file(file, 60 * MB, [nodes[file * 2] as number])
      for (const node of nodes)
        for (let file = 0; file < 6; file++)
          if (nodes[file * 2] !== node) world.wants({ file, node })
      const ms = world.run()
      expect(world.open).toBe(0)
      for (let file = 0; file < 6; file++) {
        const other = file < 3 ? 1 : 0
        expect(world.crossed.get(`${file} ${other}`)).toBe(60 * MB)
      }
      // Each node lacks 300 to 360 MB, at 12.5 MB/s.
      expect(ms).toBeLessThan(1.6 * 28_800)
    },
  )
})
