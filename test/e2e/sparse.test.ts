/** Sparse sources: space, hashing and figures follow the data, and copies keep the holes. */
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestFile, push } from '../../src/api/index.js'
import { GIB, KIB, MIB } from '../../src/base/limits.js'
import { type EngineKind, useWorld, type World } from './push-support.js'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0

const pieces = 64
const pieceBytes = 64 * KIB

/** Pieces of 64 KiB, spread over a file of this size. */
function sparseFile(world: World, name: string, bytes: number): string {
  const path = join(world.dir, name)
  const fd = openSync(path, 'w')
  ftruncateSync(fd, bytes)
  for (const { offset, piece } of piecesOf(bytes)) writeSync(fd, piece, 0, piece.length, offset)
  closeSync(fd)
  return path
}

function* piecesOf(bytes: number): Generator<{ offset: number; piece: Buffer }> {
  for (let i = 0; i < pieces; i++) {
    const offset = Math.floor((bytes / pieces) * i + (i % 3) * 4096)
    yield { offset, piece: Buffer.alloc(pieceBytes, i + 1) }
  }
}

function holdsPieces(path: string, bytes: number): boolean {
  const fd = openSync(path, 'r')
  try {
    for (const { offset, piece } of piecesOf(bytes)) {
      const read = Buffer.alloc(piece.length)
      readSync(fd, read, 0, read.length, offset)
      if (!read.equals(piece)) return false
    }
    return statSync(path).size === bytes
  } finally {
    closeSync(fd)
  }
}

describe.runIf(isRoot).each<[EngineKind, number]>([
  // The portable engine reads every zero, so it gets fewer of them.
  ['portable', 64 * MIB],
  ['native', GIB + 5],
])('a sparse source on the %s engine', (engine, bytes) => {
  const world = useWorld(engine)

  /** A node whose disk has room for the data but not for the holes. */
  async function smallNode() {
    const dataDir = world.dataDir()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', dataDir])
    world.defer(() => execFileSync('umount', ['-l', dataDir]))
    const { address } = await world.node({ dataDir })
    return { address, dataDir }
  }

  it.each([
    ['adaptive', 'xxh64'],
    ['adaptive', 'blake3'],
    ['classic', 'xxh64'],
  ] as const)('fits where its data fit: %s, %s', async (strategy, digest) => {
    const path = sparseFile(world, 'disk.img', bytes)
    const nodes = [await smallNode(), await smallNode(), await smallNode()]
    const to = nodes.map((node) => node.address)
    const result = await push(path, { to, engine, strategy, digest, shape: 'group' }).result
    expect(result.nodes.map((node) => node.reason)).toEqual([null, null, null])
    expect(result.bytes).toBe(bytes)
    // File systems allocate whole blocks.
    expect(result.dataBytes).toBeGreaterThanOrEqual(pieces * pieceBytes)
    expect(result.dataBytes).toBeLessThan(2 * pieces * pieceBytes)
    // At most one copy of the data to each node: no zero travels.
    expect(result.originBytesSent).toBeLessThan(3 * result.dataBytes + MIB)
    for (const node of nodes) {
      const copy = join(node.dataDir, 'disk.img')
      expect(holdsPieces(copy, bytes)).toBe(true)
      expect(statSync(copy).blocks * 512).toBeLessThan(16 * MIB)
    }
    expect(await digestFile(path, { digest })).toBe(result.digest)
  })

  it('has a plan by its data', async () => {
    const path = sparseFile(world, 'disk.img', bytes)
    const uplinkBytesPerSecond = 10 * MIB
    const to = ['127.0.0.1:7001', '127.0.0.1:7002']
    const transfer = push(path, { to, engine, dryRun: true, uplinkBytesPerSecond })
    const result = await transfer.result
    expect(result.boundSeconds).toBeCloseTo(result.dataBytes / uplinkBytesPerSecond)
  })
})
