/** Digests as both engines make them, against independent implementations. */
import { createHash } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { blake3 } from 'hash-wasm'
import { describe, expect, it } from 'vitest'
import xxhash from 'xxhash-wasm'
import { type BlockAlgorithm, blockAlgorithmFor } from '../../src/base/digests.js'
import { KIB, limits, MIB } from '../../src/base/limits.js'
import { WorkerHashPool } from '../../src/engine/hashing/pool.js'
import { engines } from './engines.js'
import { failsWith } from './store.js'
import { fileBytes, useWorld } from './world.js'

const { h64Raw } = await xxhash()

describe.each(engines)('$kind engine: digests', (under) => {
  const world = useWorld(under)

  it('hashes blocks at once, as xxhash-wasm and node:crypto do', async () => {
    const party = await world.party()
    const { engine } = party
    const bytes = fileBytes(300_001)
    const { file } = await world.origin(party, bytes)
    for (const [offset, length, block] of [
      [0, 1, 1],
      [0, 262_144, 65_536],
      [65_536, 200_000, 65_536],
      [262_144, 37_857, 65_536],
      [299_999, 2, 7],
    ] as const) {
      const parts: Buffer[] = []
      const hashes: Buffer[] = []
      for (let at = offset; at < offset + length; at += block) {
        const part = bytes.subarray(at, Math.min(at + block, offset + length))
        const digest = Buffer.alloc(8)
        digest.writeBigUInt64BE(h64Raw(part, 0n))
        parts.push(digest)
        hashes.push(createHash('sha256').update(part).digest())
      }
      const range = { offset, length }
      const xxh64 = Buffer.from(engine.hashNow(file, range, block, 'xxh64'))
      expect(xxh64.toString('hex')).toBe(Buffer.concat(parts).toString('hex'))
      // What was written a moment ago is in the page cache; only the native engine can tell.
      const cached = engine.hashCached(file, range, block, 'xxh64')
      if (engine.kind === 'portable') expect(cached).toBeUndefined()
      else expect(Buffer.from(cached ?? []).toString('hex')).toBe(xxh64.toString('hex'))
      const sha256 = Buffer.from(engine.hashNow(file, range, block, 'sha256'))
      expect(sha256.toString('hex')).toBe(Buffer.concat(hashes).toString('hex'))
    }
  })

  it('BLAKE3 values of blocks fold into the hash of the file', async () => {
    const party = await world.party()
    const { engine } = party
    const pool = new WorkerHashPool()
    const sizes = [
      ...[0, 1, 1023, 1024, 1025, 65_535, 65_536, 65_537, 66_560, 66_561],
      ...[131_072, 131_073, 200_000, 300_001, MIB, 3 * MIB + 5],
    ]
    for (const bytes of sizes) {
      const content = fileBytes(bytes)
      const { file } = await world.origin(party, content)
      for (const block of [64 * KIB, 256 * KIB, 2 * MIB]) {
        const algorithm = blockAlgorithmFor('blake3', bytes, block)
        const whole = { offset: 0, length: bytes }
        const values = await pool.hash(engine.hashSource(file), whole, block, algorithm)
        expect(values).toHaveLength(Math.ceil(bytes / block) * 32)
        const hash = Buffer.from(engine.blake3File(values)).toString('hex')
        expect(hash, `${bytes} bytes in blocks of ${block}`).toBe(await blake3(content))
        // At once and by itself a block has the same value.
        const last = Math.floor(Math.max(0, bytes - 1) / block)
        const range = { offset: last * block, length: Math.min(block, bytes - last * block) }
        if (range.length > limits.hashInlineBytes) continue
        const value = engine.hashNow(file, range, block, algorithm)
        expect([...value]).toEqual([...values.subarray(last * 32)])
      }
    }
    await pool.close()
  })

  it('holes have the digests of zeros, and are told where they can be', async () => {
    const { engine } = await world.party()
    const path = join(world.root, 'holes')
    const size = 5 * MIB + 77
    const fd = openSync(path, 'w')
    ftruncateSync(fd, size)
    writeSync(fd, Buffer.from('data'), 0, 4, 3 * MIB + 5)
    closeSync(fd)
    const source = await engine.storage.openSource(path)
    expect(source.dataBytes).toBeGreaterThanOrEqual(4)
    expect(source.dataBytes).toBeLessThan(MIB)
    const full = Buffer.alloc(size)
    full.write('data', 3 * MIB + 5)
    writeFileSync(`${path}.full`, full)
    const other = await engine.storage.openSource(`${path}.full`)
    expect(other.dataBytes).toBe(size)
    for (const algorithm of ['blake3', 'xxh64', 'sha256'] as const) {
      const block = 65_536
      for (let offset = 0; offset < size; offset += MIB) {
        const range = { offset, length: Math.min(MIB, size - offset) }
        const expected = engine.hashNow(other.file, range, block, algorithm)
        expect(engine.hashNow(source.file, range, block, algorithm)).toEqual(expected)
        const holes = engine.hashHoles(source.file, range, block, algorithm)
        if (engine.kind === 'portable' || offset === 3 * MIB) expect(holes).toBeUndefined()
        else expect(Buffer.from(holes ?? [])).toEqual(Buffer.from(expected))
        expect(engine.hashHoles(other.file, range, block, algorithm)).toBeUndefined()
      }
    }
    // Beyond the end there is nothing, not even a hole.
    const beyond = { offset: 5 * MIB, length: 65_536 }
    expect(engine.hashHoles(source.file, beyond, 65_536, 'xxh64')).toBeUndefined()
  })

  it('refuses ranges too large for this thread or beyond the file', async () => {
    const party = await world.party()
    const { engine } = party
    const { file } = await world.origin(party, fileBytes(300_000))
    const hash = (offset: number, length: number, block = 65_536, algorithm = 'xxh64') =>
      engine.hashNow(file, { offset, length }, block, algorithm as BlockAlgorithm)
    for (const call of [
      () => hash(0, limits.hashInlineBytes + 1),
      () => hash(-1, 1),
      () => hash(0, -1),
      () => hash(0, 1, 0),
      () => hash(0, 1, 65_536, 'md5'),
      () => hash(0, 1, 512, 'blake3'),
      () => hash(0, 1, 3 * 1024, 'blake3'),
      () => hash(65_536, 1, 131_072, 'blake3'),
      () => hash(65_536, 1, 65_536, 'blake3-file'),
      () => hash(0, 65_537, 65_536, 'blake3-file'),
    ]) {
      expect(call, String(call)).toThrow(TypeError)
    }
    expect(hash(0, 0)).toHaveLength(0)
    expect(() => hash(262_144, 65_536)).toThrow(failsWith('ERR_FR_SOURCE_CHANGED'))
  })

  it('names what a hash worker needs, and hashes small buffers', async () => {
    const party = await world.party()
    const { engine } = party
    const { file } = await world.origin(party, fileBytes(1))
    const source = engine.hashSource(file)
    expect(source.kind).toBe(under.kind === 'portable' ? 'fd' : 'native')
    expect(structuredClone(source)).toEqual(source)
    expect(engine.xxh64(new Uint8Array(0))).toBe(0xef46db3751d8e999n)
    const bytes = fileBytes(1000)
    expect(engine.xxh64(bytes)).toBe(h64Raw(bytes, 0n))
  })
})
