/**
 * What a machine needs to run a node: this package and the packages that it needs, in the folders
 * in which Node looks for them, as a compressed archive.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { UsageError } from '../render/units.js'

/** The command of a node in an unpacked archive. */
export const mainPath = 'lib/node_modules/fastreplica/dist/cli/main.js'
/** Node itself, where it was taken along. */
export const nodePath = 'bin/node'

/** Of this package only what runs. */
const ownFiles = ['package.json', 'dist', 'prebuilds', 'build/Release/fastreplica.node']
const packagesMax = 500

export interface Bundle {
  /** The archive (tar, gzip). */
  readonly path: string
  /** The same for the same content: what is there needs not be sent again. */
  readonly id: string
  readonly close: () => void
}

/** `withNode`: the running Node goes along. Rejects where a package is missing, or tar fails. */
export async function makeBundle({ withNode }: { withNode: boolean }): Promise<Bundle> {
  const folder = mkdtempSync(path.join(tmpdir(), 'fr-deploy-'))
  const close = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const placed = packages()
    const files = placed.flatMap(filesOf)
    // What lies within another package is renamed by its own rule, before that one's.
    const inner = [...placed].sort((one, other) => other.from.length - one.from.length)
    const renamed = inner.map(({ from, to }) => renaming(from, to))
    if (withNode) {
      files.push(realpathSync(process.execPath))
      renamed.push(renaming(realpathSync(process.execPath), nodePath))
    }
    const list = path.join(folder, 'files')
    writeFileSync(list, files.sort().join('\0'))
    const archive = path.join(folder, 'bundle.tgz')
    // With names in order and without times, users and the clock of gzip it is the same each time.
    const same = ['--mtime=@0', '--owner=0', '--group=0', '--numeric-owner']
    const names = ['--absolute-names', '--null', '--files-from', list, ...renamed]
    await promisify(execFile)('tar', ['-I', 'gzip -n -3', '-chf', archive, ...same, ...names])
    const id = createHash('sha256').update(readFileSync(archive)).digest('hex').slice(0, 16)
    return { path: archive, id, close }
  } catch (error) {
    close()
    throw error
  }
}

/** An option of tar: names that begin with `from` begin with `to`, as those of hard links do. */
function renaming(from: string, to: string): string {
  const literal = from.replace(/[\\.*[\]^$,]/g, (mark) => `\\${mark}`)
  return `--transform=s,^${literal}\\(/\\|$\\),${to}\\1,S`
}

interface Placed {
  readonly from: string
  readonly to: string
  readonly isOwn: boolean
}

/** Each package once in a folder; a second version of a name below who needs it. */
function packages(): Placed[] {
  const root = ownRoot()
  const own: Placed = { from: root, to: 'lib/node_modules/fastreplica', isOwn: true }
  const placed = new Map([[own.to, own]])
  const open = [own]
  for (let one = open.shift(); one !== undefined; one = open.shift()) {
    for (const name of dependenciesOf(one.from)) {
      const from = found(one.from, name)
      const there = reached(one.to, name, placed)
      if (there?.from === from) continue
      const to = there === undefined ? `lib/node_modules/${name}` : `${one.to}/node_modules/${name}`
      const next = { from, to, isOwn: false }
      placed.set(to, next)
      open.push(next)
      if (placed.size > packagesMax) throw new UsageError(`more than ${packagesMax} packages`)
    }
  }
  return [...placed.values()]
}

/** Above this file, which may have been joined with others. */
function ownRoot(): string {
  for (let at = realpathSync(fileURLToPath(import.meta.url)); ; at = path.dirname(at)) {
    const file = path.join(at, 'package.json')
    if (existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).name === 'fastreplica') return at
    if (path.dirname(at) === at) throw new UsageError('this package is not where it was installed')
  }
}

function dependenciesOf(folder: string): string[] {
  const text = readFileSync(path.join(folder, 'package.json'), 'utf8')
  return Object.keys((JSON.parse(text) as { dependencies?: object }).dependencies ?? {})
}

/** Where Node finds the package here. */
function found(from: string, name: string): string {
  for (let at = from; ; at = path.dirname(at)) {
    const there = path.join(at, 'node_modules', name)
    if (existsSync(path.join(there, 'package.json'))) return realpathSync(there)
    if (path.dirname(at) === at) throw new UsageError(`the package ${name} is not installed`)
  }
}

/** Where Node would find it in the archive so far. */
function reached(
  to: string,
  name: string,
  placed: ReadonlyMap<string, Placed>,
): Placed | undefined {
  for (let at = to; at !== '.'; at = path.dirname(at)) {
    if (path.basename(at) === 'node_modules') continue
    const there = placed.get(`${at}/node_modules/${name}`)
    if (there !== undefined) return there
  }
  return undefined
}

/** What only people and compilers read. */
const unneeded = /\.(?:d\.[cm]?ts|map|md)$/

/** Paths, without what is installed below the package, which has a place of its own. */
function filesOf({ from, isOwn }: Placed): string[] {
  const found: string[] = []
  const walk = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const file = path.join(folder, entry.name)
      if (entry.isDirectory() && entry.name !== 'node_modules') walk(file)
      else if (entry.isFile() && !unneeded.test(entry.name)) found.push(file)
    }
  }
  if (!isOwn) walk(from)
  for (const name of isOwn ? ownFiles : []) {
    const file = path.join(from, name)
    if (!existsSync(file)) continue
    if (statSync(file).isDirectory()) walk(file)
    else found.push(file)
  }
  return found
}
