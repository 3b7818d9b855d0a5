/** Everything except a path that can be pushed: URLs, open files, bytes, streams. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  createReadStream,
  mkdirSync,
  readdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import type { PushSource } from '../../src/api/types.js'
import { MIB } from '../../src/base/limits.js'
import { type EngineKind, expectCopies, until, useWorld, type World } from './push-support.js'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0

/** A separate directory for temporary files. */
function spoolInto(world: World, name: string): string {
  const directory = join(world.dir, name)
  mkdirSync(directory)
  const { TMPDIR } = process.env
  process.env['TMPDIR'] = directory
  world.defer(() => {
    if (TMPDIR === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = TMPDIR
  })
  return directory
}

for (const engine of ['portable', 'native'] as EngineKind[]) {
  describe(`sources on the ${engine} engine`, () => {
    const world = useWorld(engine)
    let spoolDir: string
    beforeEach(() => {
      spoolDir = spoolInto(world, 'spool')
    })

    const spools = () => readdirSync(spoolDir)

    const kinds: Record<string, (path: string, content: Buffer) => PushSource> = {
      'a file: URL': (path) => pathToFileURL(path),
      'a Buffer': (_path, content) => content,
      'a Uint8Array': (_path, content) => new Uint8Array(content),
      'a Readable': (_path, content) =>
        Readable.from([content.subarray(0, 9), content.subarray(9)]),
      'an async generator of strings and bytes': async function* (_path, content) {
        yield content.subarray(0, 1000)
        yield ''
        yield content.subarray(1000)
      } as (path: string, content: Buffer) => PushSource,
    }
    it.each(Object.entries(kinds))('%s', async (_what, of) => {
      const node = await world.node()
      const { path, content } = world.file('with space.bin', 3 * MIB + 17)
      const result = await push(of(path, content), { to: [node.address], engine, as: 'copy' })
        .result
      expect(result.nodes[0]?.reason).toBeNull()
      expect(result.warnings).toEqual([])
      expectCopies(content, 'copy', [node])
      expect(spools()).toEqual([])
    })

    it('an open file, whatever became of its name and wherever it stands', async () => {
      const node = await world.node()
      const { path, content } = world.file('data.bin', MIB + 1)
      const handle = await open(path)
      world.defer(() => handle.close())
      await handle.read(Buffer.alloc(1000), 0, 1000)
      unlinkSync(path)
      const result = await push(handle, { to: [node.address], engine, as: 'copy' }).result
      expect(result.nodes[0]?.reason).toBeNull()
      expect(result.warnings).toEqual([])
      expectCopies(content, 'copy', [node])
    })

    it('nothing at all is an empty file that everybody may read', async () => {
      const node = await world.node()
      const result = await push(Readable.from([]), { to: [node.address], engine, as: 'none' })
        .result
      expect(result.nodes[0]?.reason).toBeNull()
      expect(statSync(join(node.dataDir, 'none'))).toMatchObject({ size: 0, mode: 0o100644 })
    })

    it('what has no name needs one; what is no source is a TypeError', async () => {
      const to = ['127.0.0.1:7400']
      for (const source of [Buffer.from('x'), Readable.from([])])
        expect(() => push(source, { to })).toThrow(/as .*name/)
      expect(() => push(new URL('http://127.0.0.1/x'), { to, as: 'x' })).toThrow(/file: URLs/)
      for (const odd of [7, null, {}, [], ['x', 7], undefined])
        expect(() => push(odd as unknown as string, { to, as: 'x' })).toThrow(TypeError)
      const objects = Readable.from([{ not: 'bytes' }])
      await expect(push(objects, { to, as: 'x', engine }).result).rejects.toThrow(TypeError)
    })

    it('what has been closed, read or destroyed before is a TypeError', async () => {
      const { path } = world.file('data.bin', MIB)
      const given = { to: ['127.0.0.1:7400'], as: 'x', engine }
      const handle = await open(path)
      await handle.close()
      expect(() => push(handle, given)).toThrow(/^path is a FileHandle that is closed$/)
      const read = createReadStream(path).resume()
      await once(read, 'end')
      const destroyed = new PassThrough().destroy()
      for (const stream of [read, destroyed])
        expect(() => push(stream, given)).toThrow(/^path is a stream that has ended$/)
    })

    it('a stream that fails or is given up is destroyed, and leaves nothing', async () => {
      const node = await world.node()
      const to = [node.address]
      const failing = new PassThrough()
      const first = push(failing, { to, engine, as: 'copy' })
      failing.write('some')
      failing.destroy(new Error('the disk of the other side'))
      await expect(first.result).rejects.toMatchObject({
        code: 'ERR_FR_SOURCE',
        message: expect.stringMatching(/the disk of the other side/),
      })
      const endless = new PassThrough()
      const second = push(endless, { to, engine, as: 'copy' })
      endless.write('some')
      await until(() => endless.readableLength === 0, 'it is read')
      const reason = new Error('changed my mind')
      second.cancel(reason)
      await expect(second.result).rejects.toBe(reason)
      expect(endless.destroyed).toBe(true)
      expect(spools()).toEqual([])
      expect(readdirSync(node.dataDir)).toEqual(['.fastreplica'])
    })

    it.runIf(isRoot)('a stream larger than the room for it is refused by name', async () => {
      const node = await world.node()
      const small = spoolInto(world, 'small')
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128m', 'tmpfs', small])
      world.defer(() => execFileSync('umount', ['-l', small]))
      writeFileSync(join(small, 'taken'), Buffer.alloc(16 * MIB))
      const endless = async function* (): AsyncGenerator<Buffer> {
        for (;;) yield Buffer.alloc(MIB, 1)
      }
      const transfer = push(endless(), { to: [node.address], engine, as: 'copy' })
      await expect(transfer.result).rejects.toMatchObject({
        code: 'ERR_FR_NO_SPACE',
        message: expect.stringMatching(/TMPDIR/),
      })
      expect(readdirSync(small)).toEqual(['taken'])
    })
  })
}
