/**
 * When a partial is known to be the file that a journal told of, and its disk to have what was
 * written.
 *
 * The idea: a stamp stands for all that must not have changed since: the boot of the kernel, the
 * attachment of the disk, and the identity of the file, which every write moves. Equal stamps: what
 * was in the file then is in it now. Whatever else happened, a reader has to look.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, readFile } from 'node:fs/promises'
import type { FileIdentity } from '../../ports.js'
import { stampBytes } from './codec.js'

/** What the file of a journal tells of the system, 16 bytes of boot id before it. */
export type Place = Buffer

const bootIdBytes = 16

/** `file` is on the file system of the partial. */
export async function placeOf(file: FileHandle, boot = bootId()): Promise<Place> {
  return Buffer.concat([await boot, Buffer.from(await attachmentOf(file))])
}

/** Null: the system does not tell its boots apart. */
export function stampOf(place: Place, identity: FileIdentity): Buffer | null {
  if (place.subarray(0, bootIdBytes).every((byte) => byte === 0)) return null
  const { size, inode, mtime, ctime } = identity
  const times = [mtime.seconds, mtime.nanos, ctime.seconds, ctime.nanos]
  const text = JSON.stringify([size, inode, ...times])
  return createHash('sha256').update(place).update(text).digest().subarray(0, stampBytes)
}

/** Changes with every start of the kernel; zeros where the system does not tell. */
async function bootId(): Promise<Uint8Array> {
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
