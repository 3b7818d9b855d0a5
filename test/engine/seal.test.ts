/** The bytes that sealing makes, against AES-256-GCM by hand; the same as in seal_test.cc. */
import { describe, expect, it } from 'vitest'
import { Opening, Sealing } from '../../src/engine/portable/seal.js'

const secret = Uint8Array.from([...Array(32).keys(), 1, 2, 3, 4])
const abc = Buffer.from('abc')
const hexOf = (sealed: readonly Buffer[]): string => Buffer.concat(sealed).toString('hex')

function opened(opening: Opening, sealed: readonly Buffer[]): string | null {
  const parts: Buffer[] = []
  return opening.came(Buffer.concat(sealed), (part) => parts.push(part))
    ? Buffer.concat(parts).toString()
    : null
}

describe('sealing', () => {
  it('makes records with their length beside them, under the salt and their number', () => {
    const sealing = new Sealing(secret)
    expect(hexOf(sealing.seal([abc]))).toBe('030000004037beada84a2ee67fa5ff6e996858327908dc')
    expect(hexOf(sealing.seal([abc.subarray(0, 1), abc.subarray(1)]))).toBe(
      '03000000b093a4152c4a9e2838f9765ce0853a6b2b1218',
    )
  })

  it('goes on with the next key after so many records, at both ends', () => {
    const [sealing, opening] = [new Sealing(secret, 1), new Opening(secret, 1)]
    const records = [0, 1, 2].map(() => sealing.seal([abc]))
    expect(hexOf(records[1] as Buffer[])).toBe('0300000012da1d2814821fd6ed81cb2439f95764e85a00')
    for (const record of records) expect(opened(opening, record)).toBe('abc')
    const late = new Opening(secret, 2)
    expect(opened(late, records[0] as Buffer[])).toBe('abc')
    expect(opened(late, records[1] as Buffer[])).toBeNull()
  })
})
