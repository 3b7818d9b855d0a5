/** Nodes that hold a part of a file serve it: what a push left, and what one has brought so far. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { client, get, push } from '../../src/api/index.js'
import { hexOf } from '../../src/base/bytes.js'
import { hiddenDir } from '../../src/base/names.js'
import type { RangePair } from '../../src/base/ranges.js'
import { digestsOf } from '../../src/store/catalogue/record.js'
import { Journal } from '../../src/store/journal/journal.js'
import { engines } from './engines.js'
import { type Authored, authored } from './get-support.js'
import { writtenDown } from './journals.js'
import { until, useWorld } from './push-support.js'

const MIB = 1024 * 1024
const name = 'f.bin'

/** Before the node of this directory starts: a transfer left these ranges of whole runs. */
async function plantPartial(dataDir: string, made: Authored, held: RangePair[]): Promise<void> {
  const id = 'a'.repeat(32)
  const hidden = join(dataDir, hiddenDir)
  mkdirSync(join(hidden, 'journals'), { recursive: true, mode: 0o700 })
  mkdirSync(join(hidden, 'partials'), { recursive: true, mode: 0o700 })
  const path = join(hidden, 'partials', id)
  const bytes = Buffer.alloc(made.content.length, 'x')
  for (const [offset, length] of held) made.content.copy(bytes, offset, offset, offset + length)
  writeFileSync(path, bytes, { mode: 0o600 })
  const { contentId, algorithm, blockBytes, fileDigest, runs: signed } = made
  const header = {
    ...{ contentId, algorithm, blockBytes, author: hexOf(made.author.publicKey) },
    ...{ size: bytes.length, name: Buffer.from(name), transfer: id },
  }
  const file = await open(path)
  const look = async () => {
    const { size, ino, mtimeNs, ctimeNs } = await file.stat({ bigint: true })
    const time = (ns: bigint) => ({
      seconds: Number(ns / 1_000_000_000n),
      nanos: Number(ns % 1_000_000_000n),
    })
    const times = { mtime: time(mtimeNs), ctime: time(ctimeNs) }
    return { size: Number(size), inode: String(ino), ...times }
  }
  const journal = await Journal.create(join(hidden, 'journals', id), header, look)
  const within = (offset: number): boolean =>
    held.some(([at, length]) => at <= offset && offset < at + length)
  const verified = signed
    .filter(({ offset }) => within(offset))
    .map((run) => ({ offset: run.offset, length: run.length, digests: digestsOf(run) }))
  const attributes = { mode: 0o640, mtime: { seconds: 1_700_000_000, nanos: 5 } }
  await journal.append({ runs: verified, signed, whole: { fileDigest, attributes } })
  await journal.append({})
  await journal.close()
  await file.close()
}

describe.each(engines)('with the %s engine', (engine) => {
  const world = useWorld(engine)
  const out = (): string => join(world.dir, 'out')

  it('two nodes that hold a part each give the whole', async () => {
    const { path, content } = world.file('source', 24 * MIB + 9)
    const made = await authored(path, content)
    const half = made.runs[Math.floor(made.runs.length / 2)]?.offset as number
    const from: string[] = []
    for (const part of [
      [0, half],
      [half, content.length - half],
    ] as const) {
      const dataDir = world.dataDir()
      await plantPartial(dataDir, made, [part])
      from.push((await world.node({ dataDir })).address)
    }
    const result = await get(name, { from, output: out(), engine }).result
    expect(readFileSync(out()).equals(content)).toBe(true)
    expect(result.digest).toBe(made.fileDigest)
    const brought = result.from.map(({ bytes }) => bytes)
    expect(brought).toEqual([half, content.length - half])
  })

  it('a part alone is too little, and the reason says so', async () => {
    const { path, content } = world.file('source', 20 * MIB)
    const made = await authored(path, content)
    const dataDir = world.dataDir()
    await plantPartial(dataDir, made, [[0, made.runs[0]?.length as number]])
    const { address } = await world.node({ dataDir })
    const asked = get(name, { from: [address], output: out(), engine, timeoutMs: 3_000 })
    await expect(asked.result).rejects.toMatchObject({
      message: expect.stringContaining('the file is not here'),
    })
  })

  it('what a push that was cut off has left serves beside a whole holder', async () => {
    const { path, content } = world.file(name, 48 * MIB)
    const whole = await world.node()
    const cut = await world.node()
    const door = await world.holding(cut.address, 24 * MIB)
    await push(path, { to: [whole.address], engine }).result
    // The digest is known from the push before.
    const transfer = push(path, { to: [door.address], engine, shape: 'unicast' })
    const entries = async () => {
      const listed = []
      for await (const entry of client.list(cut.address)) listed.push(entry)
      return listed
    }
    const isKept = async () => (await entries()).some(({ heldBytes }) => heldBytes > 0)
    // What is left can be proved to others when all digests of it are here.
    await writtenDown(cut.dataDir, door, 8 * MIB, content.length)
    transfer.cancel()
    await transfer.result.catch(() => {})
    await until(isKept, 'it is kept')
    const from = [cut.address, whole.address]
    const result = await get(name, { from, output: out(), engine }).result
    expect(readFileSync(out()).equals(content)).toBe(true)
    const [left, all] = result.from.map(({ bytes }) => bytes)
    expect(left).toBeGreaterThan(0)
    expect((left ?? 0) + (all ?? 0)).toBe(content.length)
  })
})
