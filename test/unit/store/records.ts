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

/** One run over the whole file. */
export function runsOf({ size, contentId }: HeldStream): DigestRun[] {
  const payload = createHash('sha512').update(contentId).digest()
  return [{ offset: 0, length: size, payload: new Uint8Array([...payload, ...payload]) }]
}

export function titleOf({ name }: HeldStream): string {
  return Buffer.from(name).toString('latin1')
}
