/** `sha256` of a push of a directory: what its author works out of its files before they go. */
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { sumsName, sumsText } from '../base/tree-sums.js'
import type { DataEngine, HashPool } from '../ports.js'
import { Filter } from '../store/rules/filter.js'
import { digestWith } from './digest.js'
import type { CheckedPush } from './options.js'

export interface SumsParts {
  readonly checked: Pick<CheckedPush, 'algorithm' | 'tree'>
  readonly engine: DataEngine
  readonly pool: HashPool
  readonly signal: AbortSignal
}

export interface WrittenSums extends AsyncDisposable {
  readonly path: string
}

const lanes = 4

/**
 * Reads all files below these paths that go, and writes what was found into a file for the push.
 * Rejects with ERR_FR_LIMIT for too many files, and the signal's reason.
 */
export async function writeSums(paths: readonly string[], parts: SumsParts): Promise<WrittenSums> {
  const files = await filesOf(paths, parts)
  const sums = new Map<string, string>()
  const lane = async (): Promise<void> => {
    for (let path = files.pop(); path !== undefined; path = files.pop()) {
      parts.signal.throwIfAborted()
      // What cannot be read, or changes, is for the push to tell.
      const found = await sumOf(path, parts).catch(() => null)
      if (found !== null) sums.set(found.digest, found.sha256)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  const directory = await mkdtemp(join(tmpdir(), 'fr-sums-'))
  const path = join(directory, sumsName)
  await writeFile(path, sumsText(sums), { mode: 0o644 })
  // The same of the same contents, so that it is not sent again.
  await utimes(path, 0, 0)
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true })
  return { path, [Symbol.asyncDispose]: remove }
}

async function filesOf(paths: readonly string[], parts: SumsParts): Promise<string[]> {
  const { include, exclude } = parts.checked.tree
  const filter = new Filter(include, exclude)
  const files: string[] = []
  const visit = async (directory: string, name: string): Promise<void> => {
    parts.signal.throwIfAborted()
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      const below = name === '' ? entry.name : `${name}/${entry.name}`
      const isDirectory = entry.isDirectory()
      if (filter.verdict(Buffer.from(below), isDirectory) === 'out') continue
      const path = join(directory, entry.name)
      if (isDirectory) await visit(path, below)
      else if (entry.isFile() && below !== sumsName) files.push(path)
      if (files.length > limits.treeSums)
        throw new FrError('ERR_FR_LIMIT', `sha256: more than ${limits.treeSums} files`)
    }
  }
  for (const path of paths) {
    const isOne = paths.length === 1
    const name = resolve(path).split('/').at(-1) ?? ''
    const isDirectory = await readdir(path).then(
      () => true,
      () => false,
    )
    if (isDirectory) await visit(path, isOne ? '' : name)
    else files.push(path)
  }
  return files
}

async function sumOf(path: string, { checked, engine, pool, signal }: SumsParts) {
  const source = await engine.storage.openSource(path)
  try {
    const { size, file } = source
    if (size === 0) return null
    const digest = await digestWith(engine, pool, path, checked.algorithm, signal)
    const range = { offset: 0, length: size }
    const bytes = await pool.hash(engine.hashSource(file), range, size, 'sha256')
    return { digest, sha256: Buffer.from(bytes).toString('hex') }
  } finally {
    engine.storage.closeFile(source.file)
  }
}
