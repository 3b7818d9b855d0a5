import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { PortableTreeFiles } from '../../../src/engine/portable/tree-files.js'
import fc from '../../support/property.js'
import {
  counting,
  identities,
  imageOf,
  type Made,
  make,
  openScan,
  options,
  readBundle,
  scratch,
  sendAll,
  textOf,
} from './tree-support.js'

const files = new PortableTreeFiles()
const tree = (path: string) => ({ files, paths: [{ path, name: Buffer.alloc(0) }] })

beforeEach(() => {
  vi.stubEnv('XDG_CACHE_HOME', scratch())
  // What was just made is too young to be kept: let it be an hour ago.
  const now = Date.now
  vi.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000)
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

const file = (content: string): Made => ({
  kind: 'file',
  content: Buffer.from(content),
  mode: 0o640,
})

const component = fc.constantFrom('a', 'b', 'a.b', 'a!', '.c', '\xff\xfe', 'x\ny', 'é', '...')
const name = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const made: fc.Arbitrary<Made> = fc.oneof(
  fc.constant<Made>({ kind: 'directory' }),
  fc.record({
    kind: fc.constant('file' as const),
    content: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    mode: fc.constantFrom(0o600, 0o755, 0o444),
  }),
  fc.record({ kind: fc.constant('symlink' as const), target: fc.constantFrom('..', 'b', '/etc') }),
  fc.record({ kind: fc.constant('hardlink' as const), to: name }),
)
const anyTree = fc.dictionary(name, made, { maxKeys: 25, noNullPrototype: true })

describe('a tree that is sent', () => {
  it('is what is on the disk; again, nothing is read; after edits, what they touched', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyTree,
        anyTree,
        fc.constantFrom('a', 'b', 'a.b'),
        async (one, two, gone) => {
          const root = scratch()
          make(root, one)
          expect(await sendAll(tree(root))).toEqual(imageOf(root))
          const again = counting(files)
          const listed = await sendAll({ ...tree(root), files: again }, 'list')
          expect([...listed.keys()].sort()).toEqual([...imageOf(root).keys()].sort())
          expect(again.reads).toEqual([])
          const before = identities(root)
          rmSync(join(root, gone), { recursive: true, force: true })
          make(root, two)
          const edited = counting(files)
          await sendAll({ ...tree(root), files: edited }, 'list')
          const fresh = [...identities(root)].filter(([key, now]) => before.get(key) !== now)
          const read = edited.reads.map(({ path }) => textOf(path).slice(root.length + 1))
          expect(read.sort()).toEqual(fresh.map(([key]) => key).sort())
          expect(await sendAll(tree(root))).toEqual(imageOf(root))
        },
      ),
      { numRuns: 8 },
    )
  })

  it('goes in bundles before it has been walked to its end', async () => {
    const root = scratch()
    mkdirSync(join(root, 'many'))
    mkdirSync(join(root, 'z'))
    for (let i = 0; i < limits.treeEagerEntries; i += 1)
      writeFileSync(join(root, 'many', `f${i}`), '')
    const held = counting(files)
    let go: (() => void) | undefined
    const gone = new Promise<void>((resolve) => {
      go = resolve
    })
    held.list = async function* (path, identity) {
      if (textOf(path).endsWith('/z')) await gone
      yield* files.list(path, identity)
    }
    await using scan = await openScan({ ...tree(root), files: held })
    const sizes: number[] = []
    for await (const batch of scan) {
      sizes.push(batch.entries)
      go?.()
    }
    expect(sizes).toEqual([limits.treeEagerEntries, 5])
  })

  it('has several paths under names of their own', async () => {
    const root = scratch()
    make(root, { 'one/a': file('1'), two: file('2'), link: { kind: 'symlink', target: 'one' } })
    const paths = ['two', 'one', 'link'].map((text) => {
      return { path: join(root, text), name: Buffer.from(`in/${text}`) }
    })
    const image = await sendAll({ files, paths })
    expect([...image.keys()].sort()).toEqual([
      'in/link',
      'in/link/a',
      'in/one',
      'in/one/a',
      'in/two',
    ])
    const twice = [paths[0], { path: root, name: Buffer.from('in') }] as typeof paths
    await expect(openScan({ files, paths: twice })).rejects.toThrow(TypeError)
    const missing = [{ path: join(root, 'none'), name: Buffer.from('n') }]
    await expect(openScan({ files, paths: missing })).rejects.toMatchObject({
      code: 'ERR_FR_SOURCE',
    })
  })

  it('is packed in part: what somebody lacks of a listing', async () => {
    const root = scratch()
    make(root, { a: file('aa'), b: file('bbb'), c: file('c'), d: file('') })
    await using scan = await openScan(tree(root))
    for await (const batch of scan) {
      const { entries } = readBundle(await batch.list())
      expect(entries.map((entry) => textOf(entry.name))).toEqual(['', 'a', 'b', 'c', 'd'])
      expect(entries.every((entry) => entry.kind !== 'file' || entry.at === null)).toBe(true)
      const part = readBundle(
        await batch.pack([
          [2, 1],
          [4, 1],
        ]),
      )
      expect(part.entries.map((entry) => textOf(entry.name))).toEqual(['', 'b', 'd'])
      const [, b, d] = part.entries
      if (b?.kind !== 'file' || d?.kind !== 'file' || b.at === null) throw new Error('no files')
      expect(part.whole.toString('latin1', b.at)).toBe('bbb')
      expect([d.at, d.size]).toEqual([part.whole.length, 0])
    }
  })

  it('has large files alone, whose digests are known the next time', async () => {
    const root = scratch()
    writeFileSync(join(root, 'large'), '')
    truncateSync(join(root, 'large'), limits.bundledFileBytes + 1)
    make(root, { small: file('s') })
    expect(await sendAll(tree(root))).toEqual(imageOf(root))
    await using scan = await openScan(tree(root))
    for await (const batch of scan) {
      const [[index, alone] = []] = (await batch.list()).alone
      expect(index).toBe(1)
      expect(alone?.digest).toEqual(Buffer.alloc(32, 9))
      expect(alone?.size).toBe(limits.bundledFileBytes + 1)
    }
  })

  it('is read anew where that is asked for, or the file is too young', async () => {
    const root = scratch()
    make(root, { a: file('a'), b: file('b') })
    await sendAll(tree(root))
    const anew = counting(files)
    await sendAll({ ...tree(root), files: anew, rereads: true })
    expect(anew.reads).toHaveLength(2)
    vi.restoreAllMocks()
    writeFileSync(join(root, 'a'), 'x')
    await sendAll(tree(root), 'list')
    const young = counting(files)
    await sendAll({ ...tree(root), files: young }, 'list')
    expect(young.reads.map((read) => textOf(read.path))).toEqual([join(root, 'a')])
  })

  it('is read anew where what was kept is damaged', async () => {
    const cache = process.env['XDG_CACHE_HOME'] ?? ''
    const root = scratch()
    make(root, { a: file('a'), b: file('b') })
    await sendAll(tree(root))
    const kept = execFileSync('find', [cache, '-type', 'f', '-size', '+0'], { encoding: 'utf8' })
    const [path = ''] = kept.trim().split('\n')
    truncateSync(path, 100)
    const again = counting(files)
    expect(await sendAll({ ...tree(root), files: again })).toEqual(imageOf(root))
    expect(again.reads).toHaveLength(2)
  })
})

describe('what cannot be sent of a tree', () => {
  it('is named where it changed after it was looked at, and nothing is deleted', async () => {
    const root = scratch()
    make(root, { a: file('a'), b: file('b'), 'c/d': file('d') })
    const warnings: string[] = []
    await using scan = await openScan({ ...tree(root), warn: (text) => warnings.push(text) })
    const names: string[] = []
    for await (const batch of scan) {
      appendFileSync(join(root, 'a'), 'more')
      rmSync(join(root, 'c'), { recursive: true })
      const { entries, final, deletes } = readBundle(await batch.pack())
      names.push(...entries.map((entry) => textOf(entry.name)))
      expect(final).toEqual({ bundles: 1, entries: 3 })
      expect(deletes).toBe(false)
      await batch.release()
    }
    expect(names).toEqual(['', 'b', 'c'])
    expect(scan.failed.told.map(({ name: own, code }) => [textOf(own), code])).toEqual([
      ['a', 'ERR_FR_SOURCE_CHANGED'],
      ['c/d', 'ERR_FR_SOURCE_CHANGED'],
    ])
    for await (const batch of scan.closing()) throw new Error(`${batch.entries} are closed twice`)
    expect(warnings).toEqual(['nothing is deleted, because 2 entries could not be read'])
  })

  it.skipIf(process.getuid?.() === 0)('is named where it may not be read', async () => {
    const root = scratch()
    make(root, { a: file('a'), b: file('b'), 'c/d': file('d') })
    chmodSync(join(root, 'a'), 0)
    chmodSync(join(root, 'c'), 0)
    onTestFinished(() => chmodSync(join(root, 'c'), 0o755))
    const spec = tree(root)
    await using scan = await openScan(spec)
    for await (const batch of scan) await batch.pack()
    expect(scan.failed.told.map((failed) => textOf(failed.name)).sort()).toEqual(['a', 'c'])
  })

  it('are sockets and FIFOs: with a warning, or not at all', async () => {
    const root = scratch()
    make(root, { a: file('a') })
    execFileSync('mkfifo', [join(root, 'fifo')])
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(root, 'socket'), resolve))
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
    const warnings: string[] = []
    const image = await sendAll({ ...tree(root), warn: (text) => warnings.push(text) })
    expect([...image.keys()]).toEqual(['', 'a'])
    expect(warnings).toHaveLength(2)
    const strict = { ...options, strict: true }
    await expect(sendAll({ ...tree(root), options: strict })).rejects.toMatchObject({
      code: 'ERR_FR_SOURCE',
    })
  })

  it('is a directory that was replaced by a link while the walk went on', async () => {
    const root = scratch()
    make(root, { 'a/b': file('b'), 'c/d': file('secret') })
    const swapping = counting(files)
    const { list } = swapping
    swapping.list = (path, ...rest) => {
      if (textOf(path).endsWith('/a')) {
        renameSync(join(root, 'a'), join(root, 'was'))
        symlinkSync('c', join(root, 'a'))
      }
      return list(path, ...rest)
    }
    await using scan = await openScan({ ...tree(root), files: swapping })
    const names: string[] = []
    for await (const batch of scan)
      names.push(...readBundle(await batch.pack()).entries.map((entry) => textOf(entry.name)))
    expect(names).toEqual(['', 'a', 'c', 'c/d'])
    expect(scan.failed.told.map((failed) => textOf(failed.name))).toEqual(['a'])
  })

  it('ends with the signal, whoever waits', async () => {
    const root = scratch()
    mkdirSync(join(root, 'many'))
    for (let i = 0; i < 100; i += 1) writeFileSync(join(root, 'many', `f${i}`), '')
    const reason = new Error('enough')
    const controller = new AbortController()
    await using scan = await openScan({ ...tree(root), signal: controller.signal })
    controller.abort(reason)
    await expect(async () => {
      for await (const batch of scan) await batch.pack()
    }).rejects.toBe(reason)
  })
})

describe('filters', () => {
  const root = () => {
    const path = scratch()
    make(path, {
      'src/a.ts': file('1'),
      'src/a.js': file('2'),
      'src/deep/b.ts': file('3'),
      'node_modules/x/index.js': file('4'),
      'doc/Readme.md': file('5'),
      empty: { kind: 'directory' },
    })
    return path
  }
  it.each([
    [[], ['node_modules/', '*.js'], 'doc doc/Readme.md empty src src/a.ts src/deep src/deep/b.ts'],
    [['*.ts'], [], 'src src/a.ts src/deep src/deep/b.ts'],
    [['*.ts'], ['deep'], 'src src/a.ts'],
    [['/src'], ['*.js'], 'src src/a.ts src/deep src/deep/b.ts'],
    [[], ['*.md', '!Readme.md', '/src', '/node_modules'], 'doc doc/Readme.md empty'],
    [['readme.md'], [], ''],
  ])('with include %j and exclude %j send %j', async (include, exclude, sent) => {
    const image = await sendAll({ ...tree(root()), include, exclude })
    expect(
      [...image.keys()]
        .filter((key) => key !== '')
        .sort()
        .join(' '),
    ).toBe(sent)
  })

  it('do not enter what is excluded', async () => {
    const watched = counting(files)
    const entered: string[] = []
    const { list } = watched
    watched.list = (path, ...rest) => {
      entered.push(textOf(path).split('/').at(-1) ?? '')
      return list(path, ...rest)
    }
    await sendAll({ ...tree(root()), files: watched, exclude: ['node_modules'] })
    expect(entered).not.toContain('node_modules')
    expect(entered).toContain('deep')
  })
})
