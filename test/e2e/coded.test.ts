/** Pushes of coded content, between nodes in this process: compressed, and as patches. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { get, type Plan, type PushResult, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { useWorld, World, type WorldNode } from './push-support.js'

const text = (bytes: number): Buffer => {
  const lines: string[] = []
  for (let i = 0, length = 0; length < bytes; i++) {
    const line = `${i} the quick brown fox jumps over ${i * 2_654_435_761} lazy dogs\n`
    lines.push(line)
    length += line.length
  }
  return Buffer.from(lines.join('')).subarray(0, bytes)
}

async function planned(...args: Parameters<typeof push>): Promise<[PushResult, Plan[]]> {
  const plans: Plan[] = []
  const transfer = push(...args)
  transfer.on('plan', (plan) => plans.push(plan))
  return [await transfer.result, plans]
}
const copyIn = (node: WorldNode, name: string): Buffer => readFileSync(join(node.dataDir, name))
const statuses = ({ nodes }: PushResult): string[] => nodes.map(({ status }) => status)

describe('a push that is compressed', () => {
  const world = useWorld('native')

  it('publishes the file itself, which others get, and is known to later pushes', async () => {
    const [one, two, three] = await world.nodes(3)
    const content = text(5 * MIB + 17)
    const path = join(world.dir, 'log.txt')
    writeFileSync(path, content)
    const to = [one.address, two.address, three.address]
    const [result, plans] = await planned(path, { to, compress: 'zstd', shape: 'group' })
    expect(statuses(result)).toEqual(['complete', 'complete', 'complete'])
    const { bytes, coding, wireBytes, warnings } = result
    expect({ bytes, coding, warnings }).toEqual({
      ...{ bytes: content.length, coding: 'zstd', warnings: [] },
    })
    expect(wireBytes).toBeLessThan(content.length / 2)
    expect(result.originBytesSent).toBeLessThan(2 * wireBytes)
    expect(plans.map((plan) => [plan.bytes, plan.coding, plan.wireBytes])).toEqual([
      [content.length, 'zstd', wireBytes],
    ])
    for (const node of [one, two, three]) expect(copyIn(node, 'log.txt').equals(content)).toBe(true)
    expect(new Set(result.nodes.map(({ digest }) => digest))).toEqual(new Set([result.digest]))

    // Coded content is not taken by whoever has the file.
    const [coded] = await planned(path, { to, compress: 'zstd' })
    expect([coded.originBytesSent, coded.coding]).toEqual([0, 'identity'])
    expect(statuses(coded)).toEqual(['complete', 'complete', 'complete'])
    const output = join(world.dir, 'got.txt')
    await get('log.txt', { from: to, output }).result
    expect(readFileSync(output).equals(content)).toBe(true)
  })

  it('is worth it by itself where the last push to the same nodes was slow', async () => {
    const node = await world.node({ limitDownBytesPerSecond: MIB })
    const to = [node.address]
    const path = join(world.dir, 'long.txt')
    writeFileSync(path, text(5 * MIB))
    // Nothing is known of the way to it.
    const first = await push(path, { to, compress: 'auto' }).result
    expect([statuses(first), first.coding]).toEqual([['complete'], 'identity'])
    writeFileSync(path, text(6 * MIB))
    const next = await push(path, { to, as: 'other.txt', compress: 'auto' }).result
    expect([statuses(next), next.coding]).toEqual([['complete'], 'zstd'])
  })

  it('sends as it is what coding makes no smaller, and whoever does not decode', async () => {
    const portable = new World('portable')
    world.defer(() => portable.dispose())
    const [one] = await world.nodes(1)
    const other = await portable.node()
    const to = [one.address, other.address]
    const noise = world.file('noise.bin', 3 * MIB)
    for (const compress of ['auto', 'zstd'] as const) {
      const [plain] = await planned(noise.path, { to: [one.address], compress })
      expect([plain.coding, plain.wireBytes]).toEqual(['identity', 3 * MIB])
    }
    const content = text(4 * MIB)
    const [result] = await planned(content, { to, as: 'mixed.txt', compress: 'zstd' })
    expect(statuses(result)).toEqual(['complete', 'complete'])
    expect(result.coding).toBe('zstd')
    expect(result.warnings.join()).toContain('ERR_FR_CODING')
    for (const node of [one, other]) expect(copyIn(node, 'mixed.txt').equals(content)).toBe(true)
  })
})

describe('a push of a directory that is compressed', () => {
  const world = useWorld('native')

  it('codes bundles and large files, and brings as they are those that take none', async () => {
    const portable = new World('portable')
    world.defer(() => portable.dispose())
    const nodes = [...(await world.nodes(2)), await portable.node()]
    const root = join(world.dir, 'site')
    mkdirSync(join(root, 'd'), { recursive: true })
    const files = new Map([['large', text(5 * MIB)]])
    for (let at = 0; at < 20; at++) files.set(`d/${at}`, text(20_000 + at))
    for (const [name, content] of files) writeFileSync(join(root, name), content)
    const to = nodes.map(({ address }) => address)
    const [result, [plan]] = await planned(root, { to, compress: 'zstd' })
    expect(statuses(result)).toEqual(['complete', 'complete', 'complete'])
    expect([result.coding, plan?.coding]).toEqual(['zstd', 'zstd'])
    expect(result.wireBytes).toBeLessThan(result.bytes / 2)
    for (const node of nodes)
      for (const [name, content] of files)
        expect(copyIn(node, `site/${name}`).equals(content)).toBe(true)
    const [again] = await planned(root, { to, compress: 'zstd' })
    expect([again.tree?.movedBytes, again.coding]).toEqual([0, 'identity'])
    expect(again.wireBytes).toBe(again.bytes)
    const base = { base: 'site', baseFile: join(root, 'large') }
    await expect(push(root, { to, ...base }).result).rejects.toMatchObject({
      code: 'ERR_FR_UNSUPPORTED',
      message: expect.stringContaining('no directories with base'),
    })
  })
})

describe('a push of a patch', () => {
  const world = useWorld('native')

  it('brings what differs to those that hold the base, and the file to all others', async () => {
    const [one, two, edited, empty] = await world.nodes(4)
    const { path: base, content: before } = world.file('model.bin', 6 * MIB)
    const holders = [one, two, edited].map(({ address }) => address)
    const first = await push(base, { to: holders, as: 'model' }).result
    appendFileSync(join(edited.dataDir, 'model'), 'x')
    const after = Buffer.from(before)
    for (let at = 0; at < after.length; at += 400) after.writeUInt16LE(at % 65_521, at)
    const next = join(world.dir, 'next.bin')
    writeFileSync(next, after)
    const to = [...holders, empty.address]
    const version = first.digest?.split(':')[1]?.slice(0, 8)
    const options = { to, as: 'model', base: `model@${version}`, baseFile: base }
    const [result] = await planned(next, options)
    expect(statuses(result)).toEqual(['complete', 'complete', 'complete', 'complete'])
    expect(result.coding).toBe('patch')
    expect(result.wireBytes).toBeLessThan(after.length * 0.03)
    expect(result.warnings.join()).toContain('2 nodes were sent the content as it is')
    for (const node of [one, two, edited, empty])
      expect(copyIn(node, 'model').equals(after)).toBe(true)
    const digests = new Set(result.nodes.map(({ digest }) => digest))
    expect(digests).toEqual(new Set([result.digest]))
  })

  it('is refused where the base is not the one that is named', async () => {
    const [one] = await world.nodes(1)
    const { path } = world.file('model.bin', MIB)
    const options = { to: [one.address], base: 'model@abcdef012345', baseFile: path }
    await expect(push(path, options).result).rejects.toMatchObject({
      code: 'ERR_FR_BASE',
      message: expect.stringMatching(/is \S+:\w+, and the base is model@abcdef012345/),
    })
  })
})
