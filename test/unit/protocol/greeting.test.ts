import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { nodePrimitives } from '../../../src/net/crypto.js'
import {
  commonDigests,
  decodeGo,
  decodeHello,
  decodePskIdentity,
  decodeWelcome,
  encodeError,
  encodeGo,
  encodeHello,
  encodePskIdentity,
  encodeWelcome,
  greetingBytes,
  type Hello,
  isSaidByPeer,
  keyIdOf,
  linkStatement,
  Moved,
  nodeIdOf,
  ownDigests,
  pskOf,
} from '../../../src/protocol/greeting.js'
import fc from '../../support/property.js'
import { hex } from './parts.js'
import { refusal } from './support.js'

const side = {
  publicKey: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  incarnation: fc.maxSafeNat(),
  digests: fc.array(fc.string({ maxLength: 20 }), { maxLength: limits.capabilities }),
  signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
}
const place = fc.nat({ max: 0xffff_ffff })
const anyHello: fc.Arbitrary<Hello> = fc.oneof(
  fc.record({
    ...side,
    channel: fc.constantFrom('control' as const, 'status' as const),
    transfer: fc.constant(null),
    from: fc.constant(null),
    to: fc.constant(null),
  }),
  fc.record({
    ...side,
    channel: fc.constant('pull' as const),
    transfer: hex(32),
    from: place,
    to: place,
  }),
)
const sample: Hello = {
  channel: 'pull',
  publicKey: new Uint8Array(32).fill(0xcd),
  incarnation: 7,
  digests: ownDigests,
  signature: new Uint8Array(64).fill(0x0f),
  transfer: 'ef'.repeat(16),
  from: 3,
  to: 5,
}
const _decoders = [decodeHello, decodeWelcome, decodeGo]

const many = Array.from({ length: limits.attributes + 1 }, (_, n) => n)

/** A greeting with any body. */
function forged(type: number, json: string): Uint8Array {
  const body = Buffer.from(json)
  const head = Buffer.alloc(5)
  head.writeUInt32LE(1 + body.length, 0)
  head[4] = type
  return Buffer.concat([head, body])
}

describe('greetings', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(anyHello, (hello) => {
        const bytes = encodeHello(hello)
        expect(greetingBytes(bytes)).toBe(bytes.length)
        expect(decodeHello(bytes)).toEqual(hello)
      }),
    )
    const { publicKey, incarnation, digests, signature } = sample
    const welcome = { publicKey, incarnation, digests, signature, advertise: 'a:1' }
    expect(decodeWelcome(encodeWelcome(welcome))).toEqual(welcome)
    const claiming = { ...welcome, attributes: { name: 'n', gpu: '', site: 'eu' } }
    expect(decodeWelcome(encodeWelcome(claiming))).toEqual(claiming)
    const sealed = { ...welcome, sealed: true } as const
    expect(decodeWelcome(encodeWelcome(sealed))).toEqual(sealed)
    expect(() => decodeGo(encodeGo())).not.toThrow()
  })

  it.each<[string, object]>([
    ['channel', { channel: 'data' }],
    ['publicKey', { publicKey: 'CD'.repeat(32) }],
    ['publicKey', { publicKey: 'cd'.repeat(31) }],
    ['incarnation', { incarnation: -1 }],
    ['digests', { digests: 'xxh64' }],
    ['digests', { digests: new Array(limits.capabilities + 1).fill('x') }],
    ['signature', { signature: '00'.repeat(65) }],
    ['transfer', { transfer: null }],
    ['from', { from: -1 }],
    ['from', { from: 2 ** 32 }],
    ['to', { to: undefined }],
    ['attributes', { attributes: [] }],
    ['attributes', { attributes: { a: 1 } }],
    ['attributes', { attributes: { id: 'x' } }],
    ['attributes', { attributes: { 'a b': 'x' } }],
    ['attributes', { attributes: { a: 'x\n' } }],
    ['attributes', { attributes: Object.fromEntries(many.map((n) => [`k${n}`, ''])) }],
  ])('with a wrong %s are refused', (named, fields) => {
    const hexes = { publicKey: 'cd'.repeat(32), signature: '0f'.repeat(64) }
    const json = JSON.stringify({ ...sample, ...hexes, ...fields })
    expect(refusal(() => decodeHello(forged(48, json))).message).toContain(named)
  })

  it('out of order are refused', () => {
    refusal(() => decodeGo(encodeHello(sample)))
    refusal(() => decodeHello(encodeGo()))
    refusal(() => decodeWelcome(encodeHello(sample)))
  })

  it('that are errors throw what the peer said, cleaned', () => {
    const error = refusal(() => decodeGo(encodeError('ERR_FR_BUSY', 'a\u0007b')), 'ERR_FR_BUSY')
    expect([error.message, isSaidByPeer(error)]).toEqual(['the peer says: a?b', true])
    const strange = forged(51, '{"code":"constructor","text":""}')
    expect(isSaidByPeer(refusal(() => decodeGo(strange)))).toBe(true)
    const longest = encodeError('ERR_FR_BUSY', '\ud83d\ude00'.repeat(10_000))
    expect(longest.length).toBeLessThan(limits.helloBytes)
  })

  it('name who is to be dialled instead, with one code and as an address alone', () => {
    const there = encodeError('ERR_FR_MOVED', 'there', 'a.lan:7400')
    const moved = refusal(() => decodeGo(there), 'ERR_FR_MOVED')
    expect(moved).toBeInstanceOf(Moved)
    expect(moved).toMatchObject({ code: 'ERR_FR_MOVED', address: 'a.lan:7400' })
    expect(isSaidByPeer(moved)).toBe(true)
    for (const error of [
      refusal(() => decodeGo(encodeError('ERR_FR_MOVED', 'nowhere')), 'ERR_FR_MOVED'),
      refusal(() => decodeGo(encodeError('ERR_FR_BUSY', '', 'a.lan:7400')), 'ERR_FR_BUSY'),
      refusal(() => decodeGo(encodeError('ERR_FR_MOVED', '', 'a.lan'))),
      refusal(() => decodeGo(forged(51, '{"code":"ERR_FR_MOVED","text":"","address":7}'))),
    ])
      expect(error).not.toBeInstanceOf(Moved)
  })

  it('take the digests both know, in the order of the dialler', () => {
    expect(commonDigests(['md5', 'sha256', 'xxh64', 'sha256'], ownDigests)).toEqual([
      'sha256',
      'xxh64',
    ])
    expect(commonDigests(ownDigests, ['xxh64', 'sha256'])).toEqual(['sha256', 'xxh64'])
    refusal(() => commonDigests(['md5'], ['md5']), 'ERR_FR_CAPABILITY')
  })
})

describe('the pre-shared key', () => {
  const key = Buffer.alloc(32, 7)

  it('is named by version and keys, and nothing else reads as a name', () => {
    const identity = { version: 1, keyId: 'ab'.repeat(8), otherKeyIds: ['cd'.repeat(8)] }
    expect(decodePskIdentity(encodePskIdentity(identity))).toEqual(identity)
    expect(decodePskIdentity('fastreplica/2')).toMatchObject({ version: 2 })
    for (const text of ['', 'fastreplica', 'fastreplica/x a', 'Client_identity', 'fastreplica/0 a'])
      expect(decodePskIdentity(text)).toBeNull()
    fc.assert(fc.property(fc.string({ maxLength: 255 }), (text) => void decodePskIdentity(text)))
  })

  it('of another key or purpose is another one', () => {
    const other = Buffer.alloc(32, 8)
    const values = [key, other].flatMap((bytes) => [
      Buffer.from(pskOf(nodePrimitives, bytes, false)).toString('hex'),
      keyIdOf(nodePrimitives, bytes, false),
      nodeIdOf(nodePrimitives, bytes),
    ])
    expect(new Set(values).size).toBe(values.length)
    expect(pskOf(nodePrimitives, key, true)).toEqual(new Uint8Array(32))
  })
})

describe('the statement of a link', () => {
  it('is byte exact, and another one for each role, channel and id', () => {
    const channel = new Uint8Array(32).fill(7)
    const ids = { dialler: 'd1'.repeat(16), acceptor: 'ac'.repeat(16) }
    const statement = linkStatement('dialler', channel, { ...ids, acceptor: null })
    const expected = Buffer.concat([
      Buffer.from('fastreplica 1 dialler'),
      channel,
      Buffer.from(ids.dialler + '00'.repeat(16), 'hex'),
    ])
    expect(Buffer.from(statement)).toEqual(expected)
    const all = [
      statement,
      linkStatement('dialler', channel, ids),
      linkStatement('acceptor', channel, ids),
      linkStatement('acceptor', channel, { dialler: ids.acceptor, acceptor: ids.dialler }),
      linkStatement('acceptor', new Uint8Array(32), ids),
    ]
    expect(new Set(all.map((one) => Buffer.from(one).toString('hex'))).size).toBe(all.length)
  })
})
