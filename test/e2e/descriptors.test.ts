/** Pushes of descriptors, between nodes in this process: each is a file of its own. */
import { linkSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type NodeOutcome, type Plan, type PushOptions, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { usualEngines } from './engines.js'
import { expectCopies, until, useWorld, type World } from './push-support.js'

/** Descriptors that differ, and the options that push them. */
function descriptors(world: World, ...sizes: readonly number[]) {
  const files = sizes.map((bytes, i) => ({ name: `d${i}`, ...world.file(`d${i}`, bytes) }))
  return { files, paths: files.map(({ path }) => path) }
}

describe.each(usualEngines)('descriptors on the %s engine', (engine) => {
  const world = useWorld(engine)
  const options: Omit<PushOptions, 'to'> = { descriptors: true, engine, retries: 0, rejoinMs: 0 }

  it('are dealt to a node each, exchanged, and published below one name', async () => {
    const nodes = await world.nodes(3)
    const to = nodes.map(({ address }) => address)
    const { files, paths } = descriptors(world, 3 * MIB + 5, 4 * MIB, 2 * MIB, 70_000)
    const plans: Plan[] = []
    const outcomes: NodeOutcome[] = []
    const transfer = push(paths, { to, as: 'song', enough: 3, ...options })
    transfer.on('plan', (plan) => plans.push(plan))
    transfer.on('node', (outcome) => outcomes.push(outcome))
    const result = await transfer.result
    for (const { name, content } of files) expectCopies(content, join('song', name), nodes)
    const bytes = files.reduce((sum, { content }) => sum + content.length, 0)
    expect(result).toMatchObject({ bytes, shape: 'group', transfer: transfer.id, warnings: [] })
    // Each of them leaves the origin once, but for what a slow machine has dealt anew.
    expect(result.originBytesSent).toBeLessThan(2 * bytes)
    expect(outcomes).toHaveLength(3)
    for (const node of result.nodes) {
      expect(node).toMatchObject({ status: 'complete', bytes, descriptors: { complete: 4 } })
      expect(node.descriptors?.usableSeconds).toBeLessThanOrEqual(node.seconds)
    }
    const { each = [], ...figures } = result.descriptors ?? {}
    expect(figures).toEqual({ enough: 3, usable: 3 })
    // The longest first, and the one too many to the first node.
    expect(each.map(({ relay }) => to.indexOf(relay))).toEqual([1, 0, 2, 0])
    expect(each.map(({ name, nodes: at, code }) => [name, at, code])).toEqual(
      files.map(({ name }) => [`song/${name}`, 3, null]),
    )
    expect(plans).toHaveLength(1)
    expect(plans[0]?.shares.map((share) => share.bytes)).toEqual([
      4 * MIB + 70_000,
      3 * MIB + 5,
      2 * MIB,
    ])
  })

  it('are there without the one that a node refuses: it is usable, and not complete', async () => {
    const nodes = await world.nodes(2)
    const to = nodes.map(({ address }) => address)
    writeFileSync(join(nodes[0].dataDir, 'd1'), 'another')
    const { files, paths } = descriptors(world, MIB, MIB + 1, MIB + 2)
    const result = await push(paths, { to, enough: 2, noClobber: true, ...options }).result
    const [refused, other] = result.nodes
    expect(other).toMatchObject({ status: 'complete', descriptors: { complete: 3 } })
    expect(refused).toMatchObject({ status: 'failed', code: 'ERR_FR_EXISTS' })
    expect(refused?.reason).toMatch(
      /^ERR_FR_EXISTS: 2 of 3 descriptors are there, enough to use: d1/,
    )
    expect(refused?.descriptors).toMatchObject({ complete: 2, usableSeconds: expect.any(Number) })
    expect(result.descriptors?.usable).toBe(2)
    expect(readFileSync(join(nodes[0].dataDir, 'd1'), 'utf8')).toBe('another')
    for (const { name, content } of [files[0], files[2]].flatMap((file) => file ?? []))
      expectCopies(content, name, nodes)
  })

  it('reach the others when the node that one of them was dealt to is killed', async () => {
    const nodes = await world.nodes(2)
    const victim = await world.childNode()
    const door = await world.holding(victim.address, 4 * MIB)
    const to = [door.address, ...nodes.map(({ address }) => address)]
    const { files, paths } = descriptors(world, 12 * MIB, 9 * MIB, 8 * MIB)
    const transfer = push(paths, { to, ...options, silenceMs: 4_000 })
    await until(door.isHolding, 'it is in the middle', 60_000)
    victim.child.kill('SIGKILL')
    const result = await transfer.result
    expect(result.nodes.map(({ status }) => status)).toEqual(['failed', 'complete', 'complete'])
    expect(result.descriptors?.each[0]?.relay).toBe(door.address)
    for (const { name, content } of files) expectCopies(content, name, nodes)
  })

  it('are refused before anybody is dialled when one is missing, or there twice', async () => {
    const { paths } = descriptors(world, 9, 8)
    const [path = ''] = paths
    const to = ['127.0.0.1:1']
    const pushed = (...more: string[]) => push([...paths, ...more], { to, ...options })
    const missing = join(world.dir, 'none')
    await expect(pushed(missing).result).rejects.toMatchObject({
      ...{ code: 'ERR_FR_SOURCE', message: expect.stringContaining(missing) },
    })
    await expect(pushed(world.dir).result).rejects.toMatchObject({ code: 'ERR_FR_IS_DIRECTORY' })
    const same = join(world.dir, 'same')
    linkSync(path, same)
    await expect(pushed(same).result).rejects.toMatchObject({
      ...{ code: 'ERR_FR_SOURCE', message: expect.stringContaining('are one file') },
    })
  })

  it('count as one where they hold the same bytes', async () => {
    const node = await world.node()
    const { paths } = descriptors(world, 1_000)
    const copy = join(world.dir, 'copy')
    writeFileSync(copy, readFileSync(paths[0] as string))
    const to = [node.address]
    const result = await push([...paths, copy], { to, enough: 2, ...options }).result
    expect(result.nodes[0]).toMatchObject({
      ...{ status: 'complete', descriptors: { complete: 2, usableSeconds: null } },
    })
    expect(result.warnings).toEqual(['d0 and copy have the same bytes: they are one'])
  })
})
