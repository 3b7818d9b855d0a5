/** `fr add` between real processes: a node joins a running push, dies, and joins again. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fetchStatus } from '../../src/api/index.js'
import { copyDigest, MIB, type Running, type ServingNode, sha256, World } from './cli-world.js'
import { type Door, holdingDoor } from './door.js'

describe('fr add', () => {
  let world: World
  let nodes: ServingNode[]
  let door: Door
  let third: Door
  let content: Buffer
  beforeEach(async () => {
    world = new World()
    nodes = await world.nodes(3)
    // The second node gets 2 MiB on a connection, and the rest when the door opens.
    door = await holdingDoor(at(1).address, 2 * MIB)
    third = await holdingDoor(at(2).address, 2 * MIB)
    content = world.file('a.bin', 20 * MIB + 11)
  })
  afterEach(async () => {
    door.close()
    third.close()
    await world.close()
  })

  const at = (index: number): ServingNode => nodes[index] as ServingNode

  /** A push to the first two nodes that has a plan; the second is held up. */
  const pushing = async (...args: string[]): Promise<{ push: Running; transfer: string }> => {
    const to = `${at(0).address},${door.address}`
    const push = world.fr([
      'push',
      'a.bin',
      '--retries',
      '0',
      '--json',
      '--allow-add',
      '--to',
      to,
      ...args,
    ])
    const plan = () => push.lines.find(({ event }) => event === 'plan')
    await push.until('plan', () => plan() !== undefined)
    return { push, transfer: String(plan()?.['transfer']) }
  }

  const add = (transfer: string, address: string, ...args: string[]) =>
    world.run(['add', transfer, address, '--via', at(0).address, ...args])

  const failed = (push: Running, node: string): Promise<void> => {
    const isSo = (line: Record<string, unknown>): boolean =>
      line['event'] === 'node' && line['node'] === node && line['status'] === 'failed'
    return push.until('its failure', () => push.lines.some(isSo))
  }

  /** Bytes of the transfer that have landed at this node. */
  const landedAt = async (node: ServingNode): Promise<number> => {
    const { transfers } = await fetchStatus(node.address, { key: world.env['FR_KEY'] as string })
    return transfers[0]?.landedBytes ?? 0
  }

  const landed = async (node: ServingNode, bytes: number): Promise<void> => {
    const endMs = Date.now() + 60_000
    while ((await landedAt(node)) < bytes) {
      expect(Date.now()).toBeLessThan(endMs)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  it.each([
    ['adaptive', 'group'],
    ['classic', 'group'],
    ['adaptive', 'unicast'],
  ])('adds a node in the middle of a push (%s, %s)', async (strategy, shape) => {
    const { push, transfer } = await pushing('--strategy', strategy, '--shape', shape)
    const added = await add(transfer, at(2).address, '--json')
    expect(added).toMatchObject({ status: 0, stderr: '' })
    expect(added.lines).toEqual([{ event: 'added', transfer, node: at(2).address }])
    await landed(at(2), 4 * MIB)
    expect(push.lines.some((line) => line['event'] === 'result')).toBe(false)
    door.open()
    expect(await push.ended).toBe(0)
    for (const node of nodes) expect(copyDigest(node, 'a.bin')).toBe(sha256(content))
    const events = push.lines.map((line) => line['event'])
    expect(events.filter((event) => event === 'plan')).toHaveLength(1)
    expect(events.filter((event) => event === 'node')).toHaveLength(3)
    expect(push.lines.at(-1)).toMatchObject({
      event: 'result',
      nodes: [at(0).address, door.address, at(2).address].map((node) => {
        return { node, status: 'complete', bytes: content.length }
      }),
    })
  })

  it('a node that starts again is added again, and then that counts', async () => {
    const { push, transfer } = await pushing('--silence', '6s')
    expect((await add(transfer, third.address)).status).toBe(0)
    await push.until('the middle', third.isHolding)
    at(2).kill('SIGKILL')
    await failed(push, third.address)
    const again = await world.node('n3', ['--listen', at(2).address])
    expect(await add(transfer, third.address)).toMatchObject({ status: 0, stderr: '' })
    third.open()
    door.open()
    expect(await push.ended).toBe(0)
    expect(copyDigest(again, 'a.bin')).toBe(sha256(content))
    const complete = { status: 'complete' }
    expect(push.lines.at(-1)).toMatchObject({
      nodes: [complete, complete, { ...complete, node: third.address }],
    })
  })

  it('refuses by name what cannot be added', async () => {
    const { push, transfer } = await pushing('--connect-timeout', '4s')
    const refusals: [string, string, string][] = [
      [transfer, at(0).address, 'ERR_FR_SAME_NODE'],
      [transfer, door.address, 'ERR_FR_SAME_NODE'],
      // Another name of the first node, recognised by its id.
      [transfer, at(0).address.replace('127.0.0.1', 'localhost'), 'ERR_FR_SAME_NODE'],
      [transfer, '127.0.0.1:1', 'ERR_FR_UNREACHABLE'],
      ['f'.repeat(32), at(2).address, 'ERR_FR_NO_TRANSFER'],
    ]
    for (const [id, address, code] of refusals) {
      const run = await add(id, address)
      expect(run).toMatchObject({ status: 1, stdout: '' })
      expect(run.stderr).toContain(`fr add: ${code}: `)
    }
    const bystander = ['add', transfer, at(1).address, '--via', at(2).address]
    expect((await world.run(bystander)).stderr).toContain('ERR_FR_NO_TRANSFER')
    expect((await world.run(['add', 'T', 'h:1', '--via', at(0).address])).status).toBe(2)
    const wrongKey = { FR_KEY: 'x'.repeat(32) }
    const args = ['add', transfer, at(2).address, '--via', at(0).address]
    expect((await world.run(args, wrongKey)).stderr).toContain('ERR_FR_AUTH')
    door.open()
    // Every node that was tried has an outcome.
    expect(await push.ended).toBe(3)
    expect((await add(transfer, at(2).address)).stderr).toContain('ERR_FR_NO_TRANSFER')
  })
})
