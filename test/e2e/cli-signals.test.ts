/** Deaths and signals in the middle of a push: of a node, and of the push itself. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fetchStatus } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { copyDigest, listOf, type Running, type ServingNode, sha256, World } from './cli-world.js'
import { type Door, holdingDoor } from './door.js'

const fileBytes = 12 * MIB
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
let doors: Door[]
let held: ServingNode
let heldDoor: Door
beforeEach(async () => {
  world = new World()
  nodes = await world.nodes(3)
  content = world.file('big.bin', fileBytes)
  doors = await Promise.all(nodes.map(({ address }) => holdingDoor(address, MIB)))
  held = nodes[2] as ServingNode
  heldDoor = doors[2] as Door
})
afterEach(async () => {
  for (const door of doors) door.close()
  await world.close()
})

/** A push in whose middle all nodes are: none gets more until its door is opened. */
async function heldPush(): Promise<Running> {
  const push = world.fr([...pushing, doors.map(({ address }) => address).join()])
  await push.until('the middle', () => doors.every((door) => door.isHolding()))
  expect(push.lines.map((line) => line['event'])).not.toContain('result')
  return push
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
    const push = await heldPush()
    held.kill('SIGKILL')
    for (const door of doors) door.open()
    expect(await push.ended).toBe(3)
    const result = push.lines.at(-1)
    expect(result).toMatchObject({ event: 'result', bytes: fileBytes })
    expect(result?.['nodes']).toContainEqual(
      expect.objectContaining({
        node: heldDoor.address,
        status: 'failed',
        reason: expect.stringMatching(/^ERR_FR_NODE_LOST: /),
      }),
    )
    for (const node of nodes.slice(0, 2)) expect(copyDigest(node, 'big.bin')).toBe(sha256(content))
    expect(copyDigest(held, 'big.bin')).toBeNull()
    expect(push.stderr).toMatch(new RegExp(`^${heldDoor.address} +failed .*ERR_FR_NODE_LOST`, 'm'))
    expect(push.stderr).toContain('2 of 3 nodes complete')
  })
})

describe('a push that is stopped', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s ends with %d and publishes nothing', async (signal, status) => {
    const push = await heldPush()
    held.kill('SIGSTOP')
    push.kill(signal)
    expect(await push.ended).toBe(status)
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
    const push = await heldPush()
    held.kill('SIGSTOP')
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
    const push = await heldPush()
    held.kill(signal)
    expect(await held.ended).toBe(status)
    expect(held.stderr).toMatch(/event=stopping .*event=stopped/s)
    for (const door of doors) door.open()
    expect(await push.ended).toBe(3)
    for (const node of nodes.slice(0, 2)) expect(copyDigest(node, 'big.bin')).toBe(sha256(content))
  })
})
