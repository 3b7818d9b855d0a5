import { describe, expect, it } from 'vitest'
import { frameBytesFor } from '../../../src/base/coding.js'
import { MIB } from '../../../src/base/limits.js'
import { isWorthCoding } from '../../../src/control/plan/coding.js'
import { encodeCodedHeader, readCodedHeader } from '../../../src/protocol/coded-header.js'
import { Fields } from '../../../src/protocol/fields.js'
import { readStreamEntry, signPage } from '../../../src/protocol/manifest.js'

const digest = `blake3:${'ab'.repeat(32)}`
const file = { contentId: 'cd'.repeat(16), size: 3 * MIB, dataBytes: 3 * MIB, fileDigest: digest }
const zstd = { coding: 'zstd', ...file } as const
const patch = { coding: 'patch', ...file, base: { size: 9, fileDigest: digest } } as const

describe('the header of coded content', () => {
  const lengths = new Uint8Array(Uint32Array.of(5, 0, MIB + 1).buffer)
  const runs = [{ offset: 0, length: 65_536, payload: new Uint8Array(73).fill(7) }]
  const header = { coding: 'zstd', size: 3 * MIB, lengths, runs } as const
  const bytes = encodeCodedHeader(header)
  const whole = bytes.length + 5 + MIB + 1

  it('is read as it was written', () => {
    expect(readCodedHeader(bytes, zstd, whole)).toEqual(header)
    expect(Buffer.from(bytes.subarray(0, 48)).toString('hex')).toBe(
      '6672636f646520318900000001000000000010000300000000003000000000000100000005000000' +
        '0000000001001000',
    )
  })

  it('is refused where it contradicts the manifest, its content or itself', () => {
    const changed = (at: number, value: number): Uint8Array => {
      const copy = bytes.slice()
      new DataView(copy.buffer).setUint32(at, value, true)
      return copy
    }
    const refused = (bad: Uint8Array, coded = zstd, of = whole): void =>
      expect(() => readCodedHeader(bad, coded, of)).toThrow('coded content')
    refused(bytes, { ...zstd, size: 4 * MIB })
    refused(bytes, { ...zstd, coding: 'patch' } as never)
    refused(bytes, zstd, whole + 1)
    refused(bytes.subarray(0, 20))
    // Bytes of the header, coding, frame size, frames.
    for (const at of [0, 8, 12, 16, 20]) refused(changed(at, 0xffff_ffff))
    expect(() => readCodedHeader(changed(36, MIB + 2), zstd, whole)).toThrow('a frame is longer')
    expect(() => readCodedHeader(changed(32, 2), zstd, whole)).toThrow('cut off')
    expect(() => readCodedHeader(changed(32, 0), zstd, whole)).toThrow('behind the signed runs')
    expect(() => readCodedHeader(changed(60, 99_999), zstd, whole)).toThrow('cut off')
  })
})

describe('the entry of coded content', () => {
  const entry = {
    ...{ stream: 0, contentId: '0'.repeat(32), author: '1'.repeat(64), name: 'a' },
    ...{ nameIsBase64: false, base: 0, span: 65_536, size: 100, dataBytes: 100 },
    ...{ mode: 0o644, mtimeSeconds: 1, mtimeNanos: 0 },
  }
  const read = (coded: object) => readStreamEntry(new Fields({ ...entry, coded }, 'entry'))

  it('says what file it stands for, in words that are signed', () => {
    expect(read(zstd).coded).toEqual(zstd)
    expect(read(patch).coded).toEqual(patch)
    const said: string[] = []
    const signer = {
      publicKey: new Uint8Array(32),
      sign: (bytes: Uint8Array) => {
        said.push(Buffer.from(bytes).toString('hex'))
        return new Uint8Array(64)
      },
    }
    const coded = [undefined, zstd, patch, { ...patch, base: { ...patch.base, size: 8 } }]
    for (const one of coded) signPage(signer, 0, [{ ...entry, ...(one && { coded: one }) }])
    expect(new Set(said).size).toBe(coded.length)
  })

  it('is refused without a base where it is a patch, and for files that are too small', () => {
    expect(() => read({ ...patch, base: undefined })).toThrow('base')
    expect(() => read({ ...zstd, base: patch.base })).toThrow('base')
    expect(() => read({ ...zstd, size: 65_535, dataBytes: 0 })).toThrow('size')
    expect(() => read({ ...zstd, coding: 'lzma' })).toThrow('coding')
  })
})

it('is chosen where it is there sooner, and never for what it makes larger', () => {
  const cost = { bytes: 256 * MIB, ratio: 0.3, encodeBytesPerSecond: 300e6 }
  const at = (uplinkBytesPerSecond: number) => isWorthCoding({ ...cost, uplinkBytesPerSecond })
  expect([12.5e6, 62.5e6, 1250e6].map(at)).toEqual([true, true, false])
  const noise = { ...cost, ratio: 1.001, encodeBytesPerSecond: 1e12 }
  expect(isWorthCoding({ ...noise, uplinkBytesPerSecond: 1 })).toBe(false)
  expect([1, 2 ** 36, 2 ** 37, 2 ** 50].map(frameBytesFor)).toEqual(
    [1, 1, 2, 16].map((n) => n * MIB),
  )
})
