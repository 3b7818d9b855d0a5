import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { nodePrimitives } from '../../../src/net/crypto.js'
import {
  type DigestPlace,
  DigestReceiver,
  DigestSender,
  digestBytesPerRecord,
  originDigestKey,
  signDigests,
} from '../../../src/protocol/digest-record.js'
import { onlyFrError, refusal } from './support.js'

const transfer = '0123456789abcdef'.repeat(2)
const clusterKey = new Uint8Array(32).fill(1)
const originKey = originDigestKey(nodePrimitives, clusterKey, transfer)
const firstHop = new Uint8Array(32).fill(2)
const secondHop = new Uint8Array(32).fill(3)
const geometry = { blockBytes: 65_536, digestBytes: 8 }
const place: DigestPlace = { stream: 3, offset: 131_072, length: 100_000 }
const digests = Uint8Array.from({ length: 16 }, (_, at) => at)

const newSender = (hopKey = firstHop): DigestSender => new DigestSender(nodePrimitives, hopKey)
const newReceiver = (hopKey = firstHop, key = originKey): DigestReceiver =>
  new DigestReceiver(nodePrimitives, hopKey, key)
const signed = () => signDigests(nodePrimitives, originKey, place, digests)

describe('digest records', () => {
  it('pass two hops, the origin MAC unchanged', () => {
    const at = fc.nat({ max: 2 ** 30 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(at, fc.integer({ min: 1, max: 40 })), { maxLength: 8 }),
        (runs) => {
          const [out, relay] = [newSender(), newSender(secondHop)]
          const [middle, last] = [newReceiver(), newReceiver(secondHop)]
          for (const [block, blocks] of runs) {
            const where = { stream: 1, offset: block * 65_536, length: blocks * 65_536 - 1 }
            const values = new Uint8Array(blocks * 8).fill(blocks)
            const original = signDigests(nodePrimitives, originKey, where, values)
            const passed = middle.unwrap(where, geometry, out.wrap(original))
            const arrived = last.unwrap(where, geometry, relay.wrap(passed))
            expect(Buffer.from(arrived.digests)).toEqual(Buffer.from(values))
            expect(Buffer.from(arrived.originMac)).toEqual(Buffer.from(original.originMac))
          }
        },
      ),
    )
  })

  it('are byte exact', () => {
    const payload = newSender().wrap(signed())
    const head = Buffer.from('03000000' + '0000020000000000' + 'a0860100', 'hex')
    const originMac = nodePrimitives.hmac(originKey, head, digests).subarray(0, 16)
    const hopMac = nodePrimitives.hmac(firstHop, new Uint8Array(4), originMac).subarray(0, 16)
    const expected = Buffer.concat([originMac, hopMac, new Uint8Array(4), digests])
    expect(Buffer.from(payload)).toEqual(expected)
  })

  it('replayed, left out or moved are refused', () => {
    const sender = newSender()
    const [first, second] = [sender.wrap(signed()), sender.wrap(signed())]
    const receiver = newReceiver()
    receiver.unwrap(place, geometry, first)
    expect(refusal(() => receiver.unwrap(place, geometry, first)).message).toMatch(/0 came in .* 1/)
    refusal(() => newReceiver().unwrap(place, geometry, second))
    receiver.unwrap(place, geometry, second)
  })

  it('with any bit changed are refused', () => {
    const payload = newSender().wrap(signed())
    for (let bit = 0; bit < payload.length * 8; bit += 1) {
      const changed = payload.slice()
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      refusal(() => newReceiver().unwrap(place, geometry, changed))
    }
  })

  it.each([
    { ...place, stream: 4 },
    { ...place, offset: 0 },
    { ...place, length: 100_001 },
  ])('moved to %j are refused', (elsewhere) => {
    const payload = newSender().wrap(signed())
    const error = refusal(() => newReceiver().unwrap(elsewhere, geometry, payload))
    expect(error.message).toMatch(/origin's MAC/)
  })

  it('of another hop, key or transfer are refused', () => {
    const payload = newSender().wrap(signed())
    expect(refusal(() => newReceiver(secondHop).unwrap(place, geometry, payload)).message).toMatch(
      /hop MAC/,
    )
    const otherKey = originDigestKey(
      nodePrimitives,
      clusterKey.map((byte) => byte + 1),
      transfer,
    )
    const otherTransfer = originDigestKey(nodePrimitives, clusterKey, 'f'.repeat(32))
    for (const key of [otherKey, otherTransfer]) {
      const error = refusal(() => newReceiver(firstHop, key).unwrap(place, geometry, payload))
      expect(error.message).toMatch(/origin's MAC/)
    }
  })

  it('forged by a relay that holds the hop key but not the origin MAC are refused', () => {
    const forged = { originMac: new Uint8Array(16), digests }
    const payload = newSender().wrap(forged)
    expect(refusal(() => newReceiver().unwrap(place, geometry, payload)).message).toMatch(
      /origin's/,
    )
  })

  it('that do not fit their blocks are refused', () => {
    const carry = (where: DigestPlace, bytes: number): void => {
      const values = signDigests(nodePrimitives, originKey, where, new Uint8Array(bytes))
      newReceiver().unwrap(where, geometry, newSender().wrap(values))
    }
    carry(place, 16)
    for (const bytes of [0, 8, 15, 17, 24]) {
      expect(refusal(() => carry(place, bytes)).message).toMatch(/does not fit/)
    }
    expect(refusal(() => carry({ ...place, offset: 1 }, 16)).message).toMatch(/does not fit/)
  })

  it('too short or too long are refused', () => {
    for (const bytes of [0, 35, limits.recordDigestBytes + 1]) {
      refusal(() => newReceiver().unwrap(place, geometry, new Uint8Array(bytes)))
    }
    const most = new Uint8Array(digestBytesPerRecord)
    expect(newSender().wrap({ originMac: new Uint8Array(16), digests: most })).toHaveLength(
      limits.recordDigestBytes,
    )
    const over = new Uint8Array(digestBytesPerRecord + 1)
    expect(() => signDigests(nodePrimitives, originKey, place, over)).toThrow(TypeError)
  })

  it('of random bytes throw nothing but FrError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (payload) => {
        onlyFrError(() => newReceiver().unwrap(place, geometry, payload))
        refusal(() => newReceiver().unwrap(place, geometry, payload))
      }),
    )
  })

  it('need a transfer id for their key', () => {
    expect(() => originDigestKey(nodePrimitives, clusterKey, 'abc')).toThrow(TypeError)
  })
})
