/** Nodes that join a push through the library: added by its caller or by others, or ready late. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addNode, type Plan, push } from '../../src/api/index.js'
import { type Door, holdingDoor } from './door.js'
import { type EngineKind, World } from './push-support.js'

const MIB = 1024 * 1024
const engines: EngineKind[] = ['native', 'portable']

describe.each(engines)('joining a push on the %s engine', (engine) => {
  let world: World
  beforeEach(() => {
    world = new World(engine)
  })
  afterEach(() => world.dispose())

  const doorTo = async (address: string, holdAt: number): Promise<Door> => {
    const door = await holdingDoor(address, holdAt)
    world.defer(() => door.close())
    return door
  }

  it('by the caller and by somebody else at once', async () => {
    const [a, b, c, d] = await world.nodes(4)
    if (!a || !b || !c || !d) throw new Error('four nodes')
    const door = await doorTo(b.address, MIB)
    const { path, content } = world.file('a.bin', 24 * MIB + 3)
    const transfer = push(path, { to: [a.address, door.address], engine })
    // Asked before there is a plan: answered once the node takes part.
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
    for (const { dataDir } of [a, b, c, d])
      expect(readFileSync(join(dataDir, 'a.bin')).equals(content)).toBe(true)
    await expect(transfer.add(c.address)).rejects.toMatchObject({ code: 'ERR_FR_NO_TRANSFER' })
    const late = addNode(transfer.id, c.address, { via: a.address })
    await expect(late).rejects.toMatchObject({ code: 'ERR_FR_NO_TRANSFER' })
  })

  it('by a node that answers late: the others do not wait', async () => {
    const [a, b, c] = await world.nodes(3)
    if (!a || !b || !c) throw new Error('three nodes')
    // Its first word arrives, its second when the door opens.
    const door = await doorTo(b.address, 1)
    const { path, content } = world.file('late.bin', 8 * MIB + 1)
    const transfer = push(path, { to: [a.address, door.address, c.address], engine })
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
    expect(readFileSync(join(b.dataDir, 'late.bin')).equals(content)).toBe(true)
  })

  it('one of two that answers late leaves the other alone in the plan', async () => {
    const [a, b] = await world.nodes(2)
    if (!a || !b) throw new Error('two nodes')
    const door = await doorTo(b.address, 1)
    const { path, content } = world.file('two.bin', 8 * MIB + 1)
    const transfer = push(path, { to: [a.address, door.address], engine })
    const plan = new Promise<Plan>((resolve) => {
      transfer.on('plan', resolve)
    })
    expect((await plan).groups).toEqual([[a.address]])
    door.open()
    await transfer.result
    for (const { dataDir } of [a, b])
      expect(readFileSync(join(dataDir, 'two.bin')).equals(content)).toBe(true)
  })
})

describe('misuse of adding', () => {
  const id = 'ab'.repeat(16)

  it.each<[string, () => Promise<void>]>([
    ['transfer', () => addNode('T', '127.0.0.1:1', { via: '127.0.0.1:2' })],
    ['node', () => addNode(id, 'nowhere', { via: '127.0.0.1:2' })],
    ['via', () => addNode(id, '127.0.0.1:1', {} as { via: string })],
    ['options', () => addNode(id, '127.0.0.1:1', undefined as unknown as { via: string })],
    ['timeoutMs', () => addNode(id, '127.0.0.1:1', { via: '127.0.0.1:2', timeoutMs: 0 })],
  ])('is a TypeError that names %s', async (option, misuse) => {
    await expect(misuse()).rejects.toThrow(TypeError)
    await expect(misuse()).rejects.toThrow(option)
  })

  it('of a push that never came to be', async () => {
    const transfer = push('/nonexistent', { to: ['127.0.0.1:1'] })
    expect(() => transfer.add('nowhere')).toThrow(TypeError)
    const added = transfer.add('127.0.0.1:2')
    await expect(transfer.result).rejects.toMatchObject({ code: 'ERR_FR_SOURCE' })
    await expect(added).rejects.toMatchObject({ code: 'ERR_FR_NO_TRANSFER' })
  })
})
