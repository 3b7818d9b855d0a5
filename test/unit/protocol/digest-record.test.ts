import { createPublicKey, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { nodePrimitives } from '../../../src/net/crypto.js'
import {
  type DigestPlace,
  readDigests,
  type SignedContent,
  signDigests,
} from '../../../src/protocol/digest-record.js'
import fc from '../../support/property.js'
import { refusal, seededSigner } from './support.js'

const author = seededSigner(1)
const content: SignedContent = {
  contentId: '0123456789abcdef'.repeat(2),
  algorithm: 'xxh64',
  blockBytes: 65_536,
}
const place: DigestPlace = { offset: 131_072, length: 100_000 }
const digests = Uint8Array.from({ length: 16 }, (_, at) => at)

const sign = (): Uint8Array => signDigests(author, content, place, digests)
const read = (
  payload: Uint8Array,
  { where = place, key = author.publicKey, about = content } = {},
): Uint8Array => readDigests(nodePrimitives, key, about, where, payload).digests

const growing: SignedContent = { ...content, algorithm: 'blake3', blockBytes: 'sections' }

/** What is read of a record of the growing content. */
function carried(where: DigestPlace, blocks: number, isFinal = false) {
  const payload = signDigests(author, growing, where, new Uint8Array(blocks * 32), isFinal)
  return readDigests(nodePrimitives, author.publicKey, growing, where, payload)
}

describe('digest records of a content that grows', () => {
  const second = limits.sectionBytes

  it.each([
    ['whole blocks', { offset: 65_536, length: 131_072 }, 2],
    ['up to a cut', { offset: 0, length: 65_537 }, 2],
    ['blocks of the second section', { offset: second + 131_072, length: 131_073 }, 2],
    ['what ends with its section', { offset: second - 65_536, length: 65_536 }, 1],
  ])('cover %s, final or not', (_, where, blocks) => {
    for (const isFinal of [false, true])
      expect(carried(where, blocks, isFinal)).toEqual({
        digests: new Uint8Array(blocks * 32),
        isFinal,
      })
  })

  it.each([
    ['half a block of the second section first', { offset: second + 65_536, length: 65_536 }, 1],
    ['the border of a section', { offset: second - 65_536, length: 196_608 }, 2],
    ['nothing', { offset: 65_536, length: 0 }, 0],
  ])('never cover %s', (_, where, blocks) => {
    for (const isFinal of [false, true])
      expect(refusal(() => carried(where, blocks, isFinal)).message).toMatch(/does not fit/)
  })

  it('end a content of no bytes, and only with the final flag', () => {
    const nothing = { offset: 0, length: 0 }
    expect(carried(nothing, 0, true)).toEqual({ digests: new Uint8Array(), isFinal: true })
    refusal(() => carried(nothing, 0))
  })

  it('are final only as they were signed', () => {
    const where = { offset: 0, length: 100 }
    for (const isFinal of [false, true]) {
      const payload = signDigests(author, growing, where, new Uint8Array(32), isFinal)
      payload[limits.signatureBytes] = isFinal ? 0 : 1
      const turned = () => readDigests(nodePrimitives, author.publicKey, growing, where, payload)
      expect(refusal(turned).message).toMatch(/signature/)
    }
  })
})

describe('digest records', () => {
  it('come back as they were signed, on every hop', () => {
    const run = fc.tuple(fc.nat({ max: 2 ** 30 }), fc.integer({ min: 1, max: 40 }))
    fc.assert(
      fc.property(run, ([block, blocks]) => {
        const where = { offset: block * 65_536, length: blocks * 65_536 - 1 }
        const values = new Uint8Array(blocks * 8).fill(blocks)
        const payload = signDigests(author, content, where, values)
        for (const hop of [payload, payload.slice()])
          expect(Buffer.from(read(hop, { where }))).toEqual(Buffer.from(values))
      }),
    )
  })

  it('are byte exact', () => {
    const statement = Buffer.concat([
      Buffer.from('fastreplica 1 digests'),
      Buffer.from(content.contentId, 'hex'),
      Buffer.from('00000000' + '01000000' + '00000100', 'hex'),
      Buffer.from('0000020000000000' + 'a0860100', 'hex'),
      digests,
    ])
    const x = Buffer.from(author.publicKey).toString('base64url')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    const payload = sign()
    expect(verify(null, statement, key, payload.subarray(0, 64))).toBe(true)
    expect(payload[64]).toBe(0)
    expect(Buffer.from(payload.subarray(65))).toEqual(Buffer.from(digests))
  })

  it('with any bit changed are refused', () => {
    const payload = sign()
    for (let bit = 0; bit < payload.length * 8; bit += 1) {
      const changed = payload.slice()
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      // The flags have one bit that may be set.
      const isKnown = bit >> 3 !== 64 || (bit & 7) === 0
      expect(refusal(() => read(changed)).message).toMatch(isKnown ? /signature/ : /does not fit/)
    }
  })

  it.each([
    { where: { ...place, offset: 0 } },
    { where: { ...place, length: 100_001 } },
    { key: seededSigner(2).publicKey },
    { key: new Uint8Array(32) },
    { about: { ...content, contentId: 'f'.repeat(32) } },
    { about: { ...content, blockBytes: 65_536 / 2 }, where: { ...place, length: 65_536 } },
  ])('moved, or of another author or content, are refused: %j', (other) => {
    expect(refusal(() => read(sign(), other)).message).toMatch(/signature/)
  })

  it('of another algorithm are refused', () => {
    const wide = new Uint8Array(64).fill(1)
    const payload = signDigests(author, { ...content, algorithm: 'sha256' }, place, wide)
    expect(refusal(() => read(payload)).message).toMatch(/does not fit/)
    // As many bytes as eight times as many blocks would have.
    const where = { ...place, length: 8 * 65_536 }
    expect(refusal(() => read(payload, { where })).message).toMatch(/signature/)
  })

  it('that do not fit their blocks are refused', () => {
    const carry = (where: DigestPlace, bytes: number): Uint8Array =>
      read(signDigests(author, content, where, new Uint8Array(bytes)), { where })
    expect(carry(place, 16)).toHaveLength(16)
    for (const bytes of [0, 8, 15, 17, 24])
      expect(refusal(() => carry(place, bytes)).message).toMatch(/does not fit/)
    expect(refusal(() => carry({ ...place, offset: 1 }, 16)).message).toMatch(/does not fit/)
    expect(refusal(() => carry({ offset: 0, length: 0 }, 0)).message).toMatch(/does not fit/)
  })

  it('are refused where they are too short, and not made too long', () => {
    for (const bytes of [0, 63, 64, 65]) refusal(() => read(new Uint8Array(bytes)))
    const most = limits.recordDigestBytes - limits.digestHeadBytes
    expect(signDigests(author, content, place, new Uint8Array(most))).toHaveLength(
      limits.recordDigestBytes,
    )
    expect(() => signDigests(author, content, place, new Uint8Array(most + 1))).toThrow(TypeError)
  })

  it('need a content id', () => {
    expect(() => signDigests(author, { ...content, contentId: 'abc' }, place, digests)).toThrow(
      TypeError,
    )
  })
})
