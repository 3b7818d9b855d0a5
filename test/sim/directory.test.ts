/** The shipping machines of a directory, among many nodes, on a virtual clock. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.js'
import type { Directory } from '../../src/control/directory/directory.js'
import {
  depthOf,
  looped,
  parentOf,
  rootsOf,
  wrongRollUps,
} from '../../src/sim/directory/invariants.js'
import { DirectoryWorld, epochMs, type SimNode } from '../../src/sim/directory/world.js'
import { Random } from '../../src/sim/random.js'
import { announcementOf } from '../unit/control/directory/announcements.js'

const minuteMs = 60_000
/** 10,000 take two minutes. */
const count = Number(process.env['FR_DIRECTORY_NODES'] ?? 1_500)

function announce(world: DirectoryWorld, node: SimNode, name: string): void {
  const initiator = { nodeId: node.nodeId, address: node.spec.name, site: '' }
  const issuedAtMs = epochMs + world.nowMs
  world.announce(node, announcementOf({ name, initiator, issuedAtMs }))
}

function heard(node: SimNode): string[] {
  return node.told.map(({ announcement }) => announcement.name)
}

describe('a directory', () => {
  it('asks few of many nodes for what few have, and all hear of what is announced', () => {
    const world = new DirectoryWorld(1)
    const spec = { parents: ['n0'], maxChildren: 16 }
    const sites = 100
    for (let i = 0; i < count; i++) {
      const attributes = { site: `s${i % sites}`, tier: i % 2 === 0 ? 'edge' : 'core' }
      world.start({ ...spec, name: `n${i}`, attributes, parents: i === 0 ? [] : ['n0'] })
      if (i % 20 === 19) world.run(20)
    }
    world.run(20_000)
    const root = world.nodes.get('n0') as SimNode
    expect(rootsOf(world)).toEqual([root])
    expect(wrongRollUps(world)).toEqual([])
    expect(root.machine?.tree.rollUps.below.count).toBe(count - 1)
    const depths = [...world.nodes.values()].map((node) => depthOf(world, node))
    expect(Math.max(...depths)).toBeLessThanOrEqual(12)
    const from = world.nodes.get('n1321') as SimNode
    const answer = world.where(from, 'site=s7')
    const all = world.where(from, 'site=s7 || !tier=core')
    const none = world.where(from, 'site=nowhere && tier=edge')
    world.run(2_000)
    expect(answer).toMatchObject({ isWhole: true })
    expect(answer.nodes.length).toBe(count / sites)
    expect(answer.asked).toBeLessThan(0.05 * count)
    expect(all.nodes.length).toBe(count / 2 + count / sites)
    expect(none).toEqual({ nodes: [], asked: depthOf(world, from) + 1, isWhole: true })
    // An attribute that nobody had: up, the bit down, and up. One that has a bit: up.
    const deep = [...world.nodes.values()][depths.indexOf(Math.max(...depths))] as SimNode
    const roundTripMs = 10
    const depth = depthOf(world, deep)
    world.setAttributes(deep, { ...deep.spec.attributes, gpu: '' })
    world.run(1.5 * roundTripMs * depth + 1)
    const gpu = root.machine?.tree.dictionary.entries.indexOf('gpu=') ?? -1
    expect(root.machine?.tree.rollUps.below.some.has(gpu)).toBe(true)
    world.setAttributes(deep, deep.spec.attributes)
    world.run(roundTripMs * depth + 1)
    expect(root.machine?.tree.rollUps.below.some.has(gpu)).toBe(false)
    world.said.clear()
    announce(world, from, 'film')
    world.run(2_000)
    const links = [...world.nodes.values()].reduce((sum, { ends }) => sum + ends.size, 0) / 2
    const spread = world.said.get('spread')
    expect(spread).toBeLessThanOrEqual(2 * links)
    for (const node of world.nodes.values()) expect(heard(node)).toEqual(['film'])

    // One in a hundred dies in a minute, inner nodes among them, and comes back in the next, while
    // a part of the others is cut off.
    const random = new Random(8)
    const inner = [...world.nodes.values()].filter(({ machine, spec }) => {
      return spec.name !== 'n0' && (machine?.tree.children.size ?? 0) > 0
    })
    const dying = Array.from({ length: count / 100 }, (_, at) => {
      return at % 2 === 0 ? random.pick(inner) : random.pick([...world.nodes.values()].slice(1))
    })
    announce(world, root, 'before')
    for (const node of dying) {
      world.kill(node)
      world.run(minuteMs / dying.length)
    }
    world.divide(({ spec }) => (spec.name.endsWith('7') ? 1 : 0))
    announce(world, root, 'meanwhile')
    for (const node of dying) {
      if (node.machine === null) world.restart(node)
      world.run(minuteMs / dying.length)
    }
    expect(looped(world)).toEqual([])
    world.divide(() => 0)
    world.run(2 * minuteMs)
    expect(looped(world)).toEqual([])
    expect(rootsOf(world)).toEqual([root])
    expect(wrongRollUps(world)).toEqual([])
    for (const node of world.nodes.values())
      expect(new Set(heard(node))).toEqual(new Set(['film', 'before', 'meanwhile']))
    const after = world.where(from, 'site=s7')
    world.run(limits.findMs)
    expect(after).toMatchObject({ isWhole: true })
    expect(after.nodes.length).toBe(count / sites)
    const deepest = Math.max(...[...world.nodes.values()].map((node) => depthOf(world, node)))
    if (process.env['FR_DIRECTORY_NODES'] !== undefined)
      console.log({
        ...{ count, links, spread, asked: answer.asked, askedAfter: after.asked },
        ...{ depth: Math.max(...depths), deepest },
      })
    expect(after.asked).toBeLessThan(0.1 * count)
  }, 600_000)

  it.each([1, 2, 3, 4, 5, 6])('has no loops, and heals, whatever dies (seed %i)', (seed) => {
    const random = new Random(seed)
    const world = new DirectoryWorld(seed, random.integer(1, 60))
    const names = Array.from({ length: 24 }, (_, i) => `n${i}`)
    for (const [i, name] of names.entries()) {
      // Some name each other as parents, also in circles.
      const parents = i === 0 ? [] : [random.pick(names), random.pick(names), 'n0']
      const attributes = { site: `s${i % 3}`, n: `${i % 7}` }
      world.start({ name, attributes, parents, maxChildren: random.integer(2, 4) })
    }
    const nodes = [...world.nodes.values()]
    const announced: string[] = []
    for (let step = 0; step < 60; step++) {
      const node = random.pick(nodes)
      const what = random.integer(0, 5)
      if (what === 0 && node.spec.name !== 'n0') world.kill(node)
      else if (what === 1 && node.machine === null) world.restart(node)
      else if (what === 2) world.divide(({ spec }) => (spec.name < random.pick(names) ? 0 : 1))
      else if (what === 3) world.divide(() => 0)
      else if (what === 4 && node.machine !== null)
        world.setAttributes(node, { ...node.spec.attributes, n: `${step}` })
      else if (what === 5 && node.machine !== null) {
        announced.push(`a${step}`)
        announce(world, node, `a${step}`)
      }
      for (let i = 0; i < 10; i++) {
        world.run(random.between(5, 400))
        expect(looped(world)).toEqual([])
      }
    }
    world.divide(() => 0)
    for (const node of nodes) if (node.machine === null) world.restart(node)
    world.run(4 * minuteMs)
    expect(rootsOf(world).length).toBe(1)
    expect(wrongRollUps(world)).toEqual([])
    const answer = world.where(random.pick(nodes), 'site=s1')
    world.run(limits.findMs)
    expect(answer.nodes.length).toBe(8)
    expect(answer.isWhole).toBe(true)
    for (const node of nodes) {
      expect(new Set(heard(node)).size).toBe(announced.length)
      // After a restart its own are told from its disk.
      expect(node.runs > 1 || heard(node).length === announced.length).toBe(true)
    }
  })

  it('goes on under the deputy of a root that is gone, and under the root once it is back', () => {
    const world = new DirectoryWorld(7)
    const spec = { maxChildren: 4, attributes: { site: 'x' } }
    world.start({ ...spec, name: 'root', parents: [], deputy: 'n1' })
    for (let i = 0; i < 20; i++) {
      world.start({ ...spec, name: `n${i}`, parents: ['root'] })
      world.run(50)
    }
    world.run(10_000)
    const root = world.nodes.get('root') as SimNode
    world.kill(root)
    world.run(minuteMs)
    const [top, ...others] = rootsOf(world)
    expect(others).toEqual([])
    const n1 = world.nodes.get('n1') as SimNode
    expect(top === n1 || depthOf(world, n1) > 0).toBe(true)
    world.setAttributes(n1, { site: 'x', colour: 'new' })
    world.run(10_000)
    const answer = world.where(world.nodes.get('n19') as SimNode, 'colour=new')
    world.run(5_000)
    expect(answer.nodes.map(({ name }) => name)).toEqual(['n1'])
    world.restart(root)
    world.run(2 * minuteMs)
    expect(rootsOf(world)).toEqual([root])
    expect(wrongRollUps(world)).toEqual([])
  })

  it('waits for a parent without being woken for what that one was to be told', () => {
    const world = new DirectoryWorld(6)
    const spec = { maxChildren: 32, attributes: {} }
    const root = world.start({ ...spec, name: 'root', parents: [] })
    const inner = world.start({ ...spec, name: 'inner', parents: ['root'] })
    const others = Array.from({ length: 20 }, (_, at) => {
      return world.start({ ...spec, name: `n${at}`, parents: ['inner'] })
    })
    world.run(10_000)
    const { tree } = inner.machine as Directory
    // Only their number changes above: that is told after a while.
    for (const node of others) world.kill(node)
    while (tree.rollUps.dueMs === Number.POSITIVE_INFINITY) world.run(1)
    world.kill(root)
    world.post(inner, { type: 'closed', link: tree.lineage.parent?.link ?? 0 })
    expect(tree.lineage.parent).toBe(null)
    world.run(2 * limits.rollUpCountMs)
    expect(tree.dueMs - epochMs).toBeGreaterThan(world.nowMs)
    world.restart(root)
    world.run(minuteMs)
    expect(root.machine?.tree.rollUps.below.count).toBe(1)
  })

  it('becomes flat where each has named the one before, and is still then', () => {
    const world = new DirectoryWorld(9)
    const nodes = Array.from({ length: 40 }, (_, at) => {
      const parents = at === 0 ? [] : [`n${at - 1}`]
      const node = world.start({ name: `n${at}`, attributes: {}, parents, maxChildren: 4 })
      world.run(100)
      return node
    })
    const depth = () => Math.max(...nodes.map((node) => depthOf(world, node)))
    expect(depth()).toBe(39)
    for (let minute = 0; minute < 40; minute++) {
      world.run(minuteMs)
      expect(looped(world)).toEqual([])
    }
    expect(depth()).toBeLessThanOrEqual(6)
    expect(rootsOf(world)).toEqual(nodes.slice(0, 1))
    expect(wrongRollUps(world)).toEqual([])
    const moves = world.notes.length
    world.run(30 * minuteMs)
    expect(world.notes.length).toBe(moves)
  })

  it.each([1, 3])('is flat again once all have died and come back (seed %i)', (seed) => {
    const world = new DirectoryWorld(seed)
    for (let at = 0; at < 120; at++) {
      const parents = at === 0 ? [] : ['n0']
      world.start({ name: `n${at}`, attributes: {}, parents, maxChildren: 3 })
      if (at % 5 === 4) world.run(20)
    }
    world.run(20_000)
    const nodes = [...world.nodes.values()]
    const depth = () => Math.max(...nodes.map((node) => depthOf(world, node)))
    const before = depth()
    const random = new Random(seed)
    for (let times = 0; times < 500; times++) {
      const node = random.pick(nodes.slice(1))
      if (node.machine === null) continue
      world.kill(node)
      world.timeline.after(20_000, () => world.restart(node))
      world.run(500)
    }
    world.run(20 * minuteMs)
    // For a single step nobody moves.
    expect(depth()).toBeLessThanOrEqual(before + limits.riseSteps - 1)
    expect(rootsOf(world)).toEqual(nodes.slice(0, 1))
    expect(wrongRollUps(world)).toEqual([])
    const moves = world.notes.length
    world.run(30 * minuteMs)
    expect(world.notes.length).toBe(moves)
  })

  it('lets one of two that name each other be the parent', () => {
    const world = new DirectoryWorld(3)
    const spec = { maxChildren: 4, attributes: { a: '1' } }
    const a = world.start({ ...spec, name: 'a', parents: ['b'] })
    const b = world.start({ ...spec, name: 'b', parents: ['a'] })
    world.run(minuteMs)
    expect([parentOf(world, a), parentOf(world, b)].filter((one) => one !== null).length).toBe(1)
    expect(wrongRollUps(world)).toEqual([])
    expect(world.notes).toContain('orphan')
  })

  it('says when there is no bit for an attribute, and finds its node all the same', () => {
    const world = new DirectoryWorld(4)
    const spec = { maxChildren: 1_024, parents: ['root'] }
    world.start({ ...spec, name: 'root', parents: [], attributes: {} })
    const perNode = 30
    const nodes = Math.ceil(limits.dictionaryBits / perNode) + 2
    for (let i = 0; i < nodes; i++) {
      const entries = Array.from({ length: perNode }, (_, at) => [`k${at}`, `${i}`])
      world.start({ ...spec, name: `n${i}`, attributes: Object.fromEntries(entries) })
      if (i % 20 === 19) world.run(200)
    }
    world.run(10_000)
    expect(world.notes).toContain('full')
    const root = world.nodes.get('root') as SimNode
    expect(root.machine?.tree.dictionary).toMatchObject({
      size: limits.dictionaryBits,
      isFull: true,
    })
    const last = world.where(root, `k3=${nodes - 1} && k4=${nodes - 1}`)
    world.run(1_000)
    expect(last).toMatchObject({ isWhole: true, asked: 4 })
    expect(last.nodes.map(({ name }) => name)).toEqual([`n${nodes - 1}`])
    // Those who had most of it are gone: there is room again.
    for (let i = 0; i < nodes / 2; i++) world.kill(world.nodes.get(`n${i}`) as SimNode)
    world.run(minuteMs)
    world.setAttributes(root, { fresh: '' })
    world.run(10_000)
    expect(root.machine?.tree.dictionary.isFull).toBe(false)
    expect(wrongRollUps(world)).toEqual([])
  })
})
