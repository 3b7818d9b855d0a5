/** Where blocks are hashed: on the spot, in pieces, or in the pool; and as what. */
import { describe, expect, it } from 'vitest'
import { digestBytesOf } from '../../../src/base/digests.js'
import { KIB, limits, MIB } from '../../../src/base/limits.js'
import type { ByteRange, DataEngine, HashPool } from '../../../src/ports.js'
import { HashBudget } from '../../../src/session/hash-budget.js'
import { Hasher, type HashGeometry } from '../../../src/session/hasher.js'

const large: HashGeometry = { fileBytes: 1_000 * MIB, blockBytes: 64 * KIB, algorithm: 'blake3' }

/** What is called, as `METHOD ALGORITHM MIB`, when these ranges are hashed one after the other. */
async function callsOf(
  geometry: HashGeometry,
  ranges: readonly ByteRange[],
  kind: DataEngine['kind'] = 'native',
): Promise<string[]> {
  const calls: string[] = []
  const hash =
    (name: string, isThere = true) =>
    (_: unknown, { length }: ByteRange, block: number, algorithm: never) => {
      calls.push(`${name} ${algorithm} ${length / MIB}`)
      if (!isThere) return undefined
      return new Uint8Array(Math.ceil(length / block) * digestBytesOf(algorithm))
    }
  const engine = {
    kind,
    hashNow: hash('now'),
    hashCached: hash('cached', false),
    hashHoles: hash('holes'),
    hashSource: () => ({}),
  } as unknown as DataEngine
  const pool = { hash: hash('pool') } as unknown as HashPool
  const hasher = new Hasher(engine, pool, geometry)
  for (const range of ranges) {
    const blocks = Math.ceil(range.length / Number(geometry.blockBytes))
    await new Promise<void>((resolve, reject) => {
      void hasher.hash(
        1 as never,
        range,
        (digests) => {
          expect(digests).toHaveLength(blocks * digestBytesOf(geometry.algorithm))
          resolve()
        },
        reject,
      )
    })
  }
  return calls
}

const task = (index: number): ByteRange => ({ offset: index * 8 * MIB, length: 8 * MIB })

describe('a hasher', () => {
  it('hashes the only block of a file as the file', async () => {
    for (const fileBytes of [1, 64 * KIB]) {
      const range = { offset: 0, length: fileBytes }
      const [call] = await callsOf({ ...large, fileBytes }, [range])
      expect(call).toMatch(/^now blake3-file /)
      const [other] = await callsOf({ ...large, fileBytes, algorithm: 'sha256' }, [range])
      expect(other).toMatch(/^now sha256 /)
    }
    const range = { offset: 0, length: 64 * KIB }
    expect(await callsOf({ ...large, fileBytes: 64 * KIB + 1 }, [range])).toEqual([
      'now blake3 0.0625',
    ])
  })

  it('asks for the digests of holes where they are the same everywhere', async () => {
    const sparse = { ...large, isSparse: true }
    for (const algorithm of ['xxh64', 'sha256'] as const)
      expect(await callsOf({ ...sparse, algorithm }, [task(0)])).toEqual([`holes ${algorithm} 8`])
    expect(await callsOf(sparse, [task(0)])).toEqual(['cached blake3 1', 'pool blake3 8'])
  })

  it('hashes what has just landed in pieces, and in the pool where blocks are large', async () => {
    const landed = { ...large, hasJustLanded: true }
    for (const algorithm of ['xxh64', 'blake3', 'sha256'] as const) {
      expect(await callsOf({ ...landed, algorithm }, [task(0)])).toEqual(
        new Array(8).fill(`now ${algorithm} 1`),
      )
      const blocks = { ...landed, algorithm, blockBytes: 2 * MIB }
      expect(await callsOf(blocks, [task(0)])).toEqual([`pool ${algorithm} 8`])
    }
    expect(await callsOf(landed, [task(0)], 'portable')).toEqual(['pool blake3 8'])
  })
})

describe('a budget of hashing', () => {
  it.each([
    ['native', 'xxh64', 64],
    ['native', 'blake3', 32],
    ['native', 'sha256', 9],
    ['portable', 'blake3', 3],
  ] as const)('lets the %s engine hash %s in bursts of %i MiB', (engine, algorithm, burst) => {
    const budget = new HashBudget(engine, algorithm)
    const taken = (nowMs: number): number => {
      let count = 0
      while (budget.take(MIB, nowMs)) count += 1
      return count
    }
    expect(taken(0)).toBe(burst)
    expect(taken(0)).toBe(0)
    expect(taken(100_000)).toBe(burst)
    expect(budget.take(limits.hashTaskBytes, 100_000)).toBe(false)
  })
})
