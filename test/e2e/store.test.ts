/**
 * The disk of a node, and changes to it while pushes run. The outcome of a push must be true for
 * the path that the user named, and the node's status true for its disk.
 */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type FrNode, push } from '../../src/api/index.js'
import { limits, MIB } from '../../src/base/limits.js'
import { Journal } from '../../src/store/journal/journal.js'
import { engines, usualEngines } from './engines.js'
import {
  expectCopies,
  keepsNothing,
  partials,
  until,
  useWorld,
  verifiedBehind,
} from './push-support.js'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0

describe.each(engines)('the data directory of a %s node', (engine) => {
  const world = useWorld(engine)

  /** The only outcome of a push that is held in the middle during a change. */
  async function during(node: FrNode, path: string, change: () => void) {
    const door = await world.holding(node.address, MIB)
    const running = push(path, { to: [door.address], engine, retries: 0 })
    await until(door.isHolding, 'the push is in the middle')
    change()
    const [outcome] = (await running.result).nodes
    await until(() => node.status().transfers.length === 0, 'the node has given all back')
    return outcome
  }

  async function completes(node: FrNode & { dataDir: string }, path: string, content: Buffer) {
    const result = await push(path, { to: [node.address], engine }).result
    expect(result.nodes[0]?.reason).toBeNull()
    expectCopies(content, 'data.bin', [node])
  }

  it('that is renamed and made anew is no success, and serves the next push', async () => {
    const node = await world.node()
    const { path, content } = world.file('data.bin', 8 * MIB)
    // The door stays shut: the node itself fails the push.
    const outcome = await during(node, path, () => {
      renameSync(node.dataDir, `${node.dataDir}-moved`)
      mkdirSync(node.dataDir)
    })
    expect(outcome).toMatchObject({ status: 'failed', code: 'ERR_FR_DATA_DIR_GONE' })
    expect(existsSync(join(`${node.dataDir}-moved`, 'data.bin'))).toBe(false)
    await completes(node, path, content)
    expect(node.status()).toMatchObject({
      problems: [],
      lastError: { code: 'ERR_FR_DATA_DIR_GONE' },
    })
  })

  it('that is removed ends the push at once, and the node says so until it is there', async () => {
    const node = await world.node()
    const { path, content } = world.file('data.bin', 8 * MIB)
    const outcome = await during(node, path, () => rmSync(node.dataDir, { recursive: true }))
    expect(outcome).toMatchObject({ status: 'failed', code: 'ERR_FR_DATA_DIR_GONE' })
    expect(outcome?.reason).toContain(`stat ${node.dataDir}: no such file or directory (ENOENT)`)
    expect(node.status().problems).toEqual([expect.stringContaining('no longer at its path')])
    const refused = await push(path, { to: [node.address], engine }).result
    expect(refused.nodes[0]).toMatchObject({ status: 'refused', code: 'ERR_FR_DATA_DIR_GONE' })
    mkdirSync(node.dataDir)
    await until(() => node.status().problems.length === 0, 'the node has noticed')
    await completes(node, path, content)
  })

  it('that has lost .fastreplica to a clean-up job works', async () => {
    const node = await world.node()
    const { path, content } = world.file('data.bin', MIB)
    rmSync(join(node.dataDir, '.fastreplica'), { recursive: true })
    await completes(node, path, content)
    await keepsNothing(node.dataDir)
  })

  it('publishes nothing that somebody cut after it was verified', async () => {
    const node = await world.node()
    const { path } = world.file('data.bin', 24 * MIB)
    const door = await world.holding(node.address, 8 * MIB)
    const running = push(path, { to: [door.address], engine, retries: 0 })
    await verifiedBehind(door, node, MIB)
    const [id] = partials(node.dataDir).filter((name) => !name.endsWith('.scratch'))
    const partial = join(node.dataDir, '.fastreplica/partials', id as string)
    truncateSync(partial, 0)
    truncateSync(partial, 24 * MIB)
    door.open()
    const [outcome] = (await running.result).nodes
    expect(outcome?.status).toBe('failed')
    // Blocks read after that are found bad and repaired; earlier ones are not.
    expect(outcome?.reason).toMatch(/^ERR_FR_DIGEST: somebody else changed .*partials/)
    expect(existsSync(join(node.dataDir, 'data.bin'))).toBe(false)
  })

  it.runIf(isRoot)('refuses before a byte was sent what it could not publish', async () => {
    const node = await world.node()
    const { path } = world.file('data.bin', 4 * MIB)
    const target = join(node.dataDir, 'data.bin')
    writeFileSync(target, 'old')
    execFileSync('chattr', ['+i', target])
    world.defer(() => execFileSync('chattr', ['-i', target]))
    const result = await push(path, { to: [node.address], engine }).result
    expect(result.nodes[0]).toMatchObject({ status: 'refused', code: 'ERR_FR_NAME' })
    expect(result.nodes[0]?.reason).toContain('the file there is marked as unchangeable')
    expect(result.originBytesSent).toBe(0)
    await keepsNothing(node.dataDir)
  })

  it('says in words how much room is missing', async () => {
    const node = await world.node({ minFreeBytes: 2 ** 50 })
    const { path } = world.file('data.bin', 96 * 1024)
    const result = await push(path, { to: [node.address], engine }).result
    expect(result.nodes[0]?.reason).toMatch(
      /^ERR_FR_NO_SPACE: 96 KiB needed; [\d.]+ [KMGTP]iB free in .*, 1.0 PiB set aside$/,
    )
    expect(node.status().problems).toEqual([expect.stringMatching(/^the disk is full: /)])
  })
})

describe.each(usualEngines)('what a failed push leaves at a %s node', (engine) => {
  const world = useWorld(engine)

  it('is what landed, is told, and is what the next push goes on with', async () => {
    const node = await world.node()
    const { path, content } = world.file('data.bin', 96 * MIB)
    for (let round = 0; round < 2; round++) {
      const door = await world.holding(node.address, 24 * MIB)
      // A node waits for another coordinator as long as for a silent node.
      const options = { silenceMs: limits.silenceMsMin, retries: 0 }
      const running = push(path, { to: [door.address], engine, ...options })
      await verifiedBehind(door, node, MIB)
      // Like a killed sender: its links break without a message.
      await door.close()
      await running.result
      await until(() => node.status().transfers.length === 0, 'the node has given up')
      await until(() => node.status().kept.files === 1, 'one partial file is kept')
      const { kept } = node.status()
      expect(kept.names).toEqual(['data.bin'])
      expect(kept.bytes).toBeGreaterThanOrEqual(MIB)
      // The second push went on with it. 64 MiB were allocated ahead.
      expect(kept.bytes).toBeLessThan((2 + round) * 28 * MIB)
    }
    const result = await push(path, { to: [node.address], engine }).result
    expect(result.nodes[0]?.reason).toBeNull()
    expectCopies(content, 'data.bin', [node])
    await keepsNothing(node.dataDir)
    await until(() => node.status().kept.files === 0, 'nothing is kept')
  })

  it('loses what no journal tells of when the node starts again, and is told then', async () => {
    const dataDir = world.dataDir()
    await (await world.node({ dataDir })).close()
    const left = `${'f'.repeat(32)}.big.bin`
    for (const id of [left, `${left}.scratch`, `${'e'.repeat(32)}.unknown.bin`])
      writeFileSync(join(dataDir, '.fastreplica/partials', id), Buffer.alloc(MIB))
    mkdirSync(join(dataDir, '.fastreplica/journals'), { recursive: true })
    const about = { contentId: 'a'.repeat(32), author: 'b'.repeat(64), transfer: 'f'.repeat(32) }
    const format = { algorithm: 'xxh64', blockBytes: 65_536, size: MIB } as const
    const header = { ...about, ...format, name: Buffer.from('big.bin') }
    const path = join(dataDir, '.fastreplica/journals', left)
    const look = () => Promise.reject(new Error('nobody looks'))
    await (await Journal.create(path, header, look)).close()
    const node = await world.node({ dataDir })
    expect(readdirSync(join(dataDir, '.fastreplica/partials'))).toEqual([left])
    expect(node.status().kept).toMatchObject({ files: 1, names: ['big.bin'] })
    const line = world.log.find(({ event }) => event === 'partials-kept')
    expect(line?.fields).toMatchObject({ files: 1, names: 'big.bin' })
  })
})

describe.runIf(process.platform === 'linux').each(engines)(
  'the file system of a %s node',
  (engine) => {
    const world = useWorld(engine)

    const under = (what: string) => {
      const shim = join(world.dir, 'shim.so')
      const source = new URL('store-shim.c', import.meta.url).pathname
      execFileSync('cc', ['-shared', '-fPIC', '-o', shim, source, '-ldl'])
      return world.childNode({ LD_PRELOAD: shim, FR_SHIM: what })
    }

    it('that keeps no attributes is a warning, or with strict a refusal before bytes', async () => {
      const { address, dataDir } = await under('chmod')
      const { path, content } = world.file('data.bin', MIB)
      execFileSync('chmod', ['0640', path])
      execFileSync('touch', ['-d', '@1500000000', path])
      const refused = await push(path, { to: [address], engine, strict: true }).result
      expect(refused.nodes[0]).toMatchObject({ status: 'refused', code: 'ERR_FR_ATTRIBUTES' })
      expect(refused.originBytesSent).toBe(0)
      const result = await push(path, { to: [address], engine }).result
      const warnings = [
        'the file system of the node does not keep the mode 0640 of the file',
        'the file system of the node does not keep the modification time of the file',
      ]
      expect(result.nodes[0]).toMatchObject({ status: 'complete', reason: null, warnings })
      expect(readFileSync(join(dataDir, 'data.bin')).equals(content)).toBe(true)
      expect(statSync(join(dataDir, 'data.bin')).mode & 0o777).toBe(0o600)
      // Its content is there already; what was not kept of it is no success either.
      const again = await push(path, { to: [address], engine, strict: true }).result
      expect(again.nodes[0]).toMatchObject({ status: 'refused', code: 'ERR_FR_ATTRIBUTES' })
      expect(again.originBytesSent).toBe(0)
    })

    it('that cannot make a file durable has not published it', async () => {
      const { address, dataDir } = await under('fsync')
      const { path } = world.file('data.bin', MIB)
      const result = await push(path, { to: [address], engine }).result
      expect(result.nodes[0]).toMatchObject({ status: 'failed', code: 'ERR_FR_IO' })
      expect(result.nodes[0]?.reason).toMatch(
        /: fsync \S*data\.bin: read-only file system \(EROFS\)$/,
      )
      expect(existsSync(join(dataDir, 'data.bin'))).toBe(false)
      // Nobody knows what of it the disk has: nothing goes on from there.
      await keepsNothing(dataDir)
    })
  },
)
