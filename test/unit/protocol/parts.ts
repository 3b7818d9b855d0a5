/** Parts of which bodies of frames are made. */
import fc from '../../support/property.js'

export const hex = (digits: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits })

export const fileDigest = fc.oneof(
  hex(16).map((digits) => `xxh64-blocks/65536:${digits}`),
  hex(64).map((digits) => `sha256-blocks/262144:${digits}`),
  hex(64).map((digits) => `blake3:${digits}`),
)
