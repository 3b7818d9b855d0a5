/** Both engines read trees alike, and as the digests of whole files are elsewhere. */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import xxhash from 'xxhash-wasm'
import { digestAlgorithms } from '../../src/base/digests.js'
import { blockBytesFor, limits } from '../../src/base/limits.js'
import { blake3File } from '../../src/engine/hashing/blake3.js'
import { hashBlocks } from '../../src/engine/hashing/block-hash.js'
import { NativeTreeFiles } from '../../src/engine/native/tree-files.js'
import { PortableTreeFiles } from '../../src/engine/portable/tree-files.js'
import type { FileRead, Looked, TreeFiles } from '../../src/ports/tree-files.js'
import { fileDigestOf } from '../../src/session/file-digest.js'

const engines: readonly TreeFiles[] = [new NativeTreeFiles(), new PortableTreeFiles()]
const wants = { xattrs: true, acls: true }
let root: string

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'fr-tree-files-'))
  const sizes = [0, 1, 1024, 65_535, 65_536, 65_537, 200_000, limits.bundledFileBytes]
  for (const size of sizes) {
    const content = Buffer.alloc(size, `${size} bytes, `)
    writeFileSync(join(root, `file-${size}`), content)
  }
  mkdirSync(join(root, 'dir'), { mode: 0o750 })
  symlinkSync('../elsewhere', join(root, 'link'))
  linkSync(join(root, 'file-1'), join(root, 'twin'))
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0xff, 0x0a)]), 'x')
  execFileSync('mkfifo', [join(root, 'fifo')])
  truncateSync(join(root, 'file-1024'), 1 << 20)
  execFileSync('touch', ['-d', '@-3.5', join(root, 'file-0')])
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function listed(files: TreeFiles, path = root): Promise<Looked[]> {
  const bytes = Buffer.from(path)
  const { identity } = await files.look(bytes, wants)
  const all: Looked[] = []
  for await (const list of files.list(bytes, identity, wants)) all.push(...list.map(allOf))
  return all
}

/** What is read when it is asked, too. */
function allOf(looked: Looked): Looked {
  const { name, kind, mode, links, uid, gid, size, dataBytes, mtime, ctime } = looked
  const { identity, target, xattrs, errno } = looked
  const numbers = { mode, links, uid, gid, size, dataBytes }
  return { name, kind, ...numbers, mtime, ctime, identity, target, xattrs, errno }
}

describe('trees', () => {
  it('look the same to both engines, in the order of bytes', async () => {
    const [one, other] = await Promise.all(engines.map((files) => listed(files)))
    expect(one).toEqual(other)
    const names = one?.map(({ name }) => Buffer.from(name)) ?? []
    expect([...names].sort(Buffer.compare)).toEqual(names)
    expect(names).toHaveLength(13)
    const byName = new Map(one?.map((looked) => [looked.name.toString('latin1'), looked]))
    expect(byName.get('link')).toMatchObject({
      kind: 'symlink',
      target: Buffer.from('../elsewhere'),
    })
    expect(byName.get('fifo')?.kind).toBe('other')
    expect(byName.get('twin')).toMatchObject({ kind: 'file', links: 2 })
    expect(byName.get('file-0')?.mtime).toEqual({ seconds: -4, nanos: 500_000_000 })
    expect(byName.get('file-1024')).toMatchObject({ size: 1 << 20 })
    expect(byName.get('file-1024')?.dataBytes).toBeLessThan(1 << 20)
    expect(byName.get('dir')?.mode).toBe(0o40750)
  })

  it.each(digestAlgorithms)('are read, hashed with %s and packed by both', async (algorithm) => {
    const block = blockBytesFor(limits.bundledFileBytes)
    const xx = await xxhash()
    const engine = { blake3File, xxh64: (bytes: Uint8Array) => xx.h64Raw(bytes) }
    for (const files of engines) {
      const some = (await listed(files)).filter(({ kind }) => kind === 'file')
      let at = 7
      const asked = some.map(({ name, identity, size }) => {
        const path = Buffer.concat([Buffer.from(`${root}/`), name])
        const file = { path, identity, at }
        at += size
        return file
      })
      const into = join(root, '..', `packed-${process.pid}`)
      const fd = openSync(into, 'w+')
      const digests = await files.read(asked, algorithm, fd)
      const packed = readFileSync(into)
      closeSync(fd)
      rmSync(into)
      expect(packed).toHaveLength(at)
      for (const [index, { path, at: from }] of asked.entries()) {
        const content = readFileSync(path)
        expect(packed.subarray(from, from + content.length).equals(content)).toBe(true)
        const source = openSync(path, 'r')
        const range = { offset: 0, length: content.length }
        const one = content.length <= block && algorithm === 'blake3'
        const task = { source: { kind: 'fd' as const, fd: source }, range, blockBytes: block }
        const blocks = await hashBlocks({ ...task, algorithm: one ? 'blake3-file' : algorithm })
        closeSync(source)
        const values = content.length === 0 ? new Uint8Array() : blocks
        const text = fileDigestOf(engine, algorithm, content.length, block, values)
        const digest = digests[index]
        expect(text.split(':')[1]).toBe(Buffer.from(digest as Uint8Array).toString('hex'))
      }
    }
  })

  it('are not read where a file is another one, has changed, or is none', async () => {
    for (const [turn, files] of engines.entries()) {
      const path = (name: string): string => join(root, `${name}-${turn}`)
      const names = ['grown', 'gone', 'linked', 'well', 'replaced']
      for (const name of names) writeFileSync(path(name), 'content')
      const looked = await Promise.all(names.map((n) => files.look(Buffer.from(path(n)), wants)))
      appendFileSync(path('grown'), 'more')
      for (const name of ['gone', 'linked', 'replaced']) rmSync(path(name))
      symlinkSync(path('well'), path('linked'))
      mkdirSync(path('replaced'))
      const asked = looked.map(({ identity }, at) => {
        return { path: Buffer.from(path(names[at] ?? '')), identity, at: 0 }
      })
      const codes = (read: FileRead): string => (read instanceof Uint8Array ? 'read' : read.code)
      const changed = 'ERR_FR_SOURCE_CHANGED'
      expect((await files.read(asked, 'blake3')).map(codes)).toEqual([
        ...[changed, changed, changed, 'read', changed],
      ])
      for (const name of names) rmSync(path(name), { recursive: true, force: true })
    }
  })

  it('say of a directory that is another one, or none', async () => {
    for (const files of engines) {
      const { identity } = await files.look(Buffer.from(root), wants)
      const list = async (path: string): Promise<void> => {
        for await (const _ of files.list(Buffer.from(path), identity, wants));
      }
      await list(root)
      await expect(list(join(root, 'dir'))).rejects.toMatchObject({ code: 'ERR_FR_SOURCE_CHANGED' })
      await expect(list(join(root, 'none'))).rejects.toMatchObject({ code: 'ERR_FR_SOURCE' })
      await expect(list(join(root, 'link'))).rejects.toMatchObject({ code: /^ERR_FR_SOURCE/ })
      await expect(files.look(Buffer.from(join(root, 'none')), wants)).rejects.toMatchObject({
        code: 'ERR_FR_SOURCE',
      })
    }
  })

  it('have many entries in one directory, in lists', async () => {
    const many = join(root, 'dir')
    const input = Array.from({ length: 1_030 }, (_, i) => `f${i}\n`).join('')
    execFileSync('xargs', ['touch'], { cwd: many, input })
    const [one, other] = await Promise.all(engines.map((files) => listed(files, many)))
    expect(one).toHaveLength(1_030)
    expect(one?.map(({ name }) => name.toString())).toEqual(
      other?.map(({ name }) => name.toString()),
    )
  })
})
