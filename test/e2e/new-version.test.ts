/** A push of a new version to nodes that have older ones: what moves, and what is right at last. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { type PushResult, push } from '../../src/api/index.js'
import { limits, MIB } from '../../src/base/limits.js'
import { WorkerHashPool } from '../../src/engine/hashing/pool.js'
import { steadyBytes } from '../support/steady-bytes.js'
import { engines } from './engines.js'
import { expectCopies, useWorld, type WorldNode } from './push-support.js'

const bytes = 2 * MIB
const page = limits.indexPageBytes
const first = steadyBytes(bytes, 1)

/** With other bytes in these pages. */
function edited(content: Buffer, ...pages: number[]): Buffer {
  const next = Buffer.from(content)
  for (const at of pages) steadyBytes(page, 10 + at).copy(next, at * page)
  return next
}

/** What the node had neither whole nor in part. */
function moved({ bytes: all, originBytesSent, nodes }: PushResult): number {
  const [outcome] = nodes
  if (outcome === undefined) throw new Error('there was no node')
  const { heldBytes, filledBytes, attempts, reopened } = outcome
  expect(filledBytes).toBeGreaterThan(0)
  const lacking = all - heldBytes - filledBytes
  // Where the node was lost for a while it goes on with what had come, and some comes twice.
  if (attempts === 1 && reopened === 0) expect(originBytesSent).toBe(lacking)
  return lacking
}

describe.each(engines)('a new version (%s engine)', (engine) => {
  const world = useWorld(engine)

  async function pushed(content: Buffer, ...nodes: readonly WorldNode[]) {
    const path = join(world.dir, 'source')
    writeFileSync(path, content)
    const to = nodes.map(({ address }) => address)
    const result = await push(path, { to, engine, as: 'data' }).result
    expect(result.nodes.map(({ reason }) => reason)).toEqual(nodes.map(() => null))
    expectCopies(content, 'data', nodes)
    return result
  }

  it('moves the pages that have changed', async () => {
    const node = await world.node()
    await pushed(first, node)
    expect(moved(await pushed(edited(first, 5, 70, 300), node))).toBeLessThanOrEqual(3 * page)
  })

  it('whose bytes have all moved moves the chunks that are new', async () => {
    const node = await world.node()
    await pushed(first, node)
    expect(moved(await pushed(Buffer.concat([Buffer.from('a'), first]), node))).toBeLessThan(
      bytes / 2,
    )
  })

  it('reaches nodes with one version before it, or another, or none', async () => {
    const [one, two, none] = await world.nodes(3)
    await pushed(first, one)
    const second = edited(first, 9, 100, 101, 200)
    await pushed(second, two)
    const third = edited(second, 40, 201, 400)
    const { nodes } = await pushed(third, one, two, none)
    const [ofOne, ofTwo] = nodes
    expect([ofOne?.filledBytes, ofTwo?.filledBytes]).not.toContain(0)
  })

  it('is right where an index says that what has changed has not', async () => {
    const node = await world.node()
    await pushed(first, node)
    const { hash } = WorkerHashPool.prototype
    const lying = vi.spyOn(WorkerHashPool.prototype, 'hash')
    lying.mockImplementation(function (this: WorkerHashPool, ...task) {
      const [, range, blockBytes, algorithm] = task
      if (algorithm !== 'blake3-page') return hash.apply(this, task)
      return Promise.resolve(new Uint8Array(8 * Math.ceil(range.length / blockBytes)))
    })
    try {
      const { nodes } = await pushed(edited(first, 5, 300), node)
      expect(nodes[0]?.repairedBytes).toBeGreaterThanOrEqual(2 * page)
    } finally {
      lying.mockRestore()
    }
  })

  it('of any size takes the place of one of any other', async () => {
    const node = await world.node()
    for (const size of [bytes, MIB + 1, MIB, page + 1, 1, 0, bytes])
      await pushed(first.subarray(0, size), node)
  })

  it('has what any version has that was kept, also where the present one was edited', async () => {
    const node = await world.node({ keep: 1 })
    const second = steadyBytes(bytes, 2)
    await pushed(first, node)
    await pushed(second, node)
    expect(moved(await pushed(edited(first, 7), node))).toBeLessThanOrEqual(page)
    writeFileSync(join(node.dataDir, 'data'), 'edited', { flag: 'r+' })
    expect(moved(await pushed(edited(second, 9, 11), node))).toBeLessThanOrEqual(2 * page)
  })
})
