/** Runs the four commands of the README: its commands, ports, names that exist. */
import {
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyDigest, MIB, root, type ServingNode, sha256, World } from './cli-world.js'
import { holdingDoor } from './door.js'

const readme = readFileSync(`${root}/README.md`, 'utf8')
const use = /^## Use it\n([\s\S]*?)^### /m.exec(readme)?.[1] ?? ''
const commands = [...use.matchAll(/^npx fr ([^#\n]*)/gm)].map((match) => (match[1] ?? '').trim())

describe('the four commands', () => {
  let world: World
  let nodes: ServingNode[]
  /** A command of the README with its examples replaced by our values. */
  const words = (command: string | undefined, ...replaced: [string, string][]) =>
    (command ?? '')
      .split(/\s+/)
      .map((word) => replaced.reduce((text, [from, to]) => text.replace(from, to), word))
  const pushWords = (to = nodes) => {
    const [first, second] = to.map((node) => node.address)
    return words(commands[2], ['10.0.0.2:7400', `${first}`], ['10.0.0.3:7400', `${second}`])
  }

  beforeAll(async () => {
    world = new World()
    expect(await world.run(words(commands[0]))).toMatchObject({ status: 0 })
    nodes = await Promise.all(
      ['n1', 'n2'].map(async (name) => {
        const data = world.path(name)
        mkdirSync(data)
        const args = words(commands[1], ['10.0.0.2:7400', '127.0.0.1:0'], ['/srv/data', data])
        const node = world.fr([...args, '--json'])
        await node.until('listening line', () => node.lines.length > 0)
        return Object.assign(node, { address: String(node.lines[0]?.['address']), data })
      }),
    )
  })
  afterAll(() => world.close())

  it('has four commands, of which the first installs', () => {
    expect(commands).toHaveLength(3)
    expect(use).toMatch(/^npm install fastreplica /m)
  })

  it('puts the file where it says, and replaces an older one in one step', async () => {
    const first = world.file('model.bin', 3 * MIB)
    expect(await world.run(pushWords())).toMatchObject({ status: 0 })
    for (const node of nodes) expect(copyDigest(node, 'model.bin')).toBe(sha256(first))
    const open = openSync(`${nodes[0]?.data}/model.bin`, 'r')
    const second = world.file('model.bin', 2 * MIB)
    expect(await world.run(pushWords())).toMatchObject({ status: 0 })
    for (const node of nodes) expect(copyDigest(node, 'model.bin')).toBe(sha256(second))
    expect(sha256(readFileSync(open))).toBe(sha256(first))
    world.file('model.bin', MIB)
    const refused = await world.run([...pushWords(), '--no-clobber'])
    expect(refused).toMatchObject({ status: 1 })
    expect(refused.stderr).toContain('ERR_FR_EXISTS')
    for (const node of nodes) expect(copyDigest(node, 'model.bin')).toBe(sha256(second))
  })

  it('listens on one port at a receiver, and on none at the sender', async () => {
    world.file('model.bin', 64 * MIB)
    const [one, two] = nodes as [ServingNode, ServingNode]
    const door = await holdingDoor(two.address, MIB)
    try {
      const held = Object.assign(Object.create(two), { address: door.address })
      const push = world.fr(pushWords([one, held]))
      await push.until('the middle', door.isHolding)
      expect(listeningOf(push.child.pid)).toEqual([])
      for (const node of nodes) {
        expect(listeningOf(node.child.pid)).toEqual([Number(node.address.split(':')[1])])
      }
      const before = copyDigest(two, 'model.bin')
      push.kill('SIGINT')
      expect(await push.ended).toBe(130)
      expect(copyDigest(two, 'model.bin')).toBe(before)
    } finally {
      door.close()
    }
  })

  it('leaves the old file where a push fails, and the others get theirs', async () => {
    const [one, two] = nodes as [ServingNode, ServingNode]
    writeFileSync(`${two.data}/model.bin`, 'old')
    const content = world.file('model.bin', 64 * MIB)
    const door = await holdingDoor(two.address, MIB)
    try {
      const held = Object.assign(Object.create(two), { address: door.address })
      const push = world.fr([...pushWords([one, held]), '--retries', '0', '--silence', '6s'])
      await push.until('the middle', door.isHolding)
      two.kill('SIGKILL')
      expect(await push.ended).toBe(3)
      expect(copyDigest(one, 'model.bin')).toBe(sha256(content))
      expect(readFileSync(`${two.data}/model.bin`, 'utf8')).toBe('old')
    } finally {
      door.close()
    }
  })
})

/** TCP ports on which a process listens. */
function listeningOf(pid: number | undefined): number[] {
  const own = new Set<string>()
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      own.add(/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? '')
    } catch {
      // The descriptor was closed meanwhile.
    }
  }
  const lines = ['tcp', 'tcp6'].flatMap((kind) =>
    readFileSync(`/proc/net/${kind}`, 'utf8').split('\n').slice(1),
  )
  return lines.flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
    if (state !== '0A' || !own.has(inode ?? '-')) return []
    return [Number.parseInt(local?.split(':')[1] ?? '', 16)]
  })
}
