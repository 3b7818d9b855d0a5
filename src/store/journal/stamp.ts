/**
 * When a partial is known to be the file that a journal told of, and its disk to have what was
 * written.
 *
 * The idea: a stamp tells the boot of the kernel, the attachment of the disk and the inode, and the
 * size and the times of the file, which every write moves. Equal stamps: what was in the file then
 * is in it now. A writer that was killed had written on after its last batch, to other blocks, for
 * less than the time between two batches. Whatever else happened, a reader has to look.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, readFile } from 'node:fs/promises'
import { limits } from '../../base/limits.js'
import type { FileIdentity, FileTime } from '../../ports.js'
import { type BatchMark, stampBytes } from './codec.js'

/** What the file of a journal tells of the system, 16 bytes of boot id before it. */
export type Place = Buffer

const bootIdBytes = 16
const hashBytes = 16

/** `file` is on the file system of the partial. */
export async function placeOf(file: FileHandle, ofBoot = bootId()): Promise<Place> {
  return Buffer.concat([await ofBoot, Buffer.from(await attachmentOf(file))])
}

/**
 * Hash of the place and the inode (16) | u64 size | i64 nanoseconds of mtime | those of ctime.
 * Null: the system does not tell its boots apart.
 */
export function stampOf(place: Place, identity: FileIdentity): Buffer | null {
  if (place.subarray(0, bootIdBytes).every((byte) => byte === 0)) return null
  const { size, inode, mtime, ctime } = identity
  const stamp = Buffer.alloc(stampBytes)
  createHash('sha256').update(place).update(inode).digest().copy(stamp, 0, 0, hashBytes)
  stamp.writeBigUInt64LE(BigInt(size), hashBytes)
  stamp.writeBigInt64LE(nanosOf(mtime), hashBytes + 8)
  stamp.writeBigInt64LE(nanosOf(ctime), hashBytes + 16)
  return stamp
}

function nanosOf({ seconds, nanos }: FileTime): bigint {
  return BigInt.asIntN(64, BigInt(seconds) * 1_000_000_000n + BigInt(nanos))
}

/**
 * The file with the stamp `now` has what it had at this last batch. A change by somebody else is
 * told from what the killed writer still wrote by its time alone.
 */
export function hasSame({ isLeft, nanos, stamp }: BatchMark, now: Buffer | null): boolean {
  if (now === null) return false
  if (now.equals(stamp)) return true
  const then = Buffer.from(stamp)
  if (isLeft || !now.subarray(0, hashBytes).equals(then.subarray(0, hashBytes))) return false
  const last = nanos + BigInt(limits.journalOwnMs) * 1_000_000n
  const isOwn = [hashBytes + 8, hashBytes + 16].every((at) => {
    const time = now.readBigInt64LE(at)
    return time >= then.readBigInt64LE(at) && time <= last
  })
  return isOwn && now.readBigUInt64LE(hashBytes) >= then.readBigUInt64LE(hashBytes)
}

let boot: Promise<Uint8Array> | undefined

/** Changes with every start of the kernel; zeros where the system does not tell. */
function bootId(): Promise<Uint8Array> {
  boot ??= readBootId()
  return boot
}

async function readBootId(): Promise<Uint8Array> {
  const digits = (await textOf('/proc/sys/kernel/random/boot_id')).replaceAll('-', '')
  return Buffer.from(/^[0-9a-f]{32}$/.test(digits) ? digits : '0'.repeat(2 * bootIdBytes), 'hex')
}

/**
 * The device, and its number among all that the kernel ever attached, which a disk that was pulled
 * out and came back has lost. Where no disk tells one, the mount.
 */
async function attachmentOf(file: FileHandle): Promise<string> {
  const { dev } = await file.stat({ bigint: true })
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n)
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n)
  const device = `/sys/dev/block/${major}:${minor}`
  // A partition has its disk above it.
  const number = (await textOf(`${device}/diskseq`)) || (await textOf(`${device}/../diskseq`))
  if (number !== '') return `${dev} disk ${number}`
  const mount = /^mnt_id:\s*(\d+)$/m.exec(await textOf(`/proc/self/fdinfo/${file.fd}`))
  return `${dev} mount ${mount?.[1] ?? ''}`
}

/** Empty where there is no such file. */
async function textOf(path: string): Promise<string> {
  return (await readFile(path, 'latin1').catch(() => '')).trim()
}
