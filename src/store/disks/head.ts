/**
 * The head of a striped file (native/core/file/joined.h has the map behind its header):
 * magic (16) | id (16) | u64 size | u64 bytes of a unit | 1 where units have lost their bytes, u8.
 * Numbers are little-endian; the rest of the 64 bytes is zeros.
 */
import type { FileHandle as OpenedFile } from 'node:fs/promises'
import { MIB } from '../../base/limits.js'

export const headerBytes = 64
const magic = Buffer.from('fr-striped-file\n')
const idBytes = 16
const [sizeAt, unitAt, lostAt] = [32, 40, 48]
/** Bytes of a map, at most: larger files have larger units. */
const unitsMost = 1024 * 1024

export interface Head {
  /** 32 hexadecimal digits: in the names of the parts. */
  readonly id: string
  readonly size: number
  readonly unitBytes: number
  /** Units have lost what was in them, since this was looked at last. */
  readonly hasLost: boolean
  readonly map: Uint8Array
}

/** Bytes that stay together; files of no more are not striped. */
export function unitBytesFor(size: number): number {
  let bytes = MIB
  while (bytes * unitsMost < size) bytes *= 2
  return bytes
}

/** Of a new file: the header; no unit is anywhere. */
export function freshHead(id: string, size: number): Head {
  const unitBytes = unitBytesFor(size)
  const map = new Uint8Array(Math.ceil(size / unitBytes))
  return { id, size, unitBytes, hasLost: false, map }
}

/** Null: it is no head. Rejects where the file cannot be read. */
export async function readHead(file: OpenedFile): Promise<Head | null> {
  const header = await bytesAt(file, 0, headerBytes)
  if (header.length < headerBytes || !header.subarray(0, magic.length).equals(magic)) return null
  const id = header.subarray(magic.length, magic.length + idBytes).toString('hex')
  const size = Number(header.readBigUInt64LE(sizeAt))
  const unitBytes = Number(header.readBigUInt64LE(unitAt))
  // What is as short as a unit is no head, whatever somebody has written into it.
  if (!Number.isSafeInteger(size) || size <= unitBytes) return null
  if (unitBytes !== unitBytesFor(size) || (await file.stat()).size !== size) return null
  const map = await bytesAt(file, headerBytes, Math.ceil(size / unitBytes))
  return { id, size, unitBytes, hasLost: header[lostAt] === 1, map }
}

/** All of it, nothing lost. */
export async function writeHead(file: OpenedFile, { id, size, unitBytes, map }: Head) {
  const header = Buffer.alloc(headerBytes)
  magic.copy(header)
  Buffer.from(id, 'hex').copy(header, magic.length)
  header.writeBigUInt64LE(BigInt(size), sizeAt)
  header.writeBigUInt64LE(BigInt(unitBytes), unitAt)
  const bytes = Buffer.concat([header, map])
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, at)
    at += bytesWritten
  }
}

async function bytesAt(file: OpenedFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  let have = 0
  while (have < length) {
    const { bytesRead } = await file.read(bytes, have, length - have, offset + have)
    if (bytesRead === 0) break
    have += bytesRead
  }
  return bytes.subarray(0, have)
}
