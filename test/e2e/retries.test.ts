import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../bench/programs.mjs'
import { push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { World as CliWorld, copyDigest, sha256 } from './cli-world.js'
import { keyText } from './hostile.js'
import { HostileNode } from './hostile-node.js'
import { type EngineKind, expectCopies, until, useWorld } from './push-support.js'

/** Starting a process costs the most; FR_CROWD=100 takes about a minute on two cores. */
const crowd = Number(process.env.FR_CROWD ?? 30)

describe.each<EngineKind>(['portable', 'native'])('trying again on the %s engine', (engine) => {
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

  it.each(['stopped', 'lost'])('a node that is %s in the middle and comes back', async (how) => {
    const [good, first] = await world.nodes(2)
    const { path, content } = world.file('data.bin', 24 * MIB + 1)
    const door = await world.holding(first.address, 4 * MIB)
    const transfer = push(path, { to: [good.address, door.address], engine, connectMs: 60_000 })
    await until(door.isHolding, 'the node is in the middle')
    if (how === 'stopped') {
      await first.close()
      const { dataDir } = first
      await world.node({ listen: first.address, dataDir })
    } else door.cut()
    door.open()
    const result = await transfer.result
    expect(result.nodes.map(({ reason, attempts }) => [reason, attempts])).toEqual([
      [null, 1],
      [null, 2],
    ])
    expectCopies(content, 'data.bin', [first])
  })

  it('a node that has not noticed that its attempt is over takes the next', async () => {
    const node = await world.node()
    const door = await world.holding(node.address, 2 * MIB)
    const { path, content } = world.file('data.bin', 6 * MIB)
    const transfer = push(path, { to: [door.address], engine, connectMs: 60_000 })
    await until(door.isHolding, 'the node is in the middle')
    // Breaks the origin's side; the node's side stays open and silent.
    door.cutDialler()
    door.open()
    const result = await transfer.result
    expect(result.nodes).toMatchObject([{ reason: null, attempts: 2 }])
    expectCopies(content, 'data.bin', [node])
  })

  it('as often as is wanted, and the last word counts', async () => {
    const node = new HostileNode()
    world.defer(() => node.close())
    const to = [await node.listening()]
    const { path } = world.file('data.bin', 1000)
    const { result } = push(path, { to, engine, key: keyText, retries: 1 })
    for (const text of ['first', 'second']) {
      const link = await node.control()
      await link.next('offer')
      link.say({ type: 'refuse', code: 'ERR_FR_NO_SPACE', text })
      await link.closed()
    }
    expect((await result).nodes).toMatchObject([
      {
        status: 'refused',
        attempts: 2,
        code: 'ERR_FR_NO_SPACE',
        reason: 'ERR_FR_NO_SPACE: second (before: ERR_FR_NO_SPACE: first)',
      },
    ])
  })
})

describe('trying again, as processes', () => {
  let world: CliWorld
  beforeEach(() => {
    world = new CliWorld()
  })
  afterEach(() => world.close())

  it('a node that is killed and started again is complete', async () => {
    const nodes = await world.nodes(2)
    const [good, killed] = nodes
    const content = world.file('big.bin', 256 * MIB)
    const run = world.fr(['push', 'big.bin', '--json', '--to', `${good.address},${killed.address}`])
    await run.until('plan', () => run.lines.some((line) => line['event'] === 'plan'))
    killed.kill('SIGKILL')
    await killed.ended
    await sleep(300)
    const again = world.fr(['node', '--listen', killed.address, '--data', killed.data, '--json'])
    await again.until('listening line', () => again.lines.length > 0)
    expect(await run.ended).toBe(0)
    expect(run.lines.at(-1)).toMatchObject({
      event: 'result',
      nodes: [{ attempts: 1 }, { status: 'complete', attempts: 2, reason: null }],
    })
    for (const node of nodes) expect(copyDigest(node, 'big.bin')).toBe(sha256(content))
  })

  it('a crowd of pushes at one moment, each a process', async () => {
    const nodes = await world.nodes(2)
    world.file('small.bin', 100_000)
    const to = nodes.map((node) => node.address).join(',')
    const runs = Array.from({ length: crowd }, (_, i) =>
      world.fr(['push', 'small.bin', '--json', '--as', `many/${i}`, '--to', to]),
    )
    const statuses = await Promise.all(runs.map((run) => run.ended))
    const failed = runs.filter((_, i) => statuses[i] !== 0)
    expect(failed.map((run) => run.stderr)).toEqual([])
  }, 600_000)
})
