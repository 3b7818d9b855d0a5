/** Trees on the disk for the tests of `store/walk`: made, read by hand, and sent without a wire. */
import {
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { FileToRead, TreeFiles } from '../../../src/ports/tree-files.js'
import { listingHeadBytes, type TreeEntry } from '../../../src/protocol/listing.js'
import { readListing, readListingHead } from '../../../src/protocol/listing-reader.js'
import type { Bundle } from '../../../src/store/walk/batch.js'
import { TreeScan, type TreeSpec } from '../../../src/store/walk/tree-scan.js'

export function scratch(): string {
  const path = mkdtempSync(join(tmpdir(), 'fr-tree-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export type Made =
  | { readonly kind: 'directory' }
  | { readonly kind: 'file'; readonly content: Buffer; readonly mode: number }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'hardlink'; readonly to: string }

/** Names are latin1, so that any bytes can be had. What cannot be there is left out. */
export function make(root: string, tree: Readonly<Record<string, Made>>): void {
  const at = (name: string): Buffer => Buffer.from(`${root}/${name}`, 'latin1')
  for (const [name, made] of Object.entries(tree)) {
    const parent = name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : ''
    try {
      if (parent !== '') mkdirSync(at(parent), { recursive: true })
      if (made.kind === 'directory') mkdirSync(at(name), { recursive: true })
      else if (made.kind === 'symlink') symlinkSync(made.target, at(name))
      else if (made.kind === 'hardlink') linkSync(at(made.to), at(name))
      else writeFileSync(at(name), made.content, { flag: 'wx' })
      if (made.kind === 'file') {
        chmodSync(at(name), made.mode)
        utimesSync(at(name), 1_700_000_000, 1_600_000_000.125)
      }
      if (made.kind === 'symlink') lutimesSync(at(name), 1_500_000_000, 1_400_000_000)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (!['EEXIST', 'ENOTDIR', 'ENOENT', 'EPERM', 'ELOOP', 'EISDIR'].includes(code ?? ''))
        throw error
    }
  }
}

/** What a copy of a tree has to be, by name. */
export type Image = Map<string, string>

/** By hand, and slowly. Of hard links the first name in walk order is the file. */
export function imageOf(root: string): Image {
  const image: Image = new Map()
  const first = new Map<bigint, string>()
  const visit = (path: Buffer, name: string): void => {
    const stats = lstatSync(path, { bigint: true })
    const about = `${Number(stats.mode) & 0o7777} ${stats.mtimeNs}`
    if (stats.isSymbolicLink())
      image.set(name, `link ${about} ${readlinkSync(path, 'buffer').toString('latin1')}`)
    else if (stats.isFile()) {
      const to = first.get(stats.ino)
      if (to === undefined) first.set(stats.ino, name)
      if (to !== undefined) image.set(name, `hard ${about} ${to}`)
      else image.set(name, `file ${about} ${readFileSync(path).toString('latin1')}`)
    } else if (stats.isDirectory()) {
      image.set(name, `directory ${about}`)
      for (const child of readdirSync(path, 'buffer').sort((a, b) => a.compare(b))) {
        const own = child.toString('latin1')
        visit(Buffer.concat([path, Buffer.from('/'), child]), name === '' ? own : `${name}/${own}`)
      }
    }
  }
  visit(Buffer.from(root), '')
  return image
}

/** What tells of the content of each file, by the name that it is sent under. */
export function identities(root: string): Image {
  const found: Image = new Map()
  for (const [name, text] of imageOf(root)) {
    if (!text.startsWith('file')) continue
    const { ino, ctimeNs } = lstatSync(Buffer.from(`${root}/${name}`, 'latin1'), { bigint: true })
    found.set(name, `${ino} ${ctimeNs}`)
  }
  return found
}

/** Counts what is read. */
export function counting(files: TreeFiles): TreeFiles & { reads: FileToRead[]; packs: number } {
  const counter = {
    hasXattrs: files.hasXattrs,
    reads: [] as FileToRead[],
    packs: 0,
    list: files.list.bind(files),
    look: files.look.bind(files),
    read: (...asked: Parameters<TreeFiles['read']>) => {
      counter.reads.push(...asked[0])
      if (asked[2] !== undefined) counter.packs += asked[0].length
      return files.read(...asked)
    },
  }
  return counter
}

export const options = {
  isAtomic: false,
  deletes: true,
  strict: false,
  owner: false,
  xattrs: false,
  acls: false,
  isDry: false,
}

export type ScanSpec = Partial<Omit<TreeSpec, 'files'>> & Pick<TreeSpec, 'files' | 'paths'>

export function openScan(spec: ScanSpec): Promise<TreeScan> {
  return TreeScan.open({
    include: [],
    exclude: [],
    tree: '5a'.repeat(16),
    algorithm: 'blake3',
    options,
    rereads: false,
    signal: new AbortController().signal,
    warn: () => undefined,
    ...spec,
  })
}

/** As a node reads a bundle. */
export function readBundle({ path, bytes }: Pick<Bundle, 'path' | 'bytes'>): {
  entries: readonly TreeEntry[]
  whole: Buffer
  final: { bundles: number; entries: number } | null
  deletes: boolean
} {
  const whole = readFileSync(path)
  if (whole.length !== bytes) throw new Error(`a bundle of ${bytes} bytes has ${whole.length}`)
  const head = readListingHead(whole.subarray(0, listingHeadBytes))
  const listing = readListing(whole.subarray(0, head.bytes), bytes, 'blake3')
  const { entries, final } = listing
  return { entries, whole, final, deletes: listing.options.deletes }
}

/** Sends all of a tree to nowhere, and says what would be there. */
export async function sendAll(spec: ScanSpec, mode: 'pack' | 'list' = 'pack'): Promise<Image> {
  const image: Image = new Map()
  await using scan = await openScan(spec)
  let bundles = 0
  const check = (final: { bundles: number; entries: number } | null): void => {
    if (final !== null && (final.bundles !== bundles || final.entries !== image.size))
      throw new Error(`${bundles} bundles of ${image.size} names end in ${JSON.stringify(final)}`)
  }
  for await (const batch of scan) {
    const bundle = await batch[mode]()
    const { entries, whole, final } = readBundle(bundle)
    put(image, entries, whole)
    for (const [index, file] of bundle.alone) {
      const entry = entries[index]
      if (entry?.kind !== 'file' || !entry.isAlone) throw new Error('no file alone')
      const content = readFileSync(file.path).toString('latin1')
      image.set(textOf(entry.name), `file ${aboutOf(entry)} ${content}`)
      await file.sent(Buffer.alloc(32, 9))
    }
    await batch.release()
    bundles += 1
    check(final)
  }
  for await (const batch of scan.closing()) {
    const { entries, whole, final } = readBundle(await batch.pack())
    put(image, entries, whole)
    await batch.release()
    bundles += 1
    check(final)
  }
  await scan.keep()
  return image
}

function put(image: Image, entries: readonly TreeEntry[], whole: Buffer): void {
  for (const entry of entries) {
    const name = textOf(entry.name)
    const about = aboutOf(entry)
    if (entry.kind === 'directory') image.set(name, `directory ${about}`)
    else if (entry.kind === 'symlink') image.set(name, `link ${about} ${textOf(entry.target)}`)
    else if (entry.kind === 'hardlink') image.set(name, `hard ${about} ${textOf(entry.to)}`)
    else if (entry.at !== null) {
      const content = whole.toString('latin1', entry.at, entry.at + entry.size)
      image.set(name, `file ${about} ${content}`)
    } else if (!image.has(name)) image.set(name, `file ${about} not sent`)
  }
}

function aboutOf({ attributes }: TreeEntry): string {
  const { mode, mtimeSeconds, mtimeNanos } = attributes
  return `${mode} ${BigInt(mtimeSeconds) * 1_000_000_000n + BigInt(mtimeNanos)}`
}

export function textOf(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}
