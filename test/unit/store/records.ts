/** Records and digest runs of files that nobody has. */
import { createHash } from 'node:crypto'
import type { DigestRun, HeldStream } from '../../../src/store/catalogue/record.js'

export function recordOf(name: string | Uint8Array, version = 0): HeldStream {
  const bytes = typeof name === 'string' ? Buffer.from(name) : name
  const mark = createHash('sha256').update(bytes).update(String(version)).digest('hex')
  const size = 100_000 + version
  const time = { seconds: 1_700_000_000 + version, nanos: 5 }
  return {
    name: new Uint8Array(bytes),
    contentId: mark.slice(0, 32),
    author: 'ab'.repeat(32),
    algorithm: 'blake3',
    blockBytes: 65_536,
    size,
    dataBytes: size,
    fileDigest: `blake3:${mark}`,
    mode: 0o644,
    mtime: time,
    publishedAtMs: 1_700_000_000_000 + version,
    verifiedAtMs: 1_700_000_000_001 + version,
    identity: { size, mtime: time, ctime: time, inode: '18446744073709551615' },
    via: 'push',
  }
}

/** Digests of these are kept in a file, of others in the index. */
export function isLong({ name, size }: HeldStream): boolean {
  return size % 2 === 1 || name[0] === 'x'.charCodeAt(0)
}

/** One run over the whole file. */
export function runsOf(record: HeldStream): DigestRun[] {
  const mark = createHash('sha512').update(record.contentId).digest()
  const payload = new Uint8Array(isLong(record) ? 3_000 : 97).map((_, at) => mark[at % 64] ?? 0)
  return [{ offset: 0, length: record.size, payload }]
}

export function titleOf({ name }: HeldStream): string {
  return Buffer.from(name).toString('latin1')
}
