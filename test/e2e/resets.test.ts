/**
 * Connections that break while bytes flow, on real sockets: they are opened again, and what was
 * under way is sent again and nothing else.
 */
import { describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { type CutDoor, cut, cutDoor } from './cuts.js'
import { usualEngines } from './engines.js'
import { expectCopies, until, useWorld } from './push-support.js'

const count = 4

describe.each(usualEngines)('resets on the %s engine', (engine) => {
  const world = useWorld(engine)

  /** A push through a door to each node, that takes as many seconds or a little more. */
  async function pushing(seconds = 2) {
    const nodes = await world.nodes(count)
    const doors: CutDoor[] = []
    for (const { address } of nodes) {
      const door = await cutDoor(address)
      world.defer(door.close)
      doors.push(door)
    }
    const { path, content } = world.file('data.bin', 16 * MIB)
    const events: string[] = []
    const transfer = push(path, {
      to: doors.map(({ address }) => address),
      engine,
      shape: 'group',
      limitUpBytesPerSecond: (16 * MIB) / seconds,
      retries: 0,
      logger: ({ event }) => events.push(event),
    })
    let isOver = false
    void transfer.result.finally(() => {
      isOver = true
    })
    const ends = async () => {
      const result = await transfer.result
      expect(result.nodes.map(({ reason }) => reason)).toEqual(Array(count).fill(null))
      expectCopies(content, 'data.bin', nodes)
      const sumOf = (what: 'duplicateBytes' | 'reopened') =>
        result.nodes.reduce((sum, node) => sum + node[what], 0)
      return { duplicateBytes: sumOf('duplicateBytes'), reopened: sumOf('reopened') }
    }
    const isFlowing = () => doors.every((door) => door.open('data').length === count)
    await until(() => isFlowing() || isOver, 'all data connections are open', 20_000)
    return { doors, events, ends, isOver: () => isOver, content }
  }

  it('one after the other, all over the group, cost what was under way', async () => {
    const { doors, ends, isOver, content } = await pushing()
    let resets = 0
    for (let turn = 0; !isOver() && resets < 12; turn++) {
      const open = (doors[turn % count] as CutDoor).open('data')
      const victim = open[(turn * 7) % Math.max(1, open.length)]
      if (victim !== undefined) cut(victim.ends)
      resets += victim === undefined ? 0 : 1
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const { duplicateBytes } = await ends()
    expect(resets).toBeGreaterThan(0)
    // A connection that brought all that went before again would cost a fourth of the file.
    expect(duplicateBytes).toBeLessThan(0.75 * content.length)
  })

  it('of control links lose no node and no word', async () => {
    const { doors, events, ends, isOver } = await pushing()
    let resets = 0
    for (let turn = 0; !isOver() && resets < 12; turn++) {
      const { ends } = (doors[turn % count] as CutDoor).open('link')[0] ?? {}
      if (ends !== undefined) cut(ends)
      resets += ends === undefined ? 0 : 1
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await ends()
    expect(resets).toBeGreaterThan(0)
    expect(events).toContain('link-broke')
    expect(events).not.toContain('feed-broke')
  })

  it('of all connections of a node at once lose no node', async () => {
    const { doors, events, ends, isOver } = await pushing()
    const [door] = doors as [CutDoor]
    for (const { ends } of door.open('data')) cut(ends)
    await until(() => isOver() || door.open('data').length === count, 'all are open again')
    await ends()
    expect(events).toContain('feed-broke')
  })

  it('between two nodes, for longer than others wait, are mended in the same push', async () => {
    const { doors, events, ends, content } = await pushing(5)
    const [door] = doors as [CutDoor]
    door.bar(1)
    await until(() => events.includes('edge-lost'), 'the connection is given up', 30_000)
    const isOpen = () => door.open('data').some(({ from }) => from === 1)
    expect(isOpen()).toBe(false)
    door.bar(undefined)
    await until(() => events.includes('edge-back'), 'the connection is back', 30_000)
    await until(isOpen, 'it is used again', 30_000)
    const { duplicateBytes, reopened } = await ends()
    expect(reopened).toBe(1)
    expect(duplicateBytes).toBeLessThan(0.5 * content.length)
  })

  it('that never come, because the way forgets connections, lose no node either', async () => {
    const [node] = await world.nodes(1)
    const door = await cutDoor(node.address)
    world.defer(door.close)
    const { path, content } = world.file('data.bin', 8 * MIB)
    const events: string[] = []
    const transfer = push(path, {
      to: [door.address],
      engine,
      limitUpBytesPerSecond: 8 * MIB,
      retries: 0,
      suspectAfterMs: 300,
      logger: ({ event }) => events.push(event),
    })
    const isFlowing = () => (node.status().transfers[0]?.landedBytes ?? 0) > 0
    await until(isFlowing, 'bytes flow', 20_000)
    door.forget()
    const { nodes } = await transfer.result
    expect(nodes).toMatchObject([{ reason: null, attempts: 1 }])
    expect(nodes[0]?.reopened).toBeGreaterThan(0)
    expect(events).toContain('suspected')
    expectCopies(content, 'data.bin', [node])
  })
})
