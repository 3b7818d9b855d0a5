/**
 * A directory in the user's cache, in which each file is named by 32 hex digits of what it is
 * about. Several processes may use it at once; whatever goes wrong is as if nothing had been kept.
 */
import { mkdir, readdir, stat, unlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { isTemporary } from './durable.js'

const temporaryMs = 3_600_000

/** Null: there is no place for it. */
export function userCache(
  name: string,
  environment: NodeJS.ProcessEnv = process.env,
): string | null {
  try {
    const named = environment['XDG_CACHE_HOME'] ?? ''
    const home = isAbsolute(named) ? named : join(homedir(), '.cache')
    return join(home, 'fastreplica', name)
  } catch {
    return null
  }
}

/** Makes the directory, `fastreplica` above it and the cache directory; those above are there. */
export async function makeUserCache(directory: string): Promise<void> {
  const product = dirname(directory)
  for (const path of [dirname(product), product, directory])
    await mkdir(path, 0o700).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
}

/** Removes what was not used for longest, until the rest is within bounds. */
export async function pruneUserCache(
  directory: string,
  most: { readonly files: number; readonly bytes: number },
): Promise<void> {
  const found: { path: string; bytes: number; usedMs: number }[] = []
  for (const name of await readdir(directory)) {
    const path = join(directory, name)
    // Another process may have removed it.
    const stats = await stat(path).catch(() => null)
    if (stats === null) continue
    if (/^[0-9a-f]{32}$/.test(name)) found.push({ path, bytes: stats.size, usedMs: stats.mtimeMs })
    else if (isTemporary(name) && Date.now() - stats.mtimeMs > temporaryMs)
      await unlink(path).catch(() => {})
  }
  found.sort((a, b) => b.usedMs - a.usedMs)
  let [files, bytes] = [0, 0]
  for (const { path, bytes: own } of found) {
    files++
    bytes += own
    if (files > most.files || bytes > most.bytes) await unlink(path).catch(() => {})
  }
}
