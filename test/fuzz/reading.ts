/**
 * Readers and changed messages: what a reader takes, it takes again as it would be written, and
 * nothing else comes of a message but the named error. `npm run fuzz` runs this for FR_FUZZ_SECONDS
 * each, with little memory; FR_FUZZ_SEED is the seed that a failure prints.
 */

import { expect, it } from 'vitest'
import { FrError } from '../../src/base/errors.js'
import fc from '../support/property.js'
import { changed, drawOf } from './mutations.js'

const seconds = Number(process.env['FR_FUZZ_SECONDS'] ?? 1)
const seed = Number(process.env['FR_FUZZ_SEED'] ?? Date.now() % 2 ** 31)

export interface Reader {
  readonly form: 'binary' | 'json'
  readonly valid: fc.Arbitrary<Uint8Array>
  /** What was read, as it is written; null where the reader wants more. Throws FrError. */
  readonly read: (bytes: Uint8Array) => Uint8Array | null
  /** There is one spelling of everything. */
  readonly isExact?: boolean
  /** Inputs at least, where one takes long. */
  readonly least?: number
}

/** What the reader makes of the bytes; undefined where it refuses them by name. */
function outcomeOf({ read }: Reader, bytes: Uint8Array): Uint8Array | null | undefined {
  try {
    return read(bytes)
  } catch (error) {
    if (error instanceof FrError && error.code.startsWith('ERR_FR_')) return undefined
    throw error
  }
}

/** A test of each, by its name. */
export function fuzz(readers: Readonly<Record<string, Reader>>): void {
  it.each(Object.entries(readers))('%s', { timeout: (seconds + 60) * 1000 }, (name, reader) => {
    const samples = fc.sample(reader.valid, { numRuns: reader.least ?? 200, seed })
    for (const sample of samples) {
      const own = reader.read(sample)
      expect(own).not.toBeNull()
      if (reader.isExact) expect(Buffer.from(own as Uint8Array).equals(sample)).toBe(true)
    }
    const draw = drawOf(seed)
    const endMs = performance.now() + seconds * 1000
    let [inputs, taken] = [0, 0]
    for (; performance.now() < endMs || inputs < samples.length; inputs += 1) {
      const input = changed(samples[draw(samples.length)] as Uint8Array, reader.form, draw)
      try {
        const first = outcomeOf(reader, input)
        if (first === undefined || first === null) continue
        const again = outcomeOf(reader, first)
        expect(again && Buffer.from(again).equals(first)).toBe(true)
        taken += 1
      } catch (cause) {
        const hex = Buffer.from(input.subarray(0, 2_000)).toString('hex')
        const text = `input ${inputs} of seed ${seed}, ${input.length} bytes: ${hex}`
        throw new Error(text, { cause })
      }
    }
    console.log(`${name}: ${inputs} inputs, ${taken} of them taken, seed ${seed}`)
    expect(taken).toBeGreaterThan(0)
  })
}
