/** A node that serves what its data directory holds, and writes nothing there. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { client, copy, get, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { hiddenDir } from '../../src/base/names.js'
import { usualEngines } from './engines.js'
import { expectCopies, useWorld, type WorldNode } from './push-support.js'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0
const name = 'a.bin'
const refused = { code: 'ERR_FR_READ_ONLY', retryable: false }

/** Whatever a write changes: of each file its path, inode, size and times. */
function tracesIn(dataDir: string): string[] {
  const names = ['.', ...(readdirSync(dataDir, { recursive: true }) as string[])]
  return names.sort().map((each) => {
    const { ino, size, mtimeNs, ctimeNs } = lstatSync(join(dataDir, each), { bigint: true })
    return [each, ino, size, mtimeNs, ctimeNs].join(' ')
  })
}

describe.each(usualEngines)('a node that only serves, with the %s engine', (engine) => {
  const world = useWorld(engine)
  let dataDir: string
  let path: string
  let content: Buffer

  beforeEach(() => {
    ;({ path, content } = world.file(name, 6 * MIB + 5))
    dataDir = world.dataDir()
  })

  /** What another node has published there, which is stopped then. */
  async function filled(): Promise<void> {
    const node = await world.node({ dataDir })
    await push(path, { to: [node.address], engine }).result
    await push(path, { to: [node.address], engine, as: 'd/small', retries: 0 }).result
    await node.close()
  }

  const readOnly = (at = dataDir): Promise<WorldNode> => world.node({ dataDir: at, readOnly: true })

  async function listed(address: string): Promise<string[]> {
    const found: string[] = []
    for await (const { name, state } of client.list(address)) found.push(`${name} ${state}`)
    return found
  }

  /** Everything that it does for others. */
  async function expectServes(node: WorldNode): Promise<void> {
    const { address } = node
    expect(node.status()).toMatchObject({ readOnly: true, problems: [], held: { files: 2 } })
    expect(await listed(address)).toEqual(['a.bin held', 'd/small held'])
    for await (const report of client.verify(address))
      if (report.event === 'verified') expect(report.status).toBe('good')
    const output = join(world.dir, 'out')
    await get(name, { from: [address], output, engine }).result
    expect(readFileSync(output).equals(content)).toBe(true)
    const [copied, spared, near] = await world.nodes(3)
    await copy(name, { from: address, to: [copied.address] }).result
    expectCopies(content, name, [copied])
    const options = { mirrors: [address], engine }
    const { nodes } = await push(path, { ...options, to: [spared.address], spareOrigin: true })
      .result
    expect(nodes).toMatchObject([{ status: 'complete', servedBy: address }])
    const { warnings } = await push(path, { ...options, to: [near.address] }).result
    expect(warnings).toEqual([])
    expectCopies(content, name, [spared, near])
    await get('d/small', { from: [address], output: `${output}.small`, engine }).result
  }

  it.runIf(isRoot)('serves from a file system that is mounted read-only', async () => {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', dataDir])
    world.defer(() => execFileSync('umount', ['-l', dataDir]))
    await filled()
    const mounted = world.dataDir()
    execFileSync('mount', ['--bind', dataDir, mounted])
    world.defer(() => execFileSync('umount', ['-l', mounted]))
    execFileSync('mount', ['-o', 'remount,bind,ro', mounted])
    expect(() => writeFileSync(join(mounted, 'x'), '')).toThrow('EROFS')
    const before = tracesIn(dataDir)
    const node = await readOnly(mounted)
    await expectServes(node)
    await node.close()
    expect(tracesIn(dataDir)).toEqual(before)
    expect(world.log.filter(({ level }) => level === 'error')).toEqual([])
    expect(world.log.map(({ event }) => event)).not.toContain('discard-failed')
  })

  it('writes nothing where it could, and has an identity of its own without a key', async () => {
    await filled()
    rmSync(join(dataDir, hiddenDir, 'node-key'))
    rmSync(join(dataDir, hiddenDir, 'partials'), { recursive: true })
    const before = tracesIn(dataDir)
    const node = await readOnly()
    await expectServes(node)
    await node.close()
    expect(tracesIn(dataDir)).toEqual(before)
  })

  it('serves beside the node that writes there', async () => {
    await filled()
    const writer = await world.node({ dataDir })
    const node = await readOnly()
    expect(await listed(node.address)).toEqual(await listed(writer.address))
    const output = join(world.dir, 'out')
    await get(name, { from: [node.address], output, engine }).result
    expect(readFileSync(output).equals(content)).toBe(true)
  })

  it('refuses by name what would write', async () => {
    await filled()
    const { path: other } = world.file('b.bin', MIB)
    const [holder, near] = await world.nodes(2)
    await push(other, { to: [holder.address], engine }).result
    const before = tracesIn(dataDir)
    const { address } = await readOnly()
    const outcomes = [
      await push(other, { to: [address], engine, retries: 0 }).result,
      await push(path, { to: [address], engine, retries: 0 }).result,
      await copy('b.bin', { from: holder.address, to: [address] }).result,
    ]
    for (const { nodes } of outcomes)
      expect(nodes).toMatchObject([{ node: address, status: 'refused', ...refused }])
    for (const each of [name, 'b.bin'])
      await expect(client.remove(address, each)).rejects.toMatchObject(refused)
    // A mirror that lacks the file would have to get it first.
    const options = { to: [near.address], mirrors: [address], spareOrigin: true, engine }
    await expect(push(other, options).result).rejects.toMatchObject(refused)
    expect(tracesIn(dataDir)).toEqual(before)
  })

  it('reports a file that is not as it was, serves none of it, and keeps its record', async () => {
    await filled()
    const wrong = readFileSync(join(dataDir, name))
    wrong[MIB] = (wrong[MIB] as number) ^ 1
    writeFileSync(join(dataDir, name), wrong)
    rmSync(join(dataDir, 'd/small'))
    const before = tracesIn(dataDir)
    const { address } = await readOnly()
    const reports: unknown[] = []
    for await (const report of client.verify(address))
      if (report.event === 'verified') reports.push([report.name, report.code])
    expect(reports).toEqual([
      [name, 'ERR_FR_DIGEST'],
      ['d/small', 'ERR_FR_NOT_HELD'],
    ])
    const getting = get(name, { from: [address], output: join(world.dir, 'out'), engine })
    await expect(getting.result).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
    expect(await listed(address)).toEqual(['a.bin changed', 'd/small missing'])
    expect(tracesIn(dataDir)).toEqual(before)
  })

  it('does not start where there is nothing to serve, and makes nothing', async () => {
    await expect(readOnly()).rejects.toMatchObject({
      code: 'ERR_FR_CATALOGUE',
      message: expect.stringContaining('--adopt without --read-only'),
    })
    expect(readdirSync(dataDir)).toEqual([])
    const missing = join(dataDir, 'missing')
    await expect(readOnly(missing)).rejects.toMatchObject({ code: 'ERR_FR_DATA_DIR' })
    expect(existsSync(missing)).toBe(false)
    mkdirSync(join(dataDir, 'd'))
    writeFileSync(join(dataDir, 'd/file'), '')
    const file = join(dataDir, 'd/file')
    await expect(readOnly(file)).rejects.toMatchObject({ code: 'ERR_FR_DATA_DIR' })
    await expect(world.node({ dataDir, readOnly: true, adopt: true })).rejects.toThrow(
      'adopt and readOnly exclude each other',
    )
  })
})
