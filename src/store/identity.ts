/**
 * Identity of a node or a client: an Ed25519 key in a file that only its owner can read.
 *
 * A disk image or a directory may be copied. So the file of a node records the machine and the
 * inode of the data directory that its key was made for. Anywhere else a new key replaces it, and a
 * copy becomes another node. Device numbers are not recorded, because they change with a reboot or
 * a bind mount. The key of a user's clients is bound to nothing, because a home directory may be
 * served to many machines.
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { constants } from 'node:fs'
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readFile,
  rename,
  stat,
  unlink,
} from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { hiddenDir } from '../base/names.js'

export interface NodeKey {
  readonly key: KeyObject
  /** True after the data directory moved to another machine, was copied, or had a damaged key. */
  readonly isNew: boolean
}

/**
 * Key of the node that serves this directory, which must be locked and have its `.fastreplica`.
 * Rejects with ERR_FR_DATA_DIR when the key can be neither read nor stored, and with ERR_FR_KEY
 * when every user can read it.
 */
export async function nodeKey(
  dataDir: string,
  machine: () => Promise<string> = machineId,
): Promise<NodeKey> {
  const path = join(dataDir, hiddenDir, 'node-key')
  try {
    return await keptKey(path, await placeOf(dataDir, machine), false)
  } catch (cause) {
    if (cause instanceof FrError) throw cause
    const text = `the key of the node cannot be kept: ${(cause as Error).message}`
    throw new FrError('ERR_FR_DATA_DIR', text, { cause, path })
  }
}

/** Key that `nodeKey` has stored, or one of this process only: nothing is written. */
export async function storedNodeKey(dataDir: string, machine = machineId): Promise<NodeKey> {
  const text = await readText(join(dataDir, hiddenDir, 'node-key')).catch(() => null)
  const kept = text === null ? null : keyIn(text, await placeOf(dataDir, machine))
  return { key: kept ?? freshKey(), isNew: false }
}

/** Key of the node that served this directory last; null: none did here. */
export async function keyOfNode(dataDir: string, machine = machineId): Promise<KeyObject | null> {
  const text = await readText(join(dataDir, hiddenDir, 'node-key'))
  return text === null ? null : keyIn(text, await placeOf(dataDir, machine))
}

async function placeOf(dataDir: string, machine: () => Promise<string>): Promise<string> {
  const { ino } = await stat(dataDir, { bigint: true })
  return createHash('sha256')
    .update(`${await machine()} ${ino}`)
    .digest('hex')
}

/**
 * Key of this user's clients; of this process only where no file can keep it. Rejects with
 * ERR_FR_KEY alone, where the file that keeps it is everybody's.
 */
export async function clientKey(environment = process.env): Promise<KeyObject> {
  try {
    return await keptClientKey(environment)
  } catch (error) {
    if (error instanceof FrError) throw error
    ownKey ??= freshKey()
    return ownKey
  }
}

/** Of this process, where no file can keep it. */
let ownKey: KeyObject | undefined

/** The same, and rejects where no file can keep it. */
export async function keptClientKey(environment = process.env): Promise<KeyObject> {
  const named = environment['XDG_CONFIG_HOME'] ?? ''
  const home = isAbsolute(named) ? named : join(homedir(), '.config')
  const directory = join(home, 'fastreplica')
  for (const path of [home, directory])
    await mkdir(path, 0o700).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  return (await keptKey(join(directory, 'client-key'), 'any', true)).key
}

/** Id of the operating system's installation; empty where there is none. */
export async function machineId(): Promise<string> {
  for (const path of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
    const text = (await readFile(path, 'latin1').catch(() => '')).trim()
    if (/^[0-9a-f]{32}$/.test(text)) return text
  }
  return ''
}

function freshKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey
}

/**
 * Returns the key in the file if it was made for this place, otherwise stores a new one. Several
 * processes may do this at once for a file that `isShared`; they all get the first key.
 */
async function keptKey(path: string, place: string, isShared: boolean): Promise<NodeKey> {
  for (;;) {
    const text = await readText(path)
    const kept = text === null ? null : keyIn(text, place)
    if (kept !== null) return { key: kept, isNew: false }
    const key = freshKey()
    const mustBeFirst = isShared && text === null
    if (await put(path, textOf(key, place), mustBeFirst)) return { key, isNew: text !== null }
  }
}

/** A PEM parser skips the line before it. */
function textOf(key: KeyObject, place: string): string {
  return `made for ${place}\n${key.export({ format: 'pem', type: 'pkcs8' })}`
}

/** Returns null for text that was made for another place or holds no key. */
function keyIn(text: string, place: string): KeyObject | null {
  if (!text.startsWith(`made for ${place}\n`)) return null
  try {
    const key = createPrivateKey(text)
    return key.asymmetricKeyType === 'ed25519' ? key : null
  } catch {
    return null
  }
}

/** Whoever reads a key is whoever it names. Its group may: volumes are mounted so for a process. */
function requirePrivate(path: string, mode: number): void {
  if (process.platform === 'win32' || (mode & 0o007) === 0) return
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  const text = `${path} has mode ${shown}: every user can read or change this key`
  const advice = `chmod 600 it, or remove it for a new key if somebody may have read it`
  throw new FrError('ERR_FR_KEY', `${text}; ${advice}`, { path })
}

/** Null when there is no such file; empty when it is no key file. */
async function readText(path: string): Promise<string | null> {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
  try {
    return await withFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, async (file) => {
      const found = await file.stat()
      if (!found.isFile()) return ''
      requirePrivate(path, found.mode)
      const buffer = Buffer.alloc(limits.identityFileBytes)
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
      return buffer.toString('latin1', 0, bytesRead)
    })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    if (code === 'ELOOP') return ''
    throw error
  }
}

/** Writes all or nothing. False: `mustBeFirst`, and another process was first. */
async function put(path: string, text: string, mustBeFirst: boolean): Promise<boolean> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`
  try {
    await withFile(temporary, 'wx', async (file) => {
      await file.writeFile(text)
      await synced(file)
    })
    if (mustBeFirst) await link(temporary, path)
    else await rename(temporary, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await unlink(temporary).catch(() => {})
  }
  await withFile(dirname(path), 'r', synced)
  return true
}

async function withFile<T>(
  path: string,
  flags: string | number,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags, 0o600)
  return use(file).finally(() => file.close())
}

/** Some file systems have no fsync. */
function synced(file: FileHandle): Promise<void> {
  return file.sync().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EINVAL') throw error
  })
}
