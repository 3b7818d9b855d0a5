/**
 * Random histories of pushes, cancelled pushes, restarts, edits behind a node's back, removals,
 * verifications and fetches, compared with a model: what lies in the directory of each node, what
 * it says that it holds, and what it hands out. FR_HISTORIES sets how many.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { client, digestFile, type FrNode, get, push } from '../../src/api/index.js'
import { KIB, MIB } from '../../src/base/limits.js'
import { Random } from '../../src/sim/random.js'
import { useWorld } from './push-support.js'

const histories = Number(process.env['FR_HISTORIES'] ?? 5)
const steps = 12
const names = ['one', 'dir/two', 'three']
const sizes = [0, 1, 64 * KIB, 3 * MIB + 7, 3 * MIB + 7]

const world = useWorld('native')

class History {
  readonly #random: Random
  readonly #dirs = [world.dataDir(), world.dataDir()]
  readonly #nodes: FrNode[] = []
  readonly #contents: { readonly path: string; readonly bytes: Buffer }[] = []
  /** What lies under each name at each node; absent: nothing. */
  readonly #files = this.#dirs.map(() => new Map<string, Buffer>())
  /** Names whose file somebody else changed since the node published it. */
  readonly #edited = this.#dirs.map(() => new Set<string>())
  readonly told: string[] = []

  constructor(seed: number) {
    this.#random = new Random(seed)
    for (const [i, size] of sizes.entries()) {
      const path = join(world.dir, `content-${seed}-${i}`)
      const bytes = Buffer.alloc(size)
      for (let at = 0; at < size; at++) bytes[at] = (at * 7 + i * 31) % 251
      writeFileSync(path, bytes)
      this.#contents.push({ path, bytes })
    }
  }

  async start(): Promise<void> {
    for (const dataDir of this.#dirs) this.#nodes.push(await world.node({ dataDir }))
  }

  async close(): Promise<void> {
    for (const node of this.#nodes) await node.close()
  }

  async step(): Promise<void> {
    const at = this.#random.integer(0, this.#dirs.length - 1)
    const name = this.#random.pick(names)
    const kind = this.#random.pick([
      'push',
      'push',
      'push',
      'cancel',
      'restart',
      'edit',
      'delete',
      'remove',
      'verify',
      'get',
    ] as const)
    this.told.push(`${kind} ${name} at ${at}`)
    await this[kind](at, name)
    await this.#check(at)
  }

  async push(_: number, name: string): Promise<void> {
    const { path, bytes } = this.#random.pick(this.#contents)
    const to = this.#nodes.map(({ address }) => address)
    const { nodes } = await push(path, { to, engine: 'native', as: name }).result
    expect(nodes.map(({ reason }) => reason)).toEqual([null, null])
    for (const at of this.#dirs.keys()) this.#published(at, name, bytes)
  }

  /** Whatever has come of it: a node has all of the new file, or what it had. */
  async cancel(_: number, name: string): Promise<void> {
    const { path, bytes } = this.#random.pick(this.#contents)
    const to = this.#nodes.map(({ address }) => address)
    const signal = AbortSignal.timeout(this.#random.integer(1, 60))
    await push(path, { to, engine: 'native', as: name, signal }).result.catch(() => {})
    // Nodes hear of it a moment later.
    while (this.#nodes.some((node) => node.status().transfers.length > 0))
      await new Promise((resolve) => setTimeout(resolve, 5))
    for (const [at, dir] of this.#dirs.entries()) {
      const path = join(dir, name)
      const now = existsSync(path) ? readFileSync(path) : undefined
      if (now?.equals(bytes) && !this.#files[at]?.get(name)?.equals(bytes))
        this.#published(at, name, bytes)
    }
  }

  async restart(at: number): Promise<void> {
    await this.#nodes[at]?.close()
    this.#nodes[at] = await world.node({ dataDir: this.#dirs[at] as string })
  }

  /** Of the same size, so that the size does not give it away. */
  async edit(at: number, name: string): Promise<void> {
    const before = this.#files[at]?.get(name)
    if (before === undefined || before.length === 0) return
    const bytes = Buffer.from(before)
    const place = this.#random.integer(0, bytes.length - 1)
    bytes[place] = (bytes[place] ?? 0) ^ 0xff
    writeFileSync(join(this.#dirs[at] as string, name), bytes)
    this.#files[at]?.set(name, bytes)
    this.#edited[at]?.add(name)
  }

  async delete(at: number, name: string): Promise<void> {
    rmSync(join(this.#dirs[at] as string, name), { force: true })
    this.#files[at]?.delete(name)
  }

  /** A file without a record is not the node's to remove. */
  async remove(at: number, name: string): Promise<void> {
    const { address } = this.#nodes[at] as FrNode
    const isDone = await client.remove(address, name).then(
      () => true,
      ({ code }) => {
        expect(code).toBe('ERR_FR_NOT_HELD')
        return false
      },
    )
    const isThere = existsSync(join(this.#dirs[at] as string, name))
    if (isDone) expect(isThere).toBe(false)
    if (!isThere) this.#files[at]?.delete(name)
  }

  async verify(at: number): Promise<void> {
    const { address } = this.#nodes[at] as FrNode
    for await (const line of client.verify(address)) {
      if (line.event !== 'verified') continue
      const isWhole = this.#files[at]?.has(line.name) && !this.#edited[at]?.has(line.name)
      expect([line.name, line.status]).toEqual([line.name, isWhole ? 'good' : 'failed'])
    }
  }

  async get(at: number, name: string): Promise<void> {
    const { address } = this.#nodes[at] as FrNode
    const output = join(world.dir, `got-${this.told.length}`)
    const found = await get(name, { from: [address], output }).result.catch(({ code }) => {
      expect(code).toBe('ERR_FR_NOT_HELD')
      return null
    })
    if (found === null) return
    expect(this.#edited[at]?.has(name)).toBe(false)
    expect(readFileSync(output).equals(this.#files[at]?.get(name) ?? Buffer.from('?'))).toBe(true)
    rmSync(output)
  }

  #published(at: number, name: string, bytes: Buffer): void {
    this.#files[at]?.set(name, bytes)
    this.#edited[at]?.delete(name)
  }

  async #check(at: number): Promise<void> {
    const dir = this.#dirs[at] as string
    for (const name of names) {
      const path = join(dir, name)
      const bytes = this.#files[at]?.get(name)
      expect([name, existsSync(path)]).toEqual([name, bytes !== undefined])
      if (bytes !== undefined) expect(readFileSync(path).equals(bytes)).toBe(true)
    }
    for await (const held of client.list((this.#nodes[at] as FrNode).address)) {
      if (held.state !== 'held') continue
      expect([held.name, this.#edited[at]?.has(held.name)]).toEqual([held.name, false])
      expect(held.digest).toBe(await digestFile(join(dir, held.name)))
    }
  }
}

it(`${histories} histories are as the model has them`, { timeout: 600_000 }, async () => {
  for (let seed = 1; seed <= histories; seed++) {
    const history = new History(seed)
    await history.start()
    try {
      for (let step = 0; step < steps; step++) await history.step()
    } catch (error) {
      throw new Error(`seed ${seed}: ${history.told.join(', ')}`, { cause: error })
    }
    await history.close()
  }
})
