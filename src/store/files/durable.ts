/**
 * Files that the product keeps for itself: read within bounds, replaced as a whole, never through a
 * symlink, and readable by their owner alone.
 */
import { hash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

const { O_RDONLY, O_RDWR, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants

/** First digits of the SHA-256 hash that guards what is written. */
export function checksum(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex').slice(0, 16)
}

export async function withFile<T>(
  path: string,
  flags: string | number,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags, 0o600)
  return use(file).finally(() => file.close())
}

/** Opens a regular file for reading; null when there is none. */
export async function openKept(path: string): Promise<FileHandle | null> {
  return opened(path, O_RDONLY | O_NONBLOCK)
}

/** Opens a regular file for reading and writing; null when another kind of file is there. */
export async function openOwn(path: string): Promise<FileHandle | null> {
  return opened(path, O_RDWR | O_CREAT | O_NONBLOCK)
}

async function opened(path: string, flags: number): Promise<FileHandle | null> {
  try {
    const file = await open(path, flags | O_NOFOLLOW, 0o600)
    if ((await file.stat()).isFile()) return file
    await file.close()
    return null
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO') return null
    throw error
  }
}

/** All bytes of a regular file; null when there is none, or it holds more than `mostBytes`. */
export async function readKept(path: string, mostBytes: number): Promise<Buffer | null> {
  const file = await openKept(path)
  if (file === null) return null
  try {
    const { size } = await file.stat()
    if (size > mostBytes) return null
    const bytes = Buffer.allocUnsafe(size)
    let at = 0
    while (at < size) {
      const { bytesRead } = await file.read(bytes, at, size - at, at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return bytes.subarray(0, at)
  } finally {
    await file.close()
  }
}

/**
 * Writes a file under a temporary name (the path, a dot and random digits), makes it durable unless
 * told not to, and renames it. `fill` writes it. The rename is durable after `syncDirectory`.
 */
export async function replaceFile(
  path: string,
  fill: (file: FileHandle) => Promise<void>,
  { isDurable = true }: { readonly isDurable?: boolean } = {},
): Promise<void> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`
  try {
    await withFile(temporary, 'wx', async (file) => {
      await fill(file)
      if (isDurable) await synced(file)
    })
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
}

/** True for a name that `replaceFile` may have left behind. */
export function isTemporary(name: string): boolean {
  return /\.[0-9a-f]{16}$/.test(name)
}

export async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done)
    done += bytesWritten
  }
}

export function syncDirectory(path: string): Promise<void> {
  return withFile(path, 'r', synced)
}

export function syncParent(path: string): Promise<void> {
  return syncDirectory(dirname(path))
}

/** Some file systems have no fsync. */
export function synced(file: FileHandle): Promise<void> {
  return file.sync().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EINVAL') throw error
  })
}
