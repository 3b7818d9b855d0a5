/** Entries of an index: the same by both engines, and what they are of. */
import { blake3 } from 'hash-wasm'
import { describe, expect, it } from 'vitest'
import xxhash from 'xxhash-wasm'
import { limits, MIB } from '../../src/base/limits.js'
import { cutChunks, hashBlocks } from '../../src/engine/hashing/block-hash.js'
import { engines } from './engines.js'
import { useWorld } from './world.js'

const { h64Raw } = await xxhash()

/** As docs/protocol.md, section 7, says. */
function vector(): Uint8Array {
  const bytes = new Uint8Array(MIB)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < MIB / 8; i++) {
    const number = new Uint8Array(4)
    new DataView(number.buffer).setUint32(0, i, true)
    view.setBigUint64(8 * i, h64Raw(number))
  }
  return bytes
}

const first8 = async (bytes: Uint8Array): Promise<string> => (await blake3(bytes)).slice(0, 16)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function lengthsOf(entries: Uint8Array): number[] {
  const view = Buffer.from(entries)
  return Array.from({ length: entries.length / 11 }, (_, i) => view.readUIntBE(11 * i, 3))
}

describe.each(engines)('$kind engine: an index', (under) => {
  const world = useWorld(under)

  it('has 8 bytes of the hash of each page, and of each chunk of the vector', async () => {
    const bytes = Buffer.concat([vector(), Buffer.from('and five')])
    const party = await world.party()
    const { file } = await world.origin(party, bytes)
    const source = party.engine.hashSource(file)
    const range = { offset: MIB - 8192, length: 8200 }
    const task = {
      source,
      range,
      blockBytes: limits.indexPageBytes,
      algorithm: 'blake3-page',
    } as const
    const pages = [bytes.subarray(-8200, -4104), bytes.subarray(-4104, -8), bytes.subarray(-8)]
    const hashes = await Promise.all(pages.map(first8))
    expect(hex(await hashBlocks(task))).toBe(hashes.join(''))

    const entries = await cutChunks({ source, range: { offset: 0, length: MIB } })
    const lengths = lengthsOf(entries)
    expect(lengths.reduce((sum, length) => sum + length)).toBe(MIB)
    expect(hex(entries.subarray(3, 11))).toBe(await first8(bytes.subarray(0, lengths[0])))
    expect([lengths.slice(0, 4), h64Raw(entries).toString(16)]).toEqual(vectorEntries)

    // What has moved by a byte is in the same chunks but for the first and the last.
    const moved = await cutChunks({ source, range: { offset: 1, length: MIB } })
    expect(lengthsOf(moved).slice(1, -1)).toEqual(lengths.slice(1, -1))
  })
})

const vectorEntries = [[17_946, 29_845, 18_090, 31_645], '50b23005cd9ce921']
