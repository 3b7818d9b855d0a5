import { createHash, createHmac, hkdfSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.js'
import { limits } from '../../../src/base/limits.js'
import { nodePrimitives } from '../../../src/net/crypto.js'
import { isSaidByPeer } from '../../../src/protocol/greeting.js'
import {
  type Capabilities,
  checkAuth,
  type DiallerHello,
  decodeAcceptorHello,
  decodeAuth,
  decodeDiallerHello,
  decodeGo,
  decodeProve,
  encodeAcceptorHello,
  encodeAuth,
  encodeDiallerHello,
  encodeError,
  encodeGo,
  encodeMessage,
  encodeProve,
  messageBytes,
  negotiate,
  ownCapabilities,
  proofOf,
  sessionSecrets,
  transcriptHash,
} from '../../../src/protocol/hello.js'
import { hex, onlyFrError, refusal } from './support.js'

const base = {
  fr: 1,
  type: 'hello',
  channel: 'data',
  nonce: 'ab'.repeat(32),
  nodeId: 'cd'.repeat(16),
  incarnation: 7,
  transfer: 'ef'.repeat(16),
  from: -1,
  to: 0,
  caps: ownCapabilities('key'),
}

const names = fc.array(fc.string({ maxLength: 20 }), { maxLength: limits.capabilities })
const caps: fc.Arbitrary<Capabilities> = fc.record({
  mac: names,
  seal: names,
  digest: names,
  auth: fc.constantFrom('key' as const, 'open' as const),
})
const side = { nonce: hex(64), nodeId: hex(32), incarnation: fc.maxSafeNat(), caps }
const diallerHello: fc.Arbitrary<DiallerHello> = fc.record({
  ...side,
  channel: fc.constant('data' as const),
  transfer: hex(32),
  from: fc.integer({ min: -1, max: limits.placesPerPush - 1 }),
  to: fc.nat({ max: limits.placesPerPush - 1 }),
})

describe('handshake messages', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(diallerHello, (hello) => {
        let message: Uint8Array
        try {
          message = encodeDiallerHello(hello)
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError)
          return
        }
        expect(messageBytes(message)).toBe(message.length)
        // Not TLS.
        expect(message[0]).not.toBe(0x16)
        expect(decodeDiallerHello(message)).toEqual(hello)
      }),
    )
    const { nonce, nodeId, incarnation, caps: own } = base
    const acceptor = { nonce, nodeId, incarnation, caps: own }
    expect(decodeAcceptorHello(encodeAcceptorHello(acceptor))).toEqual(acceptor)
    const proofs = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    expect(decodeProve(encodeProve(proofs))).toEqual(proofs)
    expect(decodeAuth(encodeAuth(proofs[0] as Uint8Array))).toEqual(proofs[0])
    expect(() => decodeGo(encodeGo())).not.toThrow()
  })

  it('of random bytes or JSON throw nothing but FrError', () => {
    const decoders = [decodeDiallerHello, decodeAcceptorHello, decodeProve, decodeAuth, decodeGo]
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.json().map((text) => encodeMessage(JSON.parse(text) ?? {})),
      fc
        .record({ ...Object.fromEntries(Object.keys(base).map((k) => [k, fc.anything()])) })
        .map((o) => {
          try {
            return encodeMessage(o)
          } catch {
            return new Uint8Array()
          }
        }),
    )
    fc.assert(
      fc.property(message, fc.constantFrom(...decoders), (bytes, decode) => {
        onlyFrError(() => decode(bytes))
        onlyFrError(() => messageBytes(bytes))
      }),
      { numRuns: 1000 },
    )
  })

  it('announce their length', () => {
    expect(messageBytes(Uint8Array.of(1, 0, 0))).toBeNull()
    for (const length of [0, 1, limits.helloBytes + 1, 0xffff_ffff]) {
      const start = new Uint8Array(4)
      new DataView(start.buffer).setUint32(0, length, true)
      refusal(() => messageBytes(start))
    }
    refusal(() => messageBytes(utf8('GET / HTTP/1.1')))
    expect(() => encodeMessage({ text: 'x'.repeat(limits.helloBytes) })).toThrow(TypeError)
  })

  it.each([
    ['channel', { channel: 'video' }],
    ['nonce', { nonce: 'ab' }],
    ['nonce', { nonce: 'AB'.repeat(32) }],
    ['nodeId', { nodeId: undefined }],
    ['incarnation', { incarnation: -1 }],
    ['transfer', { transfer: 'x' }],
    ['from', { from: limits.placesPerPush }],
    ['from', { from: -2 }],
    ['to', { to: undefined }],
    ['to', { to: limits.placesPerPush }],
    ['to', { to: -1 }],
    ['caps', { caps: null }],
    ['mac', { caps: { ...base.caps, mac: 'hmac-sha256-128' } }],
    ['digest', { caps: { ...base.caps, digest: new Array(17).fill('a') } }],
    ['seal', { caps: { ...base.caps, seal: ['x'.repeat(65)] } }],
    ['auth', { caps: { ...base.caps, auth: 'maybe' } }],
    ['type', { type: 'greeting' }],
    ['fr', { fr: 'one' }],
    ['fr', { fr: undefined }],
  ])('with a wrong %s are refused', (named, fields) => {
    const error = refusal(() => decodeDiallerHello(encodeMessage({ ...base, ...fields })))
    expect(error.message).toContain(named)
  })

  it('of another version are refused whatever else they hold', () => {
    const later = encodeMessage({ fr: 2, greeting: true })
    const error = refusal(() => decodeDiallerHello(later), 'ERR_FR_VERSION')
    expect(error.message).toMatch(/version 2, this side 1/)
    refusal(() => decodeAcceptorHello(later), 'ERR_FR_VERSION')
  })

  it('out of order are refused', () => {
    refusal(() => decodeAuth(encodeGo()))
    refusal(() => decodeGo(encodeMessage(base)))
    refusal(() => decodeDiallerHello(encodeAuth(new Uint8Array(32))))
    refusal(() => decodeProve(encodeMessage({ type: 'prove', proofs: ['ab'] })))
    refusal(() =>
      decodeProve(encodeMessage({ type: 'prove', proofs: new Array(3).fill('0'.repeat(64)) })),
    )
    refusal(() => decodeAuth(encodeMessage({ type: 'auth', proof: 'ab' })))
  })

  it('that are errors throw what the peer said, cleaned', () => {
    const error = refusal(() => decodeGo(encodeError('ERR_FR_BUSY', 'a\u0007b')), 'ERR_FR_BUSY')
    expect(error.message).toBe('the peer says: a?b')
    expect(isSaidByPeer(error)).toBe(true)
    const strange = encodeMessage({ type: 'error', code: 'constructor', text: '' })
    expect(isSaidByPeer(refusal(() => decodeGo(strange)))).toBe(true)
    expect(isSaidByPeer(refusal(() => decodeGo(utf8('....{')))).valueOf()).toBe(false)
    const longest = encodeError('ERR_FR_BUSY', '\ud83d\ude00'.repeat(10_000))
    expect(longest.length).toBeLessThan(limits.helloBytes)
  })
})

describe('agreement', () => {
  const own = ownCapabilities('key')

  it('takes the digests both know, in the order of the dialler', () => {
    expect(negotiate(own, own).digests).toEqual(['xxh64', 'sha256'])
    const other = { ...own, digest: ['blake3', 'sha256', 'xxh64', 'sha256'] }
    expect(negotiate(other, own).digests).toEqual(['sha256', 'xxh64'])
    expect(negotiate(own, other).digests).toEqual(['xxh64', 'sha256'])
    expect(negotiate({ ...own, digest: ['sha256'] }, own).digests).toEqual(['sha256'])
  })

  it.each([
    ['mac', { mac: ['poly1305'] }],
    ['seal', { seal: ['aes-256-gcm'] }],
    ['seal', { seal: [] }],
    ['digest', { digest: ['blake3'] }],
  ])('without a common %s is refused', (kind, change) => {
    for (const sides of [
      [{ ...own, ...change }, own],
      [own, { ...own, ...change }],
    ] as [Capabilities, Capabilities][]) {
      const [ours, theirs] = sides
      expect(refusal(() => negotiate(ours, theirs), 'ERR_FR_CAPABILITY').message).toContain(kind)
    }
    // Both sides know something that this version does not: still nothing to speak.
    if (Object.values(change)[0]?.length) {
      refusal(() => negotiate({ ...own, ...change }, { ...own, ...change }), 'ERR_FR_CAPABILITY')
    }
  })

  it('says which side lacks the key', () => {
    const open = ownCapabilities('open')
    expect(refusal(() => checkAuth(own, open), 'ERR_FR_AUTH').message).toBe(
      'the dialling side has a key, the accepting side has none',
    )
    expect(refusal(() => checkAuth(open, own), 'ERR_FR_AUTH').message).toBe(
      'the accepting side has a key, the dialling side has none',
    )
    expect(() => checkAuth(open, open)).not.toThrow()
  })
})

describe('secrets', () => {
  const key = utf8('a key of at least thirty-two bytes')
  const hellos = [encodeMessage(base), encodeMessage({ ...base, nonce: '12'.repeat(32) })] as const
  const transcript = transcriptHash(nodePrimitives, ...hellos)

  it('are byte exact', () => {
    const hash = createHash('sha256').update(hellos[0]).update(hellos[1]).digest()
    expect(Buffer.from(transcript)).toEqual(hash)
    const authKey = Buffer.from(hkdfSync('sha256', key, '', 'fastreplica 1 auth', 32))
    const proof = createHmac('sha256', authKey).update('dialler').update(hash).digest()
    expect(Buffer.from(proofOf(nodePrimitives, key, 'dialler', transcript))).toEqual(proof)

    const nonces = { dialler: 'ab'.repeat(32), acceptor: '12'.repeat(32) }
    const secrets = sessionSecrets(nodePrimitives, key, nonces, transcript)
    const salt = Buffer.from(nonces.dialler + nonces.acceptor, 'hex')
    const info = Buffer.concat([Buffer.from('fastreplica 1 session'), hash])
    const all = Buffer.from(hkdfSync('sha256', key, salt, info, 104))
    expect(Buffer.from(secrets.hopKey)).toEqual(all.subarray(64, 96))
    expect(secrets.recordSeed).toBe(all.readBigUInt64LE(96))
  })

  it('of the two roles differ', () => {
    const dialler = proofOf(nodePrimitives, key, 'dialler', transcript)
    const acceptor = proofOf(nodePrimitives, key, 'acceptor', transcript)
    expect(nodePrimitives.equal(dialler, acceptor)).toBe(false)
    expect(nodePrimitives.equal(dialler, dialler.subarray(1))).toBe(false)
  })
})
