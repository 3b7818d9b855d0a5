/** Where a fetched tree lands: what a holder lists is believed no further than its place. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createPortableEngine } from '../../../src/engine/portable/engine.js'
import { encodeListing, type Listing, type TreeEntry } from '../../../src/protocol/listing.js'
import {
  type TreeFileEntry,
  TreeLanding,
  type TreeState,
} from '../../../src/session/fetch/tree-landing.js'

const options = {
  ...{ isAtomic: false, deletes: false, strict: false, owner: false, xattrs: false, acls: false },
  isDry: false,
}
const attributes = { mode: 0o755, mtimeSeconds: 1_000_000_000, mtimeNanos: 0 }
const root: TreeEntry = { kind: 'directory', name: new Uint8Array(), attributes }
const nameOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const state: TreeState = {
  ...{ name: 'n', next: 'c', bytes: 0, doneBytes: 0, entries: 1, files: 0, isWhole: true },
  ...{ failedCount: 0, failures: [] },
}

function large(name: string): TreeFileEntry {
  const digest = new Uint8Array(32).fill(1)
  const about = { size: 4, dataBytes: 4, digest, at: null, isAlone: true }
  return { kind: 'file', name: nameOf(name), attributes: { ...attributes, mode: 0o640 }, ...about }
}

async function landingIn(directory: string) {
  const engine = await createPortableEngine(() => {})
  const work = { author: '', freshId: () => '', sum: () => '', sign: () => [] }
  const hash = async function* () {}
  const output = join(directory, 'tree')
  const { storage } = engine
  const spec = { storage, work: { ...work, hash }, output, log: () => {} }
  const landing = await TreeLanding.prepare(spec)
  const take = async (entries: readonly TreeEntry[], more: Partial<Listing> = {}) => {
    const whole = { tree: '0'.repeat(32), bundle: 0, final: null, options, isClosing: false }
    const bytes = encodeListing({ ...whole, entries, ...more })
    writeFileSync(landing.bundlePath, bytes, { mode: 0o600 })
    return await landing.take({ bytes: bytes.length, digest: 'blake3' })
  }
  const close = async () => {
    await landing.close()
    await engine.shutdown()
  }
  return { landing, take, output, close }
}

function scratch(): string {
  const path = mkdtempSync(join(tmpdir(), 'fr-landing-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

it('places what it is listed, large files too, and shows all of it at once', async () => {
  const directory = scratch()
  const { landing, take, output, close } = await landingIn(directory)
  const { applied } = await take([root, large('a')])
  expect(applied.lacks).toEqual([[1, 1]])
  writeFileSync(landing.filePath, 'four')
  expect(await landing.place(large('a'), 'blake3')).toBe(null)
  // It is known from now on.
  expect((await take([root, large('a')])).applied).toMatchObject({ lacks: [], held: 2 })
  await take([root], { isClosing: true })
  expect(existsSync(output)).toBe(false)
  await landing.publish()
  await close()
  expect(readFileSync(join(output, 'a'), 'utf8')).toBe('four')
  expect(lstatSync(join(output, 'a')).mode & 0o777).toBe(0o640)
  expect(lstatSync(output).mtimeMs).toBe(1e12)
  expect(readdirSync(directory)).toEqual(['tree'])
})

it('follows no link that came, and takes no bundle that is more than entries', async () => {
  const directory = scratch()
  mkdirSync(join(directory, 'outside'))
  const { landing, take, close } = await landingIn(directory)
  const target = nameOf(join(directory, 'outside'))
  await take([{ kind: 'symlink', name: nameOf('out'), target, attributes }], { isClosing: true })
  writeFileSync(landing.filePath, 'four')
  await landing.place(large('out/x'), 'blake3')
  expect(readdirSync(join(directory, 'outside'))).toEqual([])
  const protocol = { code: 'ERR_FR_PROTOCOL' }
  for (const option of ['isAtomic', 'deletes', 'isDry'] as const)
    await expect(take([root], { options: { ...options, [option]: true } })).rejects.toMatchObject(
      protocol,
    )
  const final = { bundles: 1, entries: 1 }
  await expect(take([root], { final, isClosing: true })).rejects.toMatchObject(protocol)
  await close()
  expect(readdirSync(directory)).toEqual(['outside'])
})

it('goes on with what it has of the same name, and with nothing of another one', async () => {
  const directory = scratch()
  const first = await landingIn(directory)
  expect(await first.landing.state('n')).toBe(undefined)
  await first.take([root, { ...root, name: nameOf('d') }])
  await first.landing.keep(state)
  await first.close()
  const second = await landingIn(directory)
  expect(await second.landing.state('n')).toEqual(state)
  await second.close()
  const third = await landingIn(directory)
  expect(await third.landing.state('other')).toBe(undefined)
  await expect(third.landing.publish()).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
  await third.close()
  expect(readdirSync(directory)).toEqual([])
  mkdirSync(join(directory, 'tree'))
  await expect(landingIn(directory)).rejects.toMatchObject({ code: 'ERR_FR_EXISTS' })
})

it('takes what is unchanged from what it set aside, and no more', async () => {
  const directory = scratch()
  const first = await landingIn(directory)
  await first.take([root, large('a'), large('b')])
  for (const name of ['a', 'b']) {
    writeFileSync(first.landing.filePath, 'four')
    await first.landing.place(large(name), 'blake3')
  }
  await first.landing.keep({ ...state, next: '' })
  await first.close()
  const { landing, take, output, close } = await landingIn(directory)
  await landing.state('n')
  expect(landing.hasBefore).toBe(true)
  const other = { ...large('c'), digest: new Uint8Array(32).fill(2) }
  const { applied } = await take([root, large('a'), other])
  expect(applied).toMatchObject({ lacks: [[2, 1]], held: 2 })
  await landing.publish()
  await close()
  expect(readdirSync(output)).toEqual(['a'])
  expect(lstatSync(join(output, 'a'))).toMatchObject({ nlink: 1, size: 4 })
  expect(readdirSync(directory)).toEqual(['tree'])
})
