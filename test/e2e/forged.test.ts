/**
 * Somebody on the way, or a member that passes them on, puts other bytes into a file, with a digest
 * that is the same under XXH64: anybody can compute them. What lets them through, what does not.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../bench/programs.mjs'
import { type PushOptions, push } from '../../src/api/index.js'
import { limits } from '../../src/base/limits.js'
import { proxy } from './proxy.js'
import { useWorld } from './push-support.js'

const word = (1n << 64n) - 1n
const [p1, p2] = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn]

/** By Newton's way: each step doubles the bits that are right. */
function inverse(odd: bigint): bigint {
  let found = odd
  for (let bits = 3; bits < 64; bits *= 2) found = (found * (2n - odd * found)) & word
  return found
}

/** A step of XXH64: an accumulator takes 8 bytes. */
function round(into: bigint, bytes: bigint): bigint {
  const sum = (into + bytes * p2) & word
  return (((sum << 31n) | (sum >> 33n)) * p1) & word
}

/**
 * 64 other bytes that leave XXH64 as these do at the beginning of a block: the first 8 are changed,
 * and what their accumulator takes next makes up for it.
 */
function forgedOf(start: Buffer): Buffer {
  const forged = Buffer.from(start)
  forged.write('FORGED!!', 0, 'latin1')
  const first = (p1 + p2) & word
  const [right, wrong] = [start, forged].map((one) => round(first, one.readBigUInt64LE(0)))
  const gap = ((right as bigint) - (wrong as bigint)) * inverse(p2)
  forged.writeBigUInt64LE((start.readBigUInt64LE(32) + gap) & word, 32)
  return forged
}

const blocks = 64

/** A door to the address that forges blocks of the content in what it passes on. */
async function forger(address: string, content: Buffer) {
  const starts = Array.from({ length: blocks }, (_, at) => {
    return content.subarray(at * limits.blockBytesMin, at * limits.blockBytesMin + 64)
  })
  let forged = 0
  const through = await proxy(address, (from, to) => {
    from.on('data', (chunk: Buffer) => {
      for (const start of starts) {
        const at = chunk.indexOf(start)
        if (at < 0) continue
        forgedOf(start).copy(chunk, at)
        forged++
      }
      to.write(chunk)
    })
    from.on('end', () => to.end())
  })
  return { ...through, forged: () => forged }
}

describe('bytes forged on their way under XXH64', () => {
  const world = useWorld('native')

  async function pushed(options: Partial<PushOptions>) {
    const node = await world.node()
    const { path, content } = world.file('data.bin', blocks * limits.blockBytesMin)
    const through = await forger(node.address, content)
    world.defer(through.close)
    const to = [through.address]
    const result = await push(path, { to, engine: 'native', retries: 0, ...options }).result
    const isComplete = result.nodes[0]?.status === 'complete'
    const held = isComplete ? readFileSync(join(node.dataDir, 'data.bin')) : content
    const forged = through.forged()
    return { forged, isComplete, isRight: held.equals(content), repaired: result.nodes[0] }
  }

  it('are not seen by that digest, as SECURITY.md says of it', async () => {
    const { forged, isComplete, isRight } = await pushed({ digest: 'xxh64' })
    expect(forged).toBeGreaterThan(0)
    expect([isComplete, isRight]).toEqual([true, false])
  })

  it.each(['blake3', 'sha256'] as const)('are never published under %s', async (digest) => {
    const { forged, isRight } = await pushed({ digest })
    expect(forged).toBeGreaterThan(0)
    expect(isRight).toBe(true)
  })

  it('are not even possible where the connection is sealed', async () => {
    const done = await pushed({ digest: 'xxh64', seal: true })
    expect(done).toMatchObject({ forged: 0, isComplete: true, isRight: true })
  })
})

describe('a member that forges what it relays', () => {
  const world = useWorld('native')

  /** Whether the copies are right where mates get each other's parts through a forger. */
  async function relayed(digest: 'xxh64' | 'blake3') {
    const { path, content } = world.file('data.bin', blocks * limits.blockBytesMin)
    const doors: Awaited<ReturnType<typeof forger>>[] = []
    const node = async () => {
      const listen = `127.0.0.1:${await freePort()}`
      const through = await forger(listen, content)
      world.defer(through.close)
      doors.push(through)
      return world.node({ listen, advertise: through.address })
    }
    const nodes = [await node(), await node(), await node()]
    const to = nodes.map(({ address }) => address)
    const wishes = { shape: 'group', strategy: 'classic', digest } as const
    const result = await push(path, { to, engine: 'native', ...wishes }).result
    expect(result.nodes.map(({ status }) => status)).toEqual(nodes.map(() => 'complete'))
    expect(Math.max(...doors.map(({ forged }) => forged()))).toBeGreaterThan(0)
    const isRight = nodes.map(({ dataDir }) => {
      return readFileSync(join(dataDir, 'data.bin')).equals(content)
    })
    const repaired = result.nodes.reduce((sum, { repairedBytes }) => sum + repairedBytes, 0)
    return { isRight: isRight.every((is) => is), isRepaired: repaired > 0 }
  }

  it('is believed under XXH64', async () => {
    expect(await relayed('xxh64')).toEqual({ isRight: false, isRepaired: false })
  })

  it('is not under BLAKE3: its blocks are brought by others', async () => {
    expect(await relayed('blake3')).toEqual({ isRight: true, isRepaired: true })
  })
})
