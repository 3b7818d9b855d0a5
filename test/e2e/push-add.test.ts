/** Nodes that join a push through the library: added by its caller or by others, or ready late. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { addNode, type NodeOutcome, type Plan, push, type Transfer } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { originNumber } from '../../src/control/messages/types.js'
import { type Door, holdingDoor, lateDoor } from './door.js'
import { usualEngines } from './engines.js'
import { expectCopies, until, useWorld } from './push-support.js'

describe.each(usualEngines)('joining a push on the %s engine', (engine) => {
  const world = useWorld(engine)

  const doorTo = async (address: string, holdAt: number): Promise<Door> => {
    const door = await holdingDoor(address, holdAt)
    world.defer(() => door.close())
    return door
  }

  /** Of the node; of the first to have one. */
  const outcome = (transfer: Transfer, node?: string): Promise<NodeOutcome> =>
    new Promise((resolve) => {
      transfer.on('node', (one) => {
        if (node === undefined || one.node === node) resolve(one)
      })
    })

  it('by the caller and by somebody else at once', async () => {
    const [a, b, c, d] = await world.nodes(4)
    const door = await doorTo(b.address, MIB)
    const { path, content } = world.file('a.bin', 24 * MIB + 3)
    const transfer = push(path, { to: [a.address, door.address], engine, allowAdd: true })
    // Added before there is a plan; resolves once the node takes part.
    await transfer.add({ address: c.address, site: 'here' })
    await addNode(transfer.id, d.address, { via: c.address })
    await expect(transfer.add(c.address)).rejects.toMatchObject({ code: 'ERR_FR_SAME_NODE' })
    const again = addNode(transfer.id, a.address, { via: d.address })
    await expect(again).rejects.toMatchObject({ code: 'ERR_FR_SAME_NODE' })
    door.open()
    const result = await transfer.result
    expect(result.nodes.map(({ node, status }) => [node, status])).toEqual(
      [a.address, door.address, c.address, d.address].map((node) => [node, 'complete']),
    )
    expectCopies(content, 'a.bin', [a, b, c, d])
    await expect(transfer.add(c.address)).rejects.toMatchObject({ code: 'ERR_FR_NO_TRANSFER' })
    const late = addNode(transfer.id, c.address, { via: a.address })
    await expect(late).rejects.toMatchObject({ code: 'ERR_FR_NO_TRANSFER' })
  })

  it('by others only where the push allows it', async () => {
    const [a, b] = await world.nodes(2)
    const door = await doorTo(a.address, MIB)
    const { path } = world.file('mine.bin', 8 * MIB)
    const transfer = push(path, { to: [door.address], engine, logger: world.logger })
    await until(door.isHolding, 'the push is held')
    await expect(addNode(transfer.id, b.address, { via: a.address })).rejects.toMatchObject({
      code: 'ERR_FR_ADD_REFUSED',
      message: 'this push lets only its caller add nodes',
    })
    await transfer.add(b.address)
    door.open()
    expect((await transfer.result).nodes.map(({ status }) => status)).toEqual([
      'complete',
      'complete',
    ])
  })

  it('by a node that answers late: the others do not wait', async () => {
    const [a, b, c] = await world.nodes(3)
    // Its first message arrives, its second when the door opens.
    const door = await doorTo(b.address, 1)
    const { path, content } = world.file('late.bin', 8 * MIB + 1)
    const to = [a.address, door.address, c.address]
    const transfer = push(path, { to, engine, connectMs: 30_000 })
    const isComplete = new Promise<void>((resolve) => {
      transfer.on('node', ({ node }) => {
        if (node === a.address) resolve()
      })
    })
    const plan = new Promise<Plan>((resolve) => {
      transfer.on('plan', resolve)
    })
    expect((await plan).groups).toEqual([[a.address, c.address]])
    await isComplete
    door.open()
    const result = await transfer.result
    expect(result.nodes.map(({ status }) => status)).toEqual(['complete', 'complete', 'complete'])
    expectCopies(content, 'late.bin', [b])
  })

  it('again at once: what its first attempt has still on the way does not count', async () => {
    const [a, b] = await world.nodes(2)
    const held = await doorTo(a.address, MIB)
    const late = await lateDoor(b.address, originNumber)
    world.defer(() => late.close())
    const { path, content } = world.file('again.bin', 8 * MIB + 1)
    const inItsWay = join(b.dataDir, 'again.bin')
    writeFileSync(inItsWay, 'there already')
    const transfer = push(path, { to: [held.address, late.address], engine, noClobber: true })
    expect(await outcome(transfer)).toMatchObject({ node: late.address, status: 'refused' })
    rmSync(inItsWay)
    await until(late.isHolding, 'the origin has dialled the feed')
    await late.release()
    await transfer.add(late.address)
    held.open()
    const result = await transfer.result
    expect(result.nodes.map(({ reason }) => reason)).toEqual([null, null])
    expect(readFileSync(inItsWay).equals(content)).toBe(true)
  })

  it('again at once: nor does what a mate has on the way to its first attempt', async () => {
    const [a, b, c] = await world.nodes(3)
    const held = await doorTo(c.address, MIB)
    const late = await lateDoor(b.address, 0)
    world.defer(() => late.close())
    const { path, content } = world.file('again.bin', 24 * MIB + 1)
    const to = [a.address, late.address, held.address]
    // A node waits for another coordinator as long as for a silent node.
    const transfer = push(path, { to, engine, retries: 0, silenceMs: 3_000 })
    await until(late.isHolding, 'the mate has dialled')
    const lost = outcome(transfer, late.address)
    late.cutLinks()
    expect(await lost).toMatchObject({ status: 'failed' })
    await until(() => b.status().transfers.length === 0, 'its first attempt is over')
    await late.release()
    await transfer.add(late.address)
    held.open()
    const result = await transfer.result
    expect(result.nodes.map(({ reason }) => reason)).toEqual([null, null, null])
    expectCopies(content, 'again.bin', [b])
    // Its first attempt may hear from mates that they know it no longer.
    const mates = new Set([0, 2])
    const relays = world.log.filter(({ event, fields }) => {
      return event === 'relay-closed' && !mates.has(fields['to'] as number)
    })
    expect(relays.filter((line) => line.fields['code'] === 'ERR_FR_PROTOCOL')).toEqual([])
  })
})

describe('misuse of adding', () => {
  const id = 'ab'.repeat(16)

  it.each<[string, () => Promise<void>]>([
    ['transfer', () => addNode('T', '127.0.0.1:1', { via: '127.0.0.1:2' })],
    ['node', () => addNode(id, 'no where', { via: '127.0.0.1:2' })],
    ['via', () => addNode(id, '127.0.0.1:1', {} as { via: string })],
    ['options', () => addNode(id, '127.0.0.1:1', undefined as unknown as { via: string })],
    ['timeoutMs', () => addNode(id, '127.0.0.1:1', { via: '127.0.0.1:2', timeoutMs: 0 })],
  ])('is a TypeError that names %s', async (option, misuse) => {
    await expect(misuse()).rejects.toThrow(TypeError)
    await expect(misuse()).rejects.toThrow(option)
  })

  it('of a push that never came to be', async () => {
    const transfer = push('/nonexistent', { to: ['127.0.0.1:1'] })
    expect(() => transfer.add('no where')).toThrow(TypeError)
    const added = transfer.add('127.0.0.1:2')
    await expect(transfer.result).rejects.toMatchObject({ code: 'ERR_FR_SOURCE' })
    await expect(added).rejects.toMatchObject({ code: 'ERR_FR_NO_TRANSFER' })
  })
})
