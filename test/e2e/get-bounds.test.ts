/** What bounds a get: the disk of a client, and what a node does for clients that ask anything. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type Get, get } from '../../src/api/index.js'
import { limits } from '../../src/base/limits.js'
import type { RangePair } from '../../src/base/ranges.js'
import type { Frame } from '../../src/control/messages/types.js'
import { engines } from './engines.js'
import { authored, holdingBack, plantHeld } from './get-support.js'
import { Hostile, keyText } from './hostile.js'
import { until, useWorld } from './push-support.js'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0
const MIB = 1024 * 1024
const name = 'f.bin'

describe.each(engines)('with the %s engine', (engine) => {
  const world = useWorld(engine)

  async function holder(bytes: number) {
    const { path, content } = world.file('source', bytes)
    const dataDir = world.dataDir()
    await plantHeld(dataDir, name, await authored(path, content))
    const { address } = await world.node({ dataDir, key: keyText })
    return { content, address }
  }

  const started = (from: string, output: string): Get =>
    get(name, { from: [from], output, engine, key: keyText, logger: world.logger })

  it.runIf(isRoot)('a full disk ends it by name, and it goes on once there is room', async () => {
    const disk = join(world.dir, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=112m', 'tmpfs', disk])
    world.defer(() => execFileSync('umount', ['-l', disk]))
    // More than the engine allocates ahead.
    const { content, address } = await holder(80 * MIB)
    const door = await holdingBack(world, address, 12 * MIB)
    const output = join(disk, 'out')
    const getting = started(door.address, output)
    getting.result.catch(() => {})
    for await (const { verifiedBytes } of getting) if (verifiedBytes >= MIB) break
    const filler = Buffer.alloc(112 * MIB)
    expect(() => writeFileSync(join(disk, 'filler'), filler)).toThrow(/ENOSPC/)
    door.open()
    await expect(getting.result).rejects.toMatchObject({ code: 'ERR_FR_NO_SPACE' })
    rmSync(join(disk, 'filler'))
    const result = await started(address, output).result
    expect(result.foundBytes).toBeGreaterThanOrEqual(MIB)
    expect(readFileSync(output).equals(content)).toBe(true)
  })

  describe('a client that asks', () => {
    it('is told what waits for all clients, whichever file they fetch', async () => {
      const { path, content } = world.file('source', 8 * MIB)
      const dataDir = world.dataDir()
      const made = await authored(path, content)
      for (const held of [name, 'g']) await plantHeld(dataDir, held, made)
      const { address } = await world.node({ dataDir, key: keyText })
      const busy = await asking(address)
      const ranges: RangePair[] = [[0, limits.pullUnitBytesMax]]
      for (let request = 0; request < 32; request++)
        busy.link.say({ type: 'pull', request, ranges })
      await until(() => busy.link.heard.length === 32, 'much of the first file is listed')
      const other = await asking(address, 'g')
      other.link.say({ type: 'pull', request: 1, ranges: [[0, 1]] })
      const { backlogBytes } = await other.link.next('holding')
      expect(backlogBytes).toBeGreaterThan(64 * MIB)
    })

    it('for nothing any more gives its place to another, where it only stays', async () => {
      const { path, content } = world.file('source', 1)
      const dataDir = world.dataDir()
      await plantHeld(dataDir, name, await authored(path, content))
      const { address } = await world.node({ dataDir, key: keyText, maxServes: 1 })
      const { link } = await asking(address, name, { standing: true })
      await servesOthers(address, content)
      expect(await link.next('refuse')).toMatchObject({ code: 'ERR_FR_LIMIT' })
    })

    async function asking(address: string, of = name, more: { standing?: true } = {}) {
      const hostile = new Hostile(address)
      world.defer(() => hostile.dispose())
      return hostile.fetch(of, more)
    }

    async function servesOthers(address: string, content: Buffer): Promise<void> {
      const output = join(world.dir, 'out')
      await started(address, output).result
      expect(readFileSync(output).equals(content)).toBe(true)
    }

    it('what no honest one asks is sent away, by name', async () => {
      const { address, content } = await holder(8 * MIB)
      const end = 8 * MIB
      const frames: Frame[] = [
        { type: 'pull', request: 1, ranges: [[end - 1, 2]] },
        { type: 'pull', request: 1, ranges: [] },
        { type: 'pull', request: 1, ranges: [[0, limits.pullUnitBytesMax + 1]] },
        { type: 'need', scratch: true, ranges: [[end, 1]] },
        { type: 'need', scratch: false, ranges: [[0, 1]] },
        { type: 'needDigests', ranges: [[end, 65_536]] },
        { type: 'fetch', name: 'g', nameIsBase64: false },
        { type: 'beat' },
      ]
      const refusal = expect.objectContaining({ type: 'refuse', code: 'ERR_FR_PROTOCOL' })
      for (const frame of frames) {
        const { link } = await asking(address)
        link.say(frame)
        await link.closed()
        expect({ frame, heard: link.heard }).toEqual({ frame, heard: [refusal] })
      }
      await servesOthers(address, content)
    })

    it('for one block all the time and reads nothing has a bounded part listed', async () => {
      const { address, content } = await holder(8 * MIB)
      const { link } = await asking(address)
      const asks = 2_000
      const ranges: RangePair[] = [[0, limits.pullUnitBytesMax]]
      for (let request = 0; request < asks; request++) link.say({ type: 'pull', request, ranges })
      // What its socket has taken makes room for a few more than may be open.
      await until(() => link.heard.length === asks, 'every request is answered')
      const refused = link.heard.filter(
        (answer) => answer.type === 'pullRefused' && answer.code === 'ERR_FR_LIMIT',
      )
      const held = asks - refused.length
      expect(held).toBeGreaterThanOrEqual(2 * limits.pullRequests)
      expect(held).toBeLessThan(4 * limits.pullRequests)
      await servesOthers(address, content)
    })

    it('for digests all the time and reads nothing is sent away', async () => {
      const { address, content } = await holder(8 * MIB)
      const { link } = await asking(address)
      const frame: Frame = { type: 'needDigests', ranges: [[0, 8 * MIB]] }
      while (!link.isClosed) {
        link.say(...new Array<Frame>(500).fill(frame))
        await turn()
      }
      await servesOthers(address, content)
    })
  })
})
