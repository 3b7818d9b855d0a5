/** The cache of what a user has pushed: right, or not there. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { SentFiles, type SentKey, type SentRecord } from '../../../src/store/sent.js'

const directory = mkdtempSync(join(tmpdir(), 'fr-sent-'))
afterAll(() => rmSync(directory, { recursive: true }))

let count = 0
let cache: string
let sent: SentFiles
beforeEach(() => {
  cache = join(directory, String(count++))
  mkdirSync(cache)
  sent = new SentFiles({ XDG_CACHE_HOME: cache })
})

const kept = () => join(cache, 'fastreplica/sent')
const startMs = 1_700_000_010_000

function keyOf(seconds = 1_700_000_000, size = 100_000): SentKey {
  const time = { seconds, nanos: 7 }
  return {
    device: '2049',
    identity: { size, mtime: time, ctime: time, inode: '12' },
    algorithm: 'xxh64',
  }
}

function recordOf(mark: number): SentRecord {
  return {
    contentId: String(mark).padStart(32, '0'),
    author: 'ab'.repeat(32),
    blockBytes: 65_536,
    fileDigest: `xxh64-blocks/65536:${mark}`,
    digests: new Uint8Array(16).fill(mark),
  }
}

/** The only file in the cache. */
function only(): string {
  const [name, ...rest] = readdirSync(kept()) as [string]
  expect(rest).toEqual([])
  return join(kept(), name)
}

describe('what was sent', () => {
  it('is found by the identity of its file alone, in another process too', async () => {
    const key = keyOf()
    await sent.keep(key, recordOf(1), startMs)
    const other = new SentFiles({ XDG_CACHE_HOME: cache })
    expect(await other.find(key)).toEqual(recordOf(1))
    const { identity } = key
    const later = { seconds: 1_700_000_001, nanos: 7 }
    const changed: SentKey[] = [
      { ...key, device: '2050' },
      { ...key, algorithm: 'blake3' },
      { ...key, identity: { ...identity, inode: '13' } },
      { ...key, identity: { ...identity, size: 100_001 } },
      { ...key, identity: { ...identity, mtime: later } },
      { ...key, identity: { ...identity, ctime: later } },
    ]
    for (const wrong of changed) expect(await sent.find(wrong)).toBeUndefined()
    expect(statSync(only()).mode & 0o777).toBe(0o600)
    expect(statSync(kept()).mode & 0o777).toBe(0o700)
    await sent.keep(key, recordOf(2), startMs)
    expect(await sent.find(key)).toEqual(recordOf(2))
    only()
  })

  it('is not kept of a file that may have changed again unseen', async () => {
    const key = keyOf()
    const { mtime } = key.identity
    const young = {
      ...key,
      identity: { ...key.identity, ctime: { seconds: 1_700_000_008, nanos: 1_000_000 } },
    }
    const ahead = {
      ...key,
      identity: { ...key.identity, mtime: { seconds: 1_800_000_000, nanos: 0 } },
    }
    for (const racy of [young, ahead]) {
      await sent.keep(racy, recordOf(1), startMs)
      expect(await sent.find(racy)).toBeUndefined()
    }
    await sent.keep(key, recordOf(1), mtime.seconds * 1000 + 1_999)
    expect(existsSync(kept())).toBe(false)
    await sent.keep(key, recordOf(1), mtime.seconds * 1000 + 2_001)
    expect(await sent.find(key)).toEqual(recordOf(1))
  })

  it('is whole or not there, whatever happened to it', async () => {
    const key = keyOf()
    await sent.keep(key, recordOf(1), startMs)
    const path = only()
    const whole = readFileSync(path)
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] as number) ^ 1
      writeFileSync(path, bytes)
      expect(await sent.find(key)).toBeUndefined()
      writeFileSync(path, whole)
      truncateSync(path, at)
      expect(await sent.find(key)).toBeUndefined()
    }
    rmSync(path)
    writeFileSync(join(cache, 'elsewhere'), whole)
    symlinkSync(join(cache, 'elsewhere'), path)
    expect(await sent.find(key)).toBeUndefined()
  })

  it('is bounded: what was not used for longest goes, and what others left half', async () => {
    mkdirSync(kept(), { recursive: true })
    const hour = 3_600
    const now = Date.now() / 1000
    for (let i = 0; i < limits.sentFiles; i++) {
      const path = join(kept(), i.toString(16).padStart(32, '0'))
      writeFileSync(path, '')
      utimesSync(path, now - hour - i, now - hour - i)
    }
    const half = join(kept(), `${'0'.repeat(32)}.0123456789abcdef`)
    writeFileSync(half, '')
    utimesSync(half, now - 2 * hour, now - 2 * hour)
    await sent.keep(keyOf(), recordOf(1), startMs)
    const names = readdirSync(kept())
    expect(names).toHaveLength(limits.sentFiles)
    expect(names).not.toContain((limits.sentFiles - 1).toString(16).padStart(32, '0'))
    expect(existsSync(half)).toBe(false)
    // It is used, so it outlives what was kept later.
    const path = join(kept(), names.find((name) => statSync(join(kept(), name)).size > 0) as string)
    utimesSync(path, 0, 0)
    expect(await sent.find(keyOf())).toEqual(recordOf(1))
    await sent.keep(keyOf(1_600_000_000), recordOf(2), startMs)
    expect(await sent.find(keyOf())).toEqual(recordOf(1))
  })

  it('is bounded in bytes', async () => {
    mkdirSync(kept(), { recursive: true })
    for (const [at, mark] of ['a', 'b', 'c'].entries()) {
      const path = join(kept(), mark.repeat(32))
      writeFileSync(path, '')
      truncateSync(path, limits.sentBytes / 2)
      utimesSync(path, 1_000 - at, 1_000 - at)
    }
    await sent.keep(keyOf(), recordOf(1), startMs)
    expect(readdirSync(kept())).toHaveLength(2)
    expect(await sent.find(keyOf())).toEqual(recordOf(1))
  })

  it('is written by many at once without harm', async () => {
    const key = keyOf()
    const all = Array.from({ length: 20 }, () => new SentFiles({ XDG_CACHE_HOME: cache }))
    await Promise.all(all.map((one, i) => one.keep(key, recordOf(i), startMs)))
    const found = await sent.find(key)
    expect(found).toEqual(recordOf(found?.digests[0] ?? -1))
    only()
  })

  it('is silently nothing where it cannot be kept', async () => {
    const places = [join(cache, 'file/below'), '/proc/nowhere', '/dev/null/x']
    writeFileSync(join(cache, 'file'), '')
    for (const place of places) {
      const nowhere = new SentFiles({ XDG_CACHE_HOME: place })
      await nowhere.keep(keyOf(), recordOf(1), startMs)
      expect(await nowhere.find(keyOf())).toBeUndefined()
    }
    await sent.keep(keyOf(), recordOf(1), startMs)
    const path = only()
    rmSync(path)
    mkdirSync(path)
    await sent.keep(keyOf(), recordOf(1), startMs)
    expect(await sent.find(keyOf())).toBeUndefined()
    chmodSync(kept(), 0o700)
    expect(readdirSync(kept())).toHaveLength(1)
  })

  it('of an empty file, too', async () => {
    const key = keyOf(1_700_000_000, 0)
    const record = { ...recordOf(1), digests: new Uint8Array() }
    await sent.keep(key, record, startMs)
    expect(await sent.find(key)).toEqual(record)
  })
})
