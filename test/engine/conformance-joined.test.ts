/** Files whose bytes are spread over parts on several devices, in both engines. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { engines } from './engines.js'
import { failsWith } from './store.js'
import { blockBytes, fileBytes, KIB, MIB, type Party, poll, streamId, useWorld } from './world.js'

const unitBytes = 128 * KIB
const mapAt = 64
const lostAt = 48
const isRoot = process.platform === 'linux' && process.getuid?.() === 0

describe.each(engines)('$kind engine: joined files', (under) => {
  const world = useWorld(under)

  interface Joined {
    readonly file: number
    readonly dir: number
    readonly dirs: readonly number[]
    readonly head: string
    readonly parts: readonly string[]
  }

  /** A new one with parts in these directories, or that of `of` once more. */
  async function joined(
    { engine: { storage } }: Party,
    size: number,
    paths: readonly string[],
    of?: Joined,
  ): Promise<Joined> {
    const [dir = 0, ...more] =
      of?.dirs ?? (await Promise.all(paths.map((path) => storage.openDataDir(path))))
    const dirs = [dir, ...more]
    const file = await (of
      ? storage.openPartial(dir, 'main')
      : storage.createPartial(dir, 'main', size))
    const head = of?.head ?? join(paths[0] as string, '.fastreplica/partials/main')
    const units = Math.ceil(size / unitBytes)
    const map = readFileSync(head).subarray(mapAt, mapAt + units)
    const parts = paths.map((path) => join(path, '.fastreplica/part'))
    const spec = { dir, file, unitBytes, reserveBytes: 0, isWritten: true, map }
    const numbered = parts.map((path, at) => ({ number: at + 1, dir: dirs[at] as number, path }))
    await storage.joinFile({ ...spec, parts: numbered })
    return { file, dir, dirs, head, parts }
  }

  function dataDirs(count: number): string[] {
    return Array.from({ length: count }, () => {
      const path = join(world.root, world.name())
      mkdirSync(path)
      return path
    })
  }

  const mapOf = ({ head }: Joined, size: number): Buffer =>
    readFileSync(head).subarray(mapAt, mapAt + Math.ceil(size / unitBytes))

  /** What is in the parts, by the map. */
  function contentOf(of: Joined, size: number): Buffer {
    const parts = of.parts.map((path) => readFileSync(path))
    const bytes = Buffer.alloc(size)
    mapOf(of, size).forEach((number, unit) => {
      const [from, to] = [unit * unitBytes, Math.min((unit + 1) * unitBytes, size)]
      parts[number - 1]?.copy(bytes, from, from, to)
    })
    return bytes
  }

  async function filled(party: Party, of: Joined, bytes: Buffer, offset = 0): Promise<void> {
    const { storage } = party.engine
    const path = join(world.root, world.name())
    writeFileSync(path, bytes)
    const { file } = await storage.openSource(path)
    await storage.copyIn(file, of.file, { offset: 0, length: bytes.length }, offset)
    storage.closeFile(file)
  }

  it('land what comes in units on all of them, and are sent from there', async () => {
    const size = 5 * MIB + 12_345
    const bytes = fileBytes(size)
    const [a, b, c] = [await world.party(), await world.party(), await world.party()]
    const origin = await world.origin(a, bytes)
    const of = await joined(b, size, dataDirs(3))
    const transfer = b.engine.openTransfer()
    const stream = { stream: streamId, file: of.file, size, blockBytes, complete: false }
    b.engine.addStream(transfer, { ...stream, hashes: 'xxh64' })
    const last = await world.receiver(c, size)
    const first = await world.feed(a, origin.transfer, b, transfer)
    await world.feed(b, transfer, c, last.transfer, true)
    a.engine.send(first.out, { stream: streamId, offset: 0, length: size, route: 1 })
    await b.landed(transfer, size)
    await c.landed(last.transfer, size)
    expect(last.content().equals(bytes)).toBe(true)
    const flushed = await b.engine.storage.flush(of.file)
    expect(flushed).toMatchObject({ size, wasLost: false })
    expect(flushed.allocatedBytes).toBeGreaterThanOrEqual(size)
    expect(contentOf(of, size).equals(bytes)).toBe(true)
    const counts = [1, 2, 3].map((number) => mapOf(of, size).filter((one) => one === number).length)
    expect(Math.min(...counts)).toBeGreaterThan(0)
    // Hashed where they are, whoever does it.
    const range = { offset: MIB, length: MIB }
    const digests = a.engine.hashNow(origin.file, range, blockBytes, 'xxh64')
    expect(b.engine.hashNow(of.file, range, blockBytes, 'xxh64')).toEqual(digests)
    // And from a complete one.
    const d = await world.party()
    const receiver = await world.receiver(d, size)
    const complete = b.engine.openTransfer()
    b.engine.addStream(complete, { ...stream, complete: true })
    const feed = await world.feed(b, complete, d, receiver.transfer)
    b.engine.send(feed.out, { stream: streamId, offset: 0, length: size })
    await d.landed(receiver.transfer, size)
    expect(receiver.content().equals(bytes)).toBe(true)
  })

  it('are the same once they are opened again, with zeros where nothing was written', async () => {
    const size = 2 * MIB
    const party = await world.party()
    const { storage } = party.engine
    const paths = dataDirs(2)
    const of = await joined(party, size, paths)
    const bytes = fileBytes(MIB)
    await filled(party, of, bytes, 512 * KIB)
    await storage.flush(of.file)
    storage.closeFile(of.file)
    await poll('the parts are closed', () => party.engine.counters().openFiles === 0)
    const again = await joined(party, size, paths, of)
    const whole = Buffer.alloc(size)
    bytes.copy(whole, 512 * KIB)
    const plain = await storage.createPartial(of.dir, 'plain', size)
    await storage.copyIn(again.file, plain, { offset: 0, length: size })
    const copied = readFileSync(join(paths[0] as string, '.fastreplica/partials/plain'))
    expect(copied.equals(whole)).toBe(true)
    const lost = await storage.publish(of.dir, {
      ...{ file: again.file, id: 'main', name: Buffer.from('name'), mode: 0o600 },
      ...{ mtime: { seconds: 1_600_000_000, nanos: 0 }, noClobber: false },
    })
    expect([lost, existsSync(of.head)]).toEqual([[], false])
    const held = await storage.openHeld(of.dir, Buffer.from('name'))
    expect(await storage.identityOf(held)).toMatchObject({
      ...{ size, mtime: { seconds: 1_600_000_000 } },
    })
  })

  it('refuse parts that are not theirs', async () => {
    const party = await world.party()
    const { storage } = party.engine
    const [path = ''] = dataDirs(1)
    const dir = await storage.openDataDir(path)
    const file = await storage.createPartial(dir, 'main', MIB)
    const spec = { dir, file, unitBytes, reserveBytes: 0, map: Buffer.alloc(8) }
    const part = (name: string, number = 1) => ({ number, dir, path: join(path, name) })
    const failing = [
      { isWritten: false, parts: [part('missing')] },
      { isWritten: true, parts: [part('.fastreplica')] },
      { isWritten: true, parts: [part('a', 33)] },
      { isWritten: true, parts: [part('a'), part('b')] },
    ]
    for (const one of failing)
      await expect(storage.joinFile({ ...spec, ...one })).rejects.toEqual(failsWith('ERR_FR_IO'))
    await poll('nothing stays open', () => party.engine.counters().openFiles === 1)
  })

  it.runIf(isRoot)('write to the others once one is full, and lose its last unit', async () => {
    const size = 8 * MIB
    const party = await world.party()
    const { storage } = party.engine
    const [roomy, small] = dataDirs(2) as [string, string]
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small])
    try {
      const of = await joined(party, size, [roomy, small])
      const bytes = fileBytes(size)
      await filled(party, of, bytes.subarray(0, MIB))
      await storage.flush(of.file)
      const before = mapOf(of, size)
      // Somebody else fills the disk behind its back.
      const room = Number(await storage.freeBytes(of.dirs[1] as number))
      writeFileSync(join(small, 'of somebody else'), Buffer.alloc(room))
      const failed = filled(party, of, bytes.subarray(MIB), MIB)
      await expect(failed).rejects.toEqual(failsWith('ERR_FR_NO_SPACE'))
      await filled(party, of, bytes.subarray(MIB), MIB)
      await storage.flush(of.file)
      const after = mapOf(of, size)
      expect([...after].slice(0, 8)).toEqual([...before].slice(0, 8))
      expect(contentOf(of, size).equals(bytes)).toBe(true)
      expect(readFileSync(of.head)[lostAt]).toBe(1)
      await party.engine.shutdown()
    } finally {
      execFileSync('umount', ['-l', small])
    }
  })
})
