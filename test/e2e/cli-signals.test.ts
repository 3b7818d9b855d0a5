/** Deaths and signals in the middle of a push: of a node, and of the push itself. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fetchStatus } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { copyDigest, listOf, type Running, type ServingNode, sha256, World } from './cli-world.js'
import { type Door, holdingDoor } from './door.js'

/** SHA-256 of this takes most of a second, so that there is a middle to act in. */
const fileBytes = 192 * MIB
const pushing = [
  'push',
  '--silence',
  '4s',
  'big.bin',
  '--retries',
  '0',
  '--json',
  '--digest',
  'sha256',
  '--to',
]

let world: World
let nodes: ServingNode[]
let content: Buffer
let door: Door
beforeEach(async () => {
  world = new World()
  nodes = await world.nodes(3)
  content = world.file('big.bin', fileBytes)
  door = await holdingDoor((nodes[2] as ServingNode).address, 4 * MIB)
})
afterEach(async () => {
  door.close()
  await world.close()
})

/** A push that cannot end, because its last node is stopped in the middle, behind the door. */
async function heldPush(): Promise<{ push: Running; held: ServingNode }> {
  const held = nodes[2] as ServingNode
  const push = world.fr([...pushing, `${listOf(nodes.slice(0, 2))},${door.address}`])
  await push.until('the middle', door.isHolding)
  held.kill('SIGSTOP')
  expect(push.lines.map((line) => line['event'])).not.toContain('result')
  return { push, held }
}

/** Waits until the node has released everything of a push. */
async function isIdle({ address }: ServingNode): Promise<void> {
  const key = world.env['FR_KEY'] as string
  while ((await fetchStatus(address, { key })).transfers.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
}

function partialsOf(node: ServingNode): string[] {
  const directory = join(node.data, '.fastreplica/partials')
  return existsSync(directory) ? readdirSync(directory) : []
}

describe('a node that dies', () => {
  it('by SIGKILL in the middle fails by name; the others complete; exit 3', async () => {
    const { push, held } = await heldPush()
    held.kill('SIGKILL')
    expect(await push.ended).toBe(3)
    const result = push.lines.at(-1)
    expect(result).toMatchObject({ event: 'result', bytes: fileBytes })
    expect(result?.['nodes']).toContainEqual(
      expect.objectContaining({
        node: door.address,
        status: 'failed',
        reason: expect.stringMatching(/^ERR_FR_NODE_LOST: /),
      }),
    )
    for (const node of nodes.slice(0, 2)) expect(copyDigest(node, 'big.bin')).toBe(sha256(content))
    expect(copyDigest(held, 'big.bin')).toBeNull()
    expect(push.stderr).toMatch(new RegExp(`^${door.address} +failed .*ERR_FR_NODE_LOST`, 'm'))
    expect(push.stderr).toContain('2 of 3 nodes complete')
  })
})

describe('a push that is stopped', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s ends with %d and publishes nothing', async (signal, status) => {
    const { push, held } = await heldPush()
    const started = performance.now()
    push.kill(signal)
    expect(await push.ended).toBe(status)
    expect(performance.now() - started).toBeLessThan(10_000)
    expect(push.lines.at(-1)).toMatchObject({ event: 'error', code: 'ERR_FR_ABORTED' })
    expect(push.stderr).toContain(`${signal}: stopping; repeat to end at once`)
    expect(push.stderr).not.toMatch(/^ {4}at /m)
    held.kill('SIGCONT')
    for (const node of nodes) expect(copyDigest(node, 'big.bin')).toBeNull()
    await isIdle(held)
    // The nodes still work, and go on from what they have.
    const again = await world.run(['push', '--silence', '4s', 'big.bin', '--to', listOf(nodes)])
    expect(again.status).toBe(0)
    for (const node of nodes) {
      expect(copyDigest(node, 'big.bin')).toBe(sha256(content))
      await node.until('end of the partials', () => partialsOf(node).length === 0)
    }
  })

  it('by a second SIGINT ends at once', async () => {
    const { push } = await heldPush()
    push.kill('SIGINT')
    await push.until('answer to the first', () => push.stderr.includes('stopping'))
    push.kill('SIGINT')
    expect(await push.ended).toBe(130)
  })
})

describe('a node that is stopped', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s ends with %d, in the middle of a push', async (signal, status) => {
    const push = world.fr([...pushing, listOf(nodes)])
    await push.until('plan', () => push.lines.length > 0)
    const stopped = nodes[0] as ServingNode
    stopped.kill(signal)
    expect(await stopped.ended).toBe(status)
    expect(stopped.stderr).toMatch(/event=stopping .*event=stopped/s)
    // It may have been complete by then; the others are in any case.
    expect([0, 3]).toContain(await push.ended)
    for (const node of nodes.slice(1)) expect(copyDigest(node, 'big.bin')).toBe(sha256(content))
  })
})
