/**
 * `npm run fleet`: a day of a fleet in minutes. A master, FR_NODES nodes (50) and FR_FILES files
 * (2,000), of which new versions arrive at nodes in FR_ROUNDS rounds (6), while nodes are killed
 * and come back, and the master as well.
 *
 * Then every node has the last version of each file that the sets want there, and none that was not
 * killed has received more than the versions that it was to have.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Running } from '../../bench/running.mjs'
import { fetchStatus, push } from '../../src/api/index.js'
import { copyDigest, type ServingNode, sha256, World } from '../e2e/cli-world.js'

const count = Number(process.env['FR_NODES'] ?? 50)
const fileCount = Number(process.env['FR_FILES'] ?? 2_000)
const rounds = Number(process.env['FR_ROUNDS'] ?? 6)
const convergesMs = 600_000
/** Every so many files one is large. */
const largeEvery = 100

const nameOf = (number: number) => `f${String(number).padStart(4, '0')}`
/** The second half of the files is for every other node only. */
const isForAll = (number: number) => number < fileCount / 2

interface Member {
  readonly name: string
  readonly isEven: boolean
  node: ServingNode
  wasKilled: boolean
  /** Digests of files that were looked at there. */
  readonly seen: Map<number, string>
}

class Fleet {
  readonly world: World
  readonly key: string
  master: Running | undefined
  masterAddress = '127.0.0.1:0'
  readonly members: Member[] = []
  /** Digest of the last version of each file. */
  readonly last = new Map<number, string>()
  /** Bytes of all versions of each file. */
  readonly bytes = new Map<number, number>()

  constructor(world: World) {
    this.world = world
    this.key = world.env['FR_KEY'] as string
  }

  async startMaster(): Promise<void> {
    const dirs = ['--data', this.world.path('master'), '--sets', this.world.path('sets')]
    const args = [
      'master',
      '--listen',
      this.masterAddress,
      ...dirs,
      '--json',
      '--log-level',
      'warn',
    ]
    const running = this.world.fr(args)
    this.master = running
    this.masterAddress = (await running.ready('master')).address as string
  }

  async startNode(name: string, isEven: boolean, listen = '127.0.0.1:0'): Promise<ServingNode> {
    const at = ['--master', this.masterAddress, '--name', name, '--log-level', 'warn']
    const args = [...at, '--attr', `half=${isEven ? 'even' : 'odd'}`]
    return this.world.startNode({ name, listen, args })
  }

  /** A new version of a file at one node. */
  async change(number: number, at: Member): Promise<void> {
    const isLarge = number % largeEvery === 0
    const size = isLarge ? 4 * 2 ** 20 : 1_000 + Math.floor(Math.random() * 30_000)
    const content = this.world.file('next', size)
    const to = [at.node.address]
    await push(this.world.path('next'), { to, as: nameOf(number), key: this.key }).result
    this.last.set(number, sha256(content))
    this.bytes.set(number, (this.bytes.get(number) ?? 0) + size)
  }

  wanted({ isEven }: Member): number[] {
    return [...this.last.keys()].filter((number) => isForAll(number) || isEven)
  }

  lacking(member: Member): number {
    const { node, seen } = member
    const lacks = (number: number): boolean => {
      const wanted = this.last.get(number)
      if (seen.get(number) === wanted) return false
      seen.set(number, copyDigest(node, nameOf(number)) ?? '')
      return seen.get(number) !== wanted
    }
    return this.wanted(member).filter(lacks).length
  }

  async converges(): Promise<void> {
    const endMs = performance.now() + convergesMs
    let open = this.members
    for (;;) {
      open = open.filter((member) => this.lacking(member) > 0)
      if (open.length === 0) return
      if (performance.now() > endMs) {
        const lacks = open.map((member) => `${member.name} lacks ${this.lacking(member)}`)
        throw new Error(`not within ${convergesMs} ms: ${lacks.join(', ')}`)
      }
      await pause(500)
    }
  }
}

function writeSet(world: World, name: string, where: string, numbers: readonly number[]): void {
  const head = `apiVersion: fastreplica/v1\nkind: FileSet\nmetadata: {name: ${name}}`
  const spec = `spec: {where: '${where}', files: [${numbers.map(nameOf).join(', ')}]}`
  writeFileSync(world.path(`sets/${name}.yaml`), `${head}\n${spec}\n`)
}

function some<T>(items: readonly T[], most: number): T[] {
  const left = [...items]
  const taken: T[] = []
  while (taken.length < most && left.length > 0)
    taken.push(...left.splice(Math.floor(Math.random() * left.length), 1))
  return taken
}

test('all sets converge, and nothing is copied twice', { timeout: 3_600_000 }, async () => {
  const world = new World()
  try {
    mkdirSync(world.path('sets'))
    const numbers = Array.from({ length: fileCount }, (_, number) => number)
    writeSet(world, 'all', 'name=*', numbers.filter(isForAll))
    const others = numbers.filter((number) => !isForAll(number))
    writeSet(world, 'even', 'half=even', others)
    const fleet = new Fleet(world)
    await fleet.startMaster()
    for (let at = 0; at < count; at++) {
      const [name, isEven] = [`n${at}`, at % 2 === 0]
      fleet.members.push({
        name,
        isEven,
        node: await fleet.startNode(name, isEven),
        wasKilled: false,
        seen: new Map(),
      })
    }
    const even = fleet.members.filter(({ isEven }) => isEven)
    let startMs = performance.now()
    const said = (text: string) => {
      console.log(`${text}: ${((performance.now() - startMs) / 1_000).toFixed(1)} s`)
      startMs = performance.now()
    }
    for (const number of numbers) await fleet.change(number, even[0] as Member)
    said(`${fileCount} files are at one node`)
    await fleet.converges()
    said(`all ${count} nodes have theirs`)
    for (let round = 1; round <= rounds; round++) {
      const dead = some(fleet.members, Math.ceil(count / 10))
      const alive = even.filter((member) => !dead.includes(member))
      for (const member of dead) {
        member.wasKilled = true
        member.node.kill('SIGKILL')
      }
      const isMasterKilled = round % 2 === 0
      if (isMasterKilled) fleet.master?.kill('SIGKILL')
      for (const number of some(numbers, Math.ceil(fileCount / 20)))
        await fleet.change(number, some(alive, 1)[0] as Member)
      if (isMasterKilled) await fleet.startMaster()
      for (const member of dead)
        member.node = await fleet.startNode(member.name, member.isEven, member.node.address)
      await fleet.converges()
      said(`round ${round}: ${dead.length} nodes${isMasterKilled ? ' and the master' : ''} killed`)
    }
    const whole = fleet.members.filter(({ wasKilled }) => !wasKilled)
    for (const member of whole) {
      const { counters } = await fetchStatus(member.node.address, { key: fleet.key })
      const received = counters['receivedBytes'] ?? Number.POSITIVE_INFINITY
      const meant = fleet.wanted(member).reduce((sum, of) => sum + (fleet.bytes.get(of) ?? 0), 0)
      expect(received, member.name).toBeLessThanOrEqual(meant)
    }
    console.log(`${whole.length} nodes were never killed, and received nothing twice`)
  } finally {
    await world.close()
  }
})
