/**
 * One node per data directory, without flock, which Node does not offer.
 *
 * The lock is a file that names its holder: host, boot, process id and the time that process
 * started. It is made under another name and linked into place, so it is never seen half written.
 * A lock whose holder is provably gone (the host has booted since, no such process, or the id
 * belongs to a later process) is taken over by one taker at a time. A process killed in the middle
 * of a take-over leaves a directory that has to be unlocked by hand; the error names the file.
 * A lock from another host cannot be judged and counts as held.
 *
 * The two engines exclude each other: each takes its own lock and then looks for the other's. Of
 * two that start at once both may be refused, never both let in. The native engine's flock is seen
 * in /proc/locks: not from another PID namespace, and not on file systems whose files do not show
 * their device's number (btrfs).
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, unlinkSync } from 'node:fs'
import { link, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { FrError } from '../base/errors.js'
import { systemCode } from './checks.js'

const attempts = 5

/** In the hidden directory. The native engine puts its flock on `native`. */
export const lockNames = { native: 'lock', portable: 'lock-portable' } as const

/** Field 22 of /proc/PID/stat; empty where the system does not tell. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the command in parentheses and may hold anything, spaces too.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return ''
  }
}

/** Of this process, as `isStaleLock` reads it; two are never equal. */
export function ownRecord(): string {
  // The last part tells two locks of one process apart: only the holder may remove its file.
  const parts = [hostname(), bootId(), process.pid, startTime(process.pid)]
  return `${JSON.stringify([...parts, randomBytes(8).toString('hex')])}\n`
}

/** True when the record names a holder that cannot be running any more. */
export function isStaleLock(record: string): boolean {
  let fields: unknown
  try {
    fields = JSON.parse(record)
  } catch {
    return false
  }
  if (!Array.isArray(fields) || fields.length !== 5) return false
  const [host, boot, pid, start] = fields as unknown[]
  if (host !== hostname() || !Number.isSafeInteger(pid) || (pid as number) < 1) return false
  if (boot !== bootId()) return true
  try {
    process.kill(pid as number, 0)
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return true
  }
  const now = startTime(pid as number)
  return now !== '' && now !== start
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Puts the lock under `temporary` in the place of a stale one. One taker at a time holds the name
 * `takeover`; it looks again before it replaces the lock, which is there at every moment.
 * False: somebody else is about to do the same.
 */
async function replaceStale(
  path: string,
  takeover: string,
  record: string,
  temporary: string,
): Promise<boolean> {
  if (!(await tryLink(temporary, takeover))) return false
  if ((await readIfThere(path)) === record) await rename(takeover, path)
  else await unlink(takeover)
  return true
}

/**
 * Takes the lock at `path` and resolves to the function that gives it back (idempotent,
 * synchronous). Rejects with ERR_FR_DATA_DIR_LOCKED, or with what the system said.
 */
export async function acquireLock(path: string): Promise<() => void> {
  const own = ownRecord()
  const temporary = `${path}.${randomBytes(8).toString('hex')}`
  const takeover = `${path}.takeover`
  let blocking = path
  await writeFile(temporary, own, { mode: 0o600, flag: 'wx' })
  try {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (await tryLink(temporary, path)) return () => releaseLock(path, own)
      const record = await readIfThere(path)
      if (record === undefined) continue
      if (record === own) return () => releaseLock(path, own)
      if (!isStaleLock(record)) break
      if (await replaceStale(path, takeover, record, temporary)) continue
      blocking = takeover
      break
    }
  } finally {
    await unlink(temporary)
  }
  throw locked(blocking, removable(blocking))
}

function removable(path: string): string {
  return ` (if it does not, remove ${path})`
}

function locked(path: string, hint = ''): FrError {
  const text = `another node serves this data directory${hint}`
  return new FrError('ERR_FR_DATA_DIR_LOCKED', text, { path })
}

/** For who holds another lock of the directory: rejects while the one at `path` may be held. */
export async function refuseLocked(path: string): Promise<void> {
  const record = await readIfThere(path)
  if (record !== undefined && !isStaleLock(record)) throw locked(path, removable(path))
}

/** Rejects while a process that is seen from here holds a flock on the file at `path`. */
export async function refuseFlocked(path: string): Promise<void> {
  const locks = await readFile('/proc/locks', 'latin1').catch(() => '')
  const file = await stat(path, { bigint: true }).catch(() => null)
  if (file === null) return
  const major = ((file.dev >> 8n) & 0xfffn) | ((file.dev >> 32n) & 0xfffff000n)
  const minor = (file.dev & 0xffn) | ((file.dev >> 12n) & 0xffffff00n)
  const [first, second] = [major, minor].map((part) => part.toString(16).padStart(2, '0'))
  const id = `${first}:${second}:${file.ino}`
  // 1: FLOCK  ADVISORY  WRITE 14408 fe:00:2146516 0 EOF
  const isHeld = locks.split('\n').some((line) => {
    const fields = line.split(/ +/)
    return fields[1] === 'FLOCK' && fields[5] === id
  })
  if (isHeld) throw locked(path)
}

/** One that cannot be removed, as the disk is gone or read-only, is stale once the process ends. */
function releaseLock(path: string, own: string): void {
  try {
    if (readFileSync(path, 'utf8') === own) unlinkSync(path)
  } catch (error) {
    if (systemCode(error) === '') throw error
  }
}
