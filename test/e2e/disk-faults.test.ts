/**
 * Disks that fail in the middle of a push, and limits of the operating system that strike then:
 * these nodes say why, or end, and the others finish.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import { KIB, MIB } from '../../src/base/limits.js'
import { canFail, type Disk, FileDisk, MemoryDisk } from '../chaos/disks.mjs'
import { limitFiles, MemoryGroup } from '../chaos/limits.mjs'
import type { Door } from './door.js'
import { engines } from './engines.js'
import { expectCopies, until, useWorld } from './push-support.js'

const bytes = 8 * MIB + 5

describe.runIf(canFail()).each(engines)('on the %s engine', (engine) => {
  const world = useWorld(engine)

  function mounted<Mounted extends Disk>(disk: Mounted): Mounted {
    world.defer(() => disk.unmount())
    return disk
  }

  const at = (name: string): string => join(world.dir, name)

  const doorsOf = (nodes: readonly { readonly address: string }[]): Promise<Door[]> =>
    Promise.all(nodes.map(({ address }) => world.holding(address, MIB)))

  const isInTheMiddle = (doors: readonly Door[]): Promise<void> =>
    until(() => doors.every((door) => door.isHolding()), 'the push is in the middle', 60_000)

  it('a disk, or memory, that gives out ends its node by name, and no other', async () => {
    const memory = MemoryGroup.make(`fr-test-${process.pid}-${engine}`, 64 * KIB)
    if (memory !== null) world.defer(() => memory.remove())
    const full = mounted(new MemoryDisk(at('full'), '12m'))
    const readOnly = mounted(new FileDisk(at('read-only'), '24M'))
    const dead = mounted(new FileDisk(at('dead'), '24M'))
    const disks = [full, readOnly, dead].map(({ directory }) => world.node({ dataDir: directory }))
    const starved = [world.childNode(), world.childNode()] as const
    const [good, ...bad] = await Promise.all([world.node(), ...disks, ...starved])
    const doors = await doorsOf(bad)
    const { path, content } = world.file('data.bin', bytes)
    const to = [good, ...doors].map(({ address }) => address)
    const { result } = push(path, { to, engine, retries: 0, shape: 'group', silenceMs: 6_000 })
    await isInTheMiddle(doors)
    full.fill()
    readOnly.becomeReadOnly()
    dead.die()
    const [inMemory, inFiles] = (await Promise.all(starved)).map(({ child }) => child)
    if (memory === null) inMemory?.kill('SIGKILL')
    else memory.add(inMemory?.pid as number)
    limitFiles(inFiles?.pid as number)
    for (const door of doors) door.open()
    const { nodes } = await result
    expect(nodes.map(({ reason }) => reason)).toEqual([
      null,
      expect.stringMatching(/^ERR_FR_NO_SPACE: .*no space left on device \(ENOSPC\)/),
      expect.stringMatching(/^ERR_FR_IO: .*read-only file system \(EROFS\)/),
      expect.stringMatching(/^ERR_FR_IO: .*i\/o error \(EIO\)/),
      expect.stringMatching(/^ERR_FR_NODE_LOST: /),
      expect.stringMatching(/^ERR_FR_LIMIT: too many open files: open /),
    ])
    const isThere = [good, ...bad].map(({ dataDir }) => existsSync(join(dataDir, 'data.bin')))
    expect(isThere).toEqual([true, false, false, false, false, false])
    expectCopies(content, 'data.bin', [good])
  })

  it('a source whose disk is gone is a named error, and nothing is published', async () => {
    const disk = mounted(new FileDisk(at('source'), '24M'))
    const { path } = world.file('source/data.bin', bytes)
    const node = await world.node()
    const doors = await doorsOf([node])
    const { result } = push(path, { to: doors.map(({ address }) => address), engine })
    await isInTheMiddle(doors)
    disk.die()
    for (const door of doors) door.open()
    await expect(result).rejects.toMatchObject({
      code: 'ERR_FR_IO',
      message: expect.stringMatching(/source.* i\/o error \(EIO\)/),
    })
    expect(existsSync(join(node.dataDir, 'data.bin'))).toBe(false)
  })
})
