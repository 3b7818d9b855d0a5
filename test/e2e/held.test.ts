/**
 * What a node holds: records of what was pushed and of what lay there, true for the files whatever
 * happens to them.
 */
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openEngine } from '../../src/agent/engines.js'
import { push } from '../../src/api/index.js'
import { bytesOfHex } from '../../src/base/bytes.js'
import { MIB } from '../../src/base/limits.js'
import { hiddenDir } from '../../src/base/names.js'
import { WorkerHashPool } from '../../src/engine/hashing/pool.js'
import { freshSigner, nodePrimitives } from '../../src/net/crypto.js'
import { readDigests } from '../../src/protocol/digest-record.js'
import { PoolWork } from '../../src/session/receiver/held-work.js'
import { Catalogue } from '../../src/store/catalogue/catalogue.js'
import type { HeldStream } from '../../src/store/catalogue/record.js'
import { adoptAll } from '../../src/store/held/adopt.js'
import { Holdings } from '../../src/store/held/holdings.js'
import { digestTable, type VerifiedFile, verifyHeld } from '../../src/store/held/verify.js'
import { usualEngines } from './engines.js'
import { type EngineKind, until, useWorld } from './push-support.js'

const key = 'k'.repeat(32)
const bytesOf = (name: string) => new Uint8Array(Buffer.from(name))
const textOf = (name: Uint8Array) => Buffer.from(name).toString()

/** The holdings of a directory that no node serves now. */
class Opened {
  readonly log: string[] = []
  readonly closers: (() => unknown)[] = []
  held!: Holdings
  work!: PoolWork
  dataDir = ''

  async open(kind: EngineKind, dataDir: string): Promise<this> {
    const { engine } = await openEngine(kind, () => {})
    this.closers.unshift(() => engine.shutdown())
    const pool = new WorkerHashPool()
    this.closers.unshift(() => pool.close())
    const { storage } = engine
    const dir = await storage.openDataDir(dataDir)
    this.closers.unshift(() => storage.closeDataDir(dir))
    const log = ({ event }: { event: string }): void => void this.log.push(event)
    const catalogue = await Catalogue.open(join(dataDir, hiddenDir))
    this.closers.unshift(() => catalogue.close())
    this.held = new Holdings({ storage, dir, catalogue: () => catalogue, log })
    this.work = new PoolWork(engine, pool, freshSigner())
    this.dataDir = dataDir
    return this
  }

  async close(): Promise<void> {
    for (const close of this.closers.splice(0)) await close()
  }

  record(name: string): HeldStream | undefined {
    return this.held.catalogue?.get(bytesOf(name))
  }

  get names(): string[] {
    return (this.held.catalogue?.list() ?? []).map(({ name }) => textOf(name))
  }

  adopt(signal = new AbortController().signal) {
    const { held, work, dataDir } = this
    const spec = { held, work, dataDir, algorithm: 'blake3', nowMs: Date.now } as const
    return adoptAll(spec, signal)
  }

  async verify(names: readonly string[] | 'all', signal = new AbortController().signal) {
    const files: string[] = []
    const report = ({ name, bytes, badBlocks, status }: VerifiedFile): void =>
      void files.push(`${textOf(name)} ${bytes} ${badBlocks} ${status}`)
    const wanted = names === 'all' ? names : names.map(bytesOf)
    const spec = { held: this.held, work: this.work, nowMs: () => 4_102_444_800_000 }
    await verifyHeld(spec, wanted, signal, report)
    return files
  }
}

describe.each(usualEngines)('a record of a pushed file (%s engine)', (engine) => {
  const world = useWorld(engine)
  let opened: Opened
  beforeEach(() => {
    opened = new Opened()
  })
  afterEach(() => opened.close())

  it.each([
    ['blake3', 5 * MIB + 77],
    ['sha256', 20 * MIB],
    ['xxh64', 1_000],
    ['blake3', 0],
  ] as const)(
    'proves every block of it as its author signed it (%s, %d bytes)',
    async (digest, size) => {
      const nodes = await Promise.all([
        world.node({ key }),
        world.node({ key }),
        world.node({ key }),
      ])
      const { path, content } = world.file('data.bin', size)
      const to = nodes.map(({ address }) => address)
      const result = await push(path, { to, key, digest, as: 'a/b.bin', engine }).result
      expect(result.nodes.map(({ status }) => status)).not.toContain('failed')
      const authors = new Set<string>()
      for (const node of nodes) {
        await node.close()
        const at = await new Opened().open(engine, node.dataDir)
        world.defer(() => at.close())
        const record = at.record('a/b.bin') as HeldStream
        expect(record).toMatchObject({ size, algorithm: digest, via: 'push' })
        expect(record.fileDigest).toBe(result.digest)
        expect(await at.held.isUnchanged(record)).toBe(true)
        const runs = (await at.held.catalogue?.runs(record)) ?? []
        const author = bytesOfHex(record.author) as Uint8Array
        for (const run of runs) readDigests(nodePrimitives, author, record, run, run.payload)
        const table = digestTable(record, runs) as Uint8Array
        expect(at.work.sum(record, table)).toBe(result.digest)
        authors.add(`${record.author} ${record.contentId}`)
        await at.close()
      }
      expect(authors.size).toBe(1)
      expect(content).toHaveLength(size)
    },
  )

  it('is replaced by the next push of that name, and outlives the node', async () => {
    const node = await world.node()
    const digests: (string | undefined)[] = []
    for (const size of [3_000, 4_000]) {
      const { path } = world.file('data.bin', size)
      const result = await push(path, { to: [node.address], engine }).result
      digests.push(result.digest ?? undefined)
    }
    await node.close()
    await opened.open(engine, node.dataDir)
    expect(opened.names).toEqual(['data.bin'])
    expect(opened.record('data.bin')?.fileDigest).toBe(digests[1])
  })

  it('is dropped when the file was changed, replaced or removed, and said once', async () => {
    const node = await world.node()
    const { path } = world.file('data.bin', 100_000)
    const names = ['appended', 'cut', 'rewritten', 'replaced', 'removed', 'linked', 'kept']
    for (const as of names) await push(path, { to: [node.address], as, engine }).result
    await node.close()
    const at = (name: string) => join(node.dataDir, name)
    appendFileSync(at('appended'), 'x')
    truncateSync(at('cut'), 5)
    const { content } = world.file('other', 100_000)
    writeFileSync(at('rewritten'), content)
    const copy = join(world.dir, 'copy')
    writeFileSync(copy, content)
    renameSync(copy, at('replaced'))
    rmSync(at('removed'))
    rmSync(at('linked'))
    symlinkSync(at('kept'), at('linked'))
    await opened.open(engine, node.dataDir)
    for (const name of names) {
      const record = opened.record(name) as HeldStream
      for (let i = 0; i < 2; i++)
        expect(await opened.held.isUnchanged(record)).toBe(name === 'kept')
    }
    expect(opened.names).toEqual(['kept'])
    expect(opened.log.filter((event) => event === 'held-dropped')).toHaveLength(6)
  })

  it('that cannot be written fails nothing', async () => {
    const node = await world.node()
    const hidden = join(node.dataDir, hiddenDir)
    rmSync(join(hidden, 'digests'), { recursive: true })
    writeFileSync(join(hidden, 'digests'), 'in the way')
    const { path } = world.file('data.bin', 20 * MIB)
    const result = await push(path, { to: [node.address], digest: 'blake3', engine }).result
    expect(result.nodes.map(({ status }) => status)).not.toContain('failed')
    expect(world.log.map(({ event }) => event)).toContain('catalogue-failed')
  })
})

describe.each(usualEngines)('adopting (%s engine)', (engine) => {
  const world = useWorld(engine)
  let opened: Opened
  beforeEach(() => {
    opened = new Opened()
  })
  afterEach(() => opened.close())

  it('makes files that lie there held, each once, and neither links nor its own', async () => {
    const dataDir = world.dataDir()
    mkdirSync(join(dataDir, 'deep/down'), { recursive: true })
    writeFileSync(join(dataDir, 'one'), 'one')
    writeFileSync(join(dataDir, 'empty'), '')
    const { content } = world.file('big', 9 * MIB + 5)
    writeFileSync(join(dataDir, 'deep/down/big'), content, { mode: 0o640 })
    symlinkSync('one', join(dataDir, 'link'))
    symlinkSync('/etc', join(dataDir, 'outside'))
    await opened.open(engine, dataDir)
    expect(await opened.adopt()).toMatchObject({ files: 3, bytes: 9 * MIB + 8, leftOut: 0 })
    expect(await opened.adopt()).toMatchObject({ files: 0 })
    expect(opened.names).toEqual(['deep/down/big', 'empty', 'one'])
    const record = opened.record('deep/down/big') as HeldStream
    expect(record).toMatchObject({ mode: 0o640, via: 'adopt', author: opened.work.author })
    const runs = (await opened.held.catalogue?.runs(record)) ?? []
    for (const run of runs)
      readDigests(nodePrimitives, bytesOfHex(record.author) as Uint8Array, record, run, run.payload)
    expect(await opened.verify('all')).toEqual([
      `deep/down/big ${9 * MIB + 5} 0 ok`,
      'empty 0 0 ok',
      'one 3 0 ok',
    ])
  })

  it('has the digest that a push of the same content has', async () => {
    const { path, content } = world.file('data.bin', 3 * MIB)
    const dataDir = world.dataDir()
    writeFileSync(join(dataDir, 'mine'), content)
    const node = await world.node({ dataDir, key, adopt: true })
    await until(() => world.log.some(({ event }) => event === 'adopted'), 'it was adopted')
    const result = await push(path, { to: [node.address], key, as: 'theirs', engine }).result
    await node.close()
    await opened.open(engine, dataDir)
    const mine = opened.record('mine')
    expect(mine?.fileDigest).toBe(result.digest)
    expect(opened.record('theirs')?.fileDigest).toBe(result.digest)
  })

  it('leaves out a file that changes meanwhile', async () => {
    const dataDir = world.dataDir()
    const { content } = world.file('big', 20 * MIB)
    writeFileSync(join(dataDir, 'big'), content)
    writeFileSync(join(dataDir, 'other'), 'x')
    await opened.open(engine, dataDir)
    const { hash } = opened.work
    opened.work.hash = async function* (...values) {
      for await (const run of hash.apply(this, values)) {
        if (run.length > 1) appendFileSync(join(dataDir, 'big'), 'x')
        yield run
      }
    }
    expect(await opened.adopt()).toMatchObject({ files: 1, leftOut: 1 })
    expect(opened.names).toEqual(['other'])
  })

  it('ends when the node closes', async () => {
    const dataDir = world.dataDir()
    // It is too young for some time.
    writeFileSync(join(dataDir, 'young'), 'x')
    const node = await world.node({ dataDir, adopt: true })
    await node.close()
    expect(world.log.map(({ event }) => event)).not.toContain('adopted')
  })
})

describe.each(usualEngines)('verifying (%s engine)', (engine) => {
  const world = useWorld(engine)
  let opened: Opened
  beforeEach(() => {
    opened = new Opened()
  })
  afterEach(() => opened.close())

  it('finds bad blocks, changes and missing files, and keeps what is whole', async () => {
    const node = await world.node()
    const { path, content } = world.file('data.bin', 9 * MIB)
    const names = ['bad', 'gone', 'longer', 'mode', 'whole', 'written']
    for (const as of names) await push(path, { to: [node.address], as, engine }).result
    await node.close()
    const at = (name: string) => join(node.dataDir, name)
    rmSync(at('gone'))
    appendFileSync(at('longer'), 'x')
    chmodSync(at('mode'), 0o600)
    const spoilt = Buffer.from(content)
    for (const offset of [5, 8 * MIB + 5]) spoilt[offset] = (spoilt[offset] as number) ^ 1
    writeFileSync(at('written'), spoilt)
    await opened.open(engine, node.dataDir)
    // A disk that rots changes no time: the record is made to know the present ones.
    writeFileSync(at('bad'), spoilt)
    const record = opened.record('bad') as HeldStream
    const { storage, dir } = opened.held.spec
    const file = await storage.openHeld(dir, record.name)
    const identity = await storage.identityOf(file)
    storage.closeFile(file)
    await opened.held.catalogue?.refresh({ ...record, identity })
    const size = content.length
    expect(await opened.verify('all')).toEqual([
      `bad ${size} 2 bad`,
      `gone ${size} 0 missing`,
      `longer ${size} 0 changed`,
      `mode ${size} 0 ok`,
      `whole ${size} 0 ok`,
      `written ${size} 2 changed`,
    ])
    expect(opened.names).toEqual(['mode', 'whole'])
    for (const name of opened.names) {
      const kept = opened.record(name) as HeldStream
      expect(kept.verifiedAtMs).toBe(4_102_444_800_000)
      expect(await opened.held.isUnchanged(kept)).toBe(true)
    }
    expect(readFileSync(at('bad')).equals(spoilt)).toBe(true)
    const unknown = expect(opened.verify(['whole', 'bad'])).rejects
    await unknown.toMatchObject({
      code: 'ERR_FR_NOT_HELD',
      message: expect.stringMatching('"bad"'),
    })
  })

  it('drops a record whose digests are lost, and stops when it is told to', async () => {
    const node = await world.node()
    const { path } = world.file('data.bin', 20 * MIB)
    for (const as of ['a', 'b'])
      await push(path, { to: [node.address], as, digest: 'blake3', engine }).result
    await node.close()
    await opened.open(engine, node.dataDir)
    const stopped = new AbortController()
    stopped.abort(new Error('enough'))
    await expect(opened.verify('all', stopped.signal)).rejects.toThrow('enough')
    rmSync(join(node.dataDir, hiddenDir, 'digests'), { recursive: true })
    expect(await opened.verify(['a'])).toEqual([`a ${20 * MIB} 0 bad`])
    expect(opened.names).toEqual(['b'])
  })
})
