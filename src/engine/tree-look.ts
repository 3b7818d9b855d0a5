/** What both engines make of a look at an entry of a tree. */
import type { BigIntStats } from 'node:fs'
import { i64At, u64At } from '../base/bytes.js'
import type { FrError } from '../base/errors.js'
import type { FileRead, Looked, LookedKind, TreeIdentity } from '../ports/tree-files.js'
import type { FileTime } from '../ports.js'
import { failureWords, systemFailure } from './system-error.js'

const identityBytes = 48
const billion = 1_000_000_000n

/** As ports/tree-files.ts lays it out. */
export function identityOf(stats: BigIntStats): TreeIdentity {
  const bytes = Buffer.alloc(identityBytes)
  const [mtime, ctime] = [timeOf(stats.mtimeNs), timeOf(stats.ctimeNs)]
  bytes.writeBigUInt64LE(BigInt.asUintN(64, stats.dev), 0)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, stats.ino), 8)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, stats.size), 16)
  bytes.writeBigInt64LE(BigInt(mtime.seconds), 24)
  bytes.writeBigInt64LE(BigInt(ctime.seconds), 32)
  bytes.writeUInt32LE(mtime.nanos, 40)
  bytes.writeUInt32LE(ctime.nanos, 44)
  return bytes
}

function timeOf(nanoseconds: bigint): FileTime {
  const nanos = ((nanoseconds % billion) + billion) % billion
  return { seconds: Number((nanoseconds - nanos) / billion), nanos: Number(nanos) }
}

/** Size and times, from an identity. */
export function timesOf(identity: TreeIdentity): Pick<Looked, 'size' | 'mtime' | 'ctime'> {
  return {
    size: u64At(identity, 16),
    mtime: { seconds: i64At(identity, 24), nanos: identity.readUInt32LE(40) },
    ctime: { seconds: i64At(identity, 32), nanos: identity.readUInt32LE(44) },
  }
}

export function kindOf(stats: BigIntStats): LookedKind {
  if (stats.isDirectory()) return 'directory'
  if (stats.isFile()) return 'file'
  return stats.isSymbolicLink() ? 'symlink' : 'other'
}

/** ERR_FR_SOURCE for a failure of node:fs. */
export function asSourceError(error: unknown, path: Buffer): FrError {
  const { errno = 0, syscall } = error as NodeJS.ErrnoException
  const failed = { what: syscall, path: path.toString(), errno: Math.abs(errno) }
  return systemFailure('ERR_FR_SOURCE', failed, error)
}

/** Why a file of a tree was not read. `errno` 0: the system did not fail. */
export function outcomeOf(isChanged: boolean, errno: number, path: Buffer): FileRead {
  if (!isChanged) {
    const { code, message } = systemFailure('ERR_FR_SOURCE', {
      what: 'open',
      path: path.toString(),
      errno,
    })
    return { code, text: message }
  }
  const words = failureWords({ what: 'changed while it was read', path: path.toString(), errno })
  return { code: 'ERR_FR_SOURCE_CHANGED', text: words }
}
