/**
 * A push of the same content goes on from what an earlier one left: after a killed node, a killed
 * or cancelled sender, under another name, with another time, and never with a wrong byte.
 */
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import { KIB, MIB } from '../../src/base/limits.js'
import type { Door } from './door.js'
import { type EngineKind, expectCopies, keepsNothing, until, useWorld } from './push-support.js'

const kinds: EngineKind[] = process.platform === 'linux' ? ['portable', 'native'] : ['portable']
const bytes = 64 * MIB + 5
const heldMin = 2 * MIB

describe.each(kinds)('an unfinished copy at a %s node', (engine) => {
  const world = useWorld(engine)

  const journals = (dataDir: string): string[] =>
    readdirSync(join(dataDir, '.fastreplica/journals'))

  /** A push that is cancelled once the node has written down what it has verified. */
  async function leave(address: string, dataDir: string, path: string): Promise<void> {
    const door = await world.holding(address, 16 * MIB)
    const abort = new AbortController()
    const running = push(path, { to: [door.address], engine, signal: abort.signal })
    running.result.catch(() => {})
    await writtenDown(dataDir, door)
    abort.abort()
    await running.result.catch(() => {})
    await door.close()
  }

  /** Lets pass as little as it takes; digests may wait behind payload. */
  async function writtenDown(dataDir: string, door: Door): Promise<void> {
    let sippedMs = 0
    await until(() => {
      // Slowly: before the node is through, its journal is there.
      if (performance.now() > sippedMs + 10) {
        door.sip()
        sippedMs = performance.now()
      }
      return journalled(dataDir) >= heldMin
    }, 'blocks are written down')
  }

  /** Bytes that a journal tells of: it takes 8 for each block of 64 KiB, and a head. */
  const journalled = (dataDir: string): number => {
    try {
      const path = join(dataDir, '.fastreplica/journals')
      const sizes = readdirSync(path).map((name) => readFileSync(join(path, name)).length)
      return (Math.max(0, ...sizes.map((size) => size - 600)) / 8) * 64 * KIB
    } catch {
      return 0
    }
  }

  it('is gone on with after the sender was stopped, whatever the file is called', async () => {
    const node = await world.node()
    const { path, content } = world.file('data.bin', bytes)
    await leave(node.address, node.dataDir, path)
    await until(() => node.status().kept.files === 1, 'the copy is kept')
    const other = `${path}.other`
    copyFileSync(path, other)
    const { nodes } = await push(other, { to: [node.address], engine, as: 'renamed' }).result
    expect(nodes[0]?.reason).toBeNull()
    expect(nodes[0]?.heldBytes).toBeGreaterThanOrEqual(heldMin)
    expect(nodes[0]?.heldBytes).toBeLessThan(bytes)
    const { heldBytes = 0, receivedBytes = 0, duplicateBytes = 0 } = nodes[0] ?? {}
    expect(heldBytes + receivedBytes - duplicateBytes).toBe(bytes)
    expectCopies(content, 'renamed', [node])
    await keepsNothing(node.dataDir)
    await until(() => journals(node.dataDir).length === 0, 'the journal is gone')
  })

  it('counts for nothing where the content is another one of the same size', async () => {
    const node = await world.node()
    const { path } = world.file('data.bin', bytes)
    await leave(node.address, node.dataDir, path)
    await until(() => node.status().kept.files === 1, 'the copy is kept')
    const content = readFileSync(path).map((byte) => byte ^ 0xff)
    writeFileSync(path, content)
    const { nodes } = await push(path, { to: [node.address], engine, as: 'data.bin' }).result
    expect(nodes[0]).toMatchObject({ reason: null, heldBytes: 0 })
    expectCopies(Buffer.from(content), 'data.bin', [node])
  })

  it('loses only the blocks that differ', async () => {
    const node = await world.node()
    const { path, content } = world.file('data.bin', bytes)
    await leave(node.address, node.dataDir, path)
    await until(() => node.status().kept.files === 1, 'the copy is kept')
    const edited = Buffer.from(content)
    edited[70_000] = (edited[70_000] ?? 0) ^ 1
    writeFileSync(path, edited)
    const { nodes } = await push(path, { to: [node.address], engine }).result
    expect(nodes[0]?.reason).toBeNull()
    expect(nodes[0]?.heldBytes).toBeGreaterThanOrEqual(heldMin - 64 * KIB)
    expectCopies(edited, 'data.bin', [node])
  })

  it('is gone on with after the node was killed', async () => {
    const child = await world.childNode()
    const { path, content } = world.file('data.bin', bytes)
    const door = await world.holding(child.address, 16 * MIB)
    const running = push(path, { to: [door.address], engine, retries: 0 })
    await writtenDown(child.dataDir, door)
    child.child.kill('SIGKILL')
    await child.ended
    await running.result
    await door.close()
    const node = await world.node({ dataDir: child.dataDir })
    const { nodes } = await push(path, { to: [node.address], engine }).result
    expect(nodes[0]?.reason).toBeNull()
    expect(nodes[0]?.heldBytes).toBeGreaterThanOrEqual(heldMin)
    expectCopies(content, 'data.bin', [child])
  })
})
