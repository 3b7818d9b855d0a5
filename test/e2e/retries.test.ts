/** Passing troubles cost a node time, but not its copy: late starts, restarts, crowds. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../bench/programs.mjs'
import { push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { World as CliWorld } from './cli-world.js'
import { usualEngines } from './engines.js'
import { writtenDown } from './journals.js'
import { expectCopies, until, useWorld } from './push-support.js'

/** Starting a process costs the most; FR_CROWD=100 takes about a minute on two cores. */
const crowd = Number(process.env.FR_CROWD ?? 30)

describe.each(usualEngines)('trying again on the %s engine', (engine) => {
  const world = useWorld(engine)

  it('a node that starts late is complete; nobody waits for it', async () => {
    const [early] = await world.nodes(1)
    const listen = `127.0.0.1:${await freePort()}`
    const { path, content } = world.file('data.bin', 2 * MIB + 1)
    const to = [early.address, listen]
    const transfer = push(path, { to, engine, connectMs: 60_000 })
    const first = await new Promise((resolve) => {
      transfer.on('node', resolve)
    })
    // The other is complete before this one has started.
    expect(first).toMatchObject({ node: early.address, status: 'complete' })
    const late = await world.node({ listen })
    const result = await transfer.result
    expect(result.nodes.map(({ reason, attempts }) => [reason, attempts])).toEqual([
      [null, 1],
      [null, 1],
    ])
    expectCopies(content, 'data.bin', [late])
  })

  it('a node all of whose connections break in the middle needs no further attempt', async () => {
    const [good, first] = await world.nodes(2)
    const { path, content } = world.file('data.bin', 24 * MIB + 1)
    const door = await world.holding(first.address, 4 * MIB)
    const transfer = push(path, { to: [good.address, door.address], engine })
    await until(door.isHolding, 'the node is in the middle')
    door.cut()
    door.open()
    const result = await transfer.result
    expect(result.nodes.map(({ reason, attempts }) => [reason, attempts])).toEqual([
      [null, 1],
      [null, 1],
    ])
    expectCopies(content, 'data.bin', [first])
  })

  it.each(['kept', 'lost'])(
    'a node that is killed and started again, its disk %s',
    async (disk) => {
      const [good] = await world.nodes(1)
      const first = await world.childNode()
      const { path, content } = world.file('data.bin', 64 * MIB + 1)
      const door = await world.holding(first.address, 16 * MIB)
      const transfer = push(path, { to: [good.address, door.address], engine })
      const others = new Promise((resolve) => {
        transfer.on('node', resolve)
      })
      await writtenDown(first.dataDir, door, 2 * MIB)
      first.child.kill('SIGKILL')
      await first.ended
      door.open()
      // Nobody waits for it but the push itself.
      expect(await others).toMatchObject({ node: good.address, status: 'complete' })
      const dataDir = disk === 'kept' ? first.dataDir : world.dataDir()
      await world.node({ listen: first.address, dataDir })
      const { nodes } = await transfer.result
      expect(nodes).toMatchObject([
        { reason: null, attempts: 1, rejoined: false },
        { reason: null, attempts: 2, rejoined: true },
      ])
      const heldBytes = nodes[1]?.heldBytes ?? 0
      if (disk === 'kept') expect(heldBytes).toBeGreaterThanOrEqual(2 * MIB)
      else expect(heldBytes).toBe(0)
      expectCopies(content, 'data.bin', [{ dataDir }])
    },
  )

  it('a node that has not noticed that its connections broke goes on over others', async () => {
    const node = await world.node()
    const door = await world.holding(node.address, 2 * MIB)
    const { path, content } = world.file('data.bin', 6 * MIB)
    const transfer = push(path, { to: [door.address], engine, connectMs: 60_000 })
    await until(door.isHolding, 'the node is in the middle')
    // Breaks the origin's side; the node's side stays open and silent.
    door.cutDialler()
    door.open()
    const result = await transfer.result
    expect(result.nodes).toMatchObject([{ reason: null, attempts: 1 }])
    expectCopies(content, 'data.bin', [node])
  })
})

describe('trying again, as processes', () => {
  let world: CliWorld
  beforeEach(() => {
    world = new CliWorld()
  })
  afterEach(() => world.close())

  it('a crowd of pushes at one moment, each a process', async () => {
    const nodes = await world.nodes(2)
    world.file('small.bin', 100_000)
    const to = nodes.map((node) => node.address).join(',')
    const args = ['push', 'small.bin', '--json', '--to', to, '--connect-timeout', '5m']
    const runs = Array.from({ length: crowd }, (_, i) => world.fr([...args, '--as', `many/${i}`]))
    const statuses = await Promise.all(runs.map((run) => run.ended))
    const failed = runs.filter((_, i) => statuses[i] !== 0)
    expect(failed.map((run) => run.stderr)).toEqual([])
  }, 600_000)
})
