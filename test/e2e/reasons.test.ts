/** The reason for a failure is what a node or the origin found, not the broken connection. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type PushOptions, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { usualEngines } from './engines.js'
import { keyText } from './hostile.js'
import { HostileNode } from './hostile-node.js'
import { until, useWorld } from './push-support.js'

describe.each(usualEngines)('reasons on the %s engine', (engine) => {
  const world = useWorld(engine)

  it.each([
    ['blocks that stay wrong', 'payload', /^ERR_FR_BAD_BLOCK: the block at \d+ stayed wrong/],
    ['record headers that stay wrong', 'check', /^ERR_FR_SPOILT: the feed from the origin/],
    ['a control frame that was changed', 'tag', /^ERR_FR_PROTOCOL: .*bad record mac/],
  ] as const)('%s', async (_, what, reason) => {
    const [good, spoilt] = await world.nodes(2)
    let isOn = what !== 'tag'
    const door = await world.spoiler(spoilt.address, what, () => isOn)
    const { path } = world.file('data.bin', 8 * MIB)
    // Held up, so that the push is running when frames are corrupted.
    const held = await world.holding(good.address, MIB)
    const to = [held.address, door]
    const transfer = push(path, { to, engine, shape: 'unicast', retries: 0 })
    transfer.on('plan', () => {
      isOn = true
    })
    const failed = await new Promise((resolve) => {
      transfer.on('node', (outcome) => outcome.node === door && resolve(outcome))
    })
    expect(failed).toMatchObject({ status: 'failed', reason: expect.stringMatching(reason) })
    held.open()
    const result = await transfer.result
    expect(result.nodes[0]?.reason).toBeNull()
  })

  async function hostilePush(more: Partial<PushOptions> = {}): Promise<{
    node: HostileNode
    result: ReturnType<typeof push>['result']
  }> {
    const node = new HostileNode()
    world.defer(() => node.close())
    const to = [await node.listening()]
    const { path } = world.file('data.bin', 4 * MIB)
    return { node, result: push(path, { to, engine, key: keyText, retries: 0, ...more }).result }
  }

  it('what a node says after its data connection broke', async () => {
    const { node, result } = await hostilePush()
    const link = await node.control()
    const feed = await node.data()
    link.say({ type: 'accept', have: [] })
    await link.running()
    feed.resetAndDestroy()
    await sleep(200)
    link.say({ type: 'failed', code: 'ERR_FR_NO_SPACE', text: 'it is full' })
    expect((await result).nodes[0]?.reason).toBe('ERR_FR_NO_SPACE: it is full')
  })

  it('a refusal, although the data connection was refused first', async () => {
    const { node, result } = await hostilePush()
    const link = await node.control()
    const feed = await node.data()
    feed.resetAndDestroy()
    await sleep(200)
    link.say({ type: 'refuse', code: 'ERR_FR_NAME', text: 'not here' })
    expect((await result).nodes[0]).toMatchObject({
      status: 'refused',
      reason: 'ERR_FR_NAME: not here',
    })
  })

  it('a data connection that broke, where the node says nothing else', async () => {
    const { node, result } = await hostilePush({ silenceMs: 4_000 })
    const link = await node.control()
    const feed = await node.data()
    link.say({ type: 'accept', have: [] })
    await link.running()
    feed.resetAndDestroy()
    expect((await result).nodes[0]?.reason).toMatch(/^ERR_FR_NODE_LOST: the data connection broke/)
  })

  it('what the origin found in what a node said, which is told to both', async () => {
    const { node, result } = await hostilePush()
    const link = await node.control()
    await node.data()
    link.say({ type: 'accept', have: [] })
    await link.running()
    link.socket.write(Buffer.alloc(64, 0x41))
    expect((await result).nodes[0]?.reason).toMatch(/^ERR_FR_PROTOCOL/)
    expect(await link.next('abort')).toMatchObject({ code: 'ERR_FR_PROTOCOL' })
    await until(() => link.isClosed, 'the link ends')
  })
})
