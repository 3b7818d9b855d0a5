/** A full data directory: partials of earlier transfers give way, and only they. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { type EngineKind, keepsNothing, partials, until, useWorld } from './push-support.js'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0

describe.runIf(isRoot).each<EngineKind>(['portable', 'native'])('a full %s node', (engine) => {
  const world = useWorld(engine)
  let dataDir: string
  beforeEach(() => {
    dataDir = join(world.dir, 'small')
    mkdirSync(dataDir)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', dataDir])
    world.defer(() => execFileSync('umount', ['-l', dataDir]))
  })

  const left = 'f'.repeat(32)
  const leave = () =>
    writeFileSync(join(dataDir, '.fastreplica/partials', left), Buffer.alloc(40 * MIB))

  it('gives up what a push that failed has left, when the room is needed', async () => {
    const node = await world.node({ dataDir })
    leave()
    const small = world.file('small.bin', 8 * MIB)
    const kept = await push(small.path, { to: [node.address], engine }).result
    expect(kept.nodes[0]?.reason).toBeNull()
    await until(() => partials(dataDir).join() === left, 'only what was left is left')
    const { path, content } = world.file('data.bin', 48 * MIB)
    const result = await push(path, { to: [node.address], engine }).result
    expect(result.nodes[0]?.reason).toBeNull()
    expect(readFileSync(join(dataDir, 'data.bin')).equals(content)).toBe(true)
    await keepsNothing(dataDir)
  })

  it('refuses what does not fit beside a push that runs, and leaves that alone', async () => {
    const node = await world.node({ dataDir })
    leave()
    const door = await world.holding(node.address, MIB)
    const first = world.file('first.bin', 20 * MIB)
    const running = push(first.path, { to: [door.address], engine })
    await until(door.isHolding, 'the first push is in the middle')
    const second = world.file('second.bin', 50 * MIB)
    const refused = await push(second.path, { to: [node.address], engine }).result
    expect(refused.nodes[0]?.reason).toMatch(/^ERR_FR_NO_SPACE/)
    door.open()
    expect((await running.result).nodes[0]?.reason).toBeNull()
    expect(readFileSync(join(dataDir, 'first.bin')).equals(first.content)).toBe(true)
  })
})
