/** A master and nodes as processes: files come to all that sets want, whoever is killed. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freeAddress } from '../../bench/programs.mjs'
import { client, type FrNode, fetchStatus, push, startNode } from '../../src/api/index.js'
import { MIB, type Running, sha256, World } from './cli-world.js'
import { journalled } from './journals.js'

let world: World
beforeEach(() => {
  world = new World()
  mkdirSync(world.path('sets'))
})
const here: FrNode[] = []
afterEach(async () => {
  await Promise.all(here.splice(0).map((node) => node.close()))
  await world.close()
})

function writeSet(files: readonly string[], where = 'name=*'): void {
  const spec = `spec: {where: '${where}', files: [${files.join(', ')}]}`
  const head = 'apiVersion: fastreplica/v1\nkind: FileSet\nmetadata: {name: all}'
  writeFileSync(world.path('sets/all.yaml'), `${head}\n${spec}\n`)
}

interface MasterProcess {
  readonly running: Running
  readonly address: string
}

async function startMaster(at?: string): Promise<MasterProcess> {
  const listen = at ?? (await freeAddress())
  const where = ['--data', world.path('master'), '--sets', world.path('sets')]
  const running = world.fr(['master', '--listen', listen, ...where, '--json'])
  await running.until('it listens', () => running.lines.length > 0)
  return { running, address: String(running.lines[0]?.['address']) }
}

const keyOf = () => ({ key: world.env['FR_KEY'] as string })

/** One that can be killed. */
function nodeProcess(name: string, { address }: MasterProcess, more: readonly string[] = []) {
  return world.node(name, ['--master', address, '--name', name, ...more])
}

/** One that lives as long as the test. */
async function nodeHere(name: string, { address: master }: MasterProcess, limits = {}) {
  const where = { listen: '127.0.0.1:0', dataDir: world.path(name), ...keyOf() }
  const node = await startNode({ ...where, name, master, ...limits })
  here.push(node)
  return { address: node.address, data: world.path(name) }
}

type Place = Awaited<ReturnType<typeof nodeHere>>

const give = (name: string, { address }: Place) =>
  push(world.path(name), { to: [address], as: name, ...keyOf() }).result

async function counted({ address }: Place): Promise<number> {
  const { counters } = await fetchStatus(address, keyOf())
  return counters['receivedBytes'] ?? 0
}

async function untilHeld(nodes: readonly Place[], name: string, digest: string) {
  const has = ({ data }: Place): boolean => {
    const path = join(data, name)
    return existsSync(path) && sha256(readFileSync(path)) === digest
  }
  while (!nodes.every(has)) await sleep(50)
}

describe('a master', () => {
  it('has what one node holds copied to all, killed in the middle too', {
    timeout: 120_000,
  }, async () => {
    writeSet(['big', 'small'])
    const master = await startMaster()
    const slow = { limitDownBytesPerSecond: 2e6 }
    const a = await nodeHere('a', master)
    const b = await nodeHere('b', master, slow)
    const c = await nodeHere('c', master, slow)
    const nodes = [a, b, c]
    const small = world.file('small', 10_000)
    await give('small', c)
    await untilHeld(nodes, 'small', sha256(small))
    const big = world.file('big', 6 * MIB)
    await give('big', a)
    while ((await counted(b)) < MIB) await sleep(20)
    master.running.kill('SIGKILL')
    await master.running.ended
    // What was ordered goes on without it.
    const before = await counted(b)
    const more = Math.min(before + 256 * 1024, big.length + small.length)
    while ((await counted(b)) < more) await sleep(20)
    const again = await startMaster(master.address)
    await untilHeld(nodes, 'big', sha256(big))
    for (const node of [b, c])
      expect(await counted(node)).toBeLessThan(big.length + small.length + 2 * MIB)
    again.running.kill('SIGTERM')
    expect(await again.running.ended).toBe(143)
  })

  it('goes on with a node that was killed where it was, and with sets that change', {
    timeout: 120_000,
  }, async () => {
    writeSet(['big'])
    const master = await startMaster()
    const a = await nodeHere('a', master)
    let b = await nodeProcess('b', master, ['--limit-down', '2MB'])
    const big = world.file('big', 6 * MIB)
    await give('big', a)
    // It is killed once it has written down some of it.
    const isKept = async () => (await journalled(b.data)).verified >= MIB
    while (!(existsSync(join(b.data, 'big')) || (await isKept()))) await sleep(20)
    b.kill('SIGKILL')
    await b.ended
    b = await nodeProcess('b', master, ['--limit-down', '2MB'])
    await untilHeld([b], 'big', sha256(big))
    expect(await counted(b)).toBeLessThan(big.length)
    const drained = await world.run(['drain', 'b', '--via', master.address])
    expect([drained.status, drained.stdout]).toEqual([0, 'b: drained; 0 copies were under way\n'])
    const other = world.file('other', 100_000)
    await give('other', a)
    writeSet(['big', 'other'], 'name=b')
    master.running.kill('SIGHUP')
    const why = () => client.explain(master.address, 'b', 'other', keyOf())
    while ((await why()).set === null) await sleep(20)
    expect(await why()).toMatchObject({ state: 'drained', copies: [] })
    await client.drain(master.address, 'b', { ...keyOf(), undo: true })
    await untilHeld([b], 'other', sha256(other))
    const status = await fetchStatus(b.address, keyOf())
    expect(status.master).toEqual({
      ...{ address: master.address, isLinked: true, fault: null, required: 2 },
    })
  })
})
