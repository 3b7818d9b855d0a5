/** Which records of trees go when a node starts. */
import { lstat, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '../../base/limits.js'
import { recordKey, treesDirOf } from './version-records.js'

/** Removes those of trees that are not there any more, or of more than are kept. */
export async function expireRecords(dataDir: string): Promise<void> {
  const found: { readonly path: string; readonly usedMs: number }[] = []
  const all = treesDirOf(dataDir)
  const keys: string[] = await readdir(all).catch(() => [])
  for (const key of keys) {
    const path = join(all, key)
    const name = await readFile(join(path, 'name')).catch(() => null)
    const tree = name && Buffer.concat([Buffer.from(`${dataDir}/`), name])
    const isThere = tree !== null && (await lstat(tree).catch(() => null)) !== null
    // Of versions there are as many as are kept.
    if (isThere && (recordKey(key)?.version ?? null) !== null) continue
    if (isThere) found.push({ path, usedMs: (await stat(path)).mtimeMs })
    else await rm(path, { recursive: true, force: true })
  }
  found.sort((a, b) => b.usedMs - a.usedMs)
  for (const { path } of found.slice(limits.treesKept))
    await rm(path, { recursive: true, force: true })
}
