import { hkdfSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../../../src/net/crypto.js'
import { isSaidByPeer } from '../../../src/protocol/greeting.js'
import {
  answerBytes,
  confirmation,
  decodeGo,
  decodeTicket,
  edgeOf,
  encodeChallenge,
  encodeGo,
  encodeRefusal,
  encodeTicket,
  feedKeys,
  isChallengeOf,
  isTicketOf,
  nonceOf,
  provedBytes,
  proveGo,
  type Ticket,
  takeGo,
  ticketBytes,
  ticketBytesOf,
} from '../../../src/protocol/ticket.js'
import fc from '../../support/property.js'
import { hex } from './parts.js'
import { refusal } from './support.js'

const key = new Uint8Array(32).fill(7)
const seed = new Uint8Array(32).fill(8)
const nonce = fc.uint8Array({ minLength: 32, maxLength: 32 })
const anyTicket: fc.Arbitrary<Ticket> = fc
  .record({
    transfer: hex(32),
    from: fc.nat({ max: 0xffff_ffff }),
    to: fc.nat({ max: 0xffff_ffff }),
    edgeId: hex(32),
    nonce,
    isBeside: fc.boolean(),
  })
  .filter(({ from, to }) => from !== to)
const place = { transfer: '77'.repeat(16), from: 3, to: 5 }
const nonces = { dialler: new Uint8Array(32).fill(1), acceptor: new Uint8Array(32).fill(2) }

describe('a ticket', () => {
  it('comes back as it was, and is of its key only', () => {
    fc.assert(
      fc.property(anyTicket, (ticket) => {
        const bytes = encodeTicket(nodePrimitives, key, ticket)
        expect([bytes.length, ticketBytesOf(bytes)]).toEqual([ticketBytes, ticketBytes])
        expect({ isBeside: false, ...decodeTicket(bytes) }).toEqual(ticket)
        expect(isTicketOf(nodePrimitives, key, bytes)).toBe(true)
        expect(isTicketOf(nodePrimitives, seed, bytes)).toBe(false)
      }),
    )
  })

  it('is refused for anything that is not as it must be', () => {
    const sound = encodeTicket(nodePrimitives, key, {
      ...place,
      edgeId: '99'.repeat(16),
      nonce: nonces.dialler,
    })
    const changed = (at: number, byte: number): Uint8Array => {
      const bytes = Uint8Array.from(sound)
      bytes[at] = byte
      return bytes
    }
    refusal(() => decodeTicket(changed(0, 0xf8)))
    refusal(() => decodeTicket(changed(1, 2)), 'ERR_FR_VERSION')
    for (const bytes of [changed(2, 2), changed(3, 1), changed(4, 5)])
      refusal(() => decodeTicket(bytes))
    expect(decodeTicket(changed(2, 1))).toMatchObject({ isBeside: true })
    refusal(() => decodeTicket(sound.subarray(1)))
    expect(ticketBytesOf(new Uint8Array())).toBeNull()
    refusal(() => ticketBytesOf(Uint8Array.of(0x47)))
  })
})

describe('an answer', () => {
  const edge = edgeOf(nodePrimitives, seed, [3, 5])
  const keys = feedKeys(nodePrimitives, edge, place, nonces)

  it('is a challenge with a nonce, or go', () => {
    const challenge = encodeChallenge(nodePrimitives, keys, nonces.acceptor)
    expect(answerBytes(challenge)).toBe(challenge.length)
    expect(nonceOf(challenge)).toEqual(nonces.acceptor)
    expect(isChallengeOf(nodePrimitives, keys, challenge)).toBe(true)
    expect(answerBytes(encodeGo())).toBe(encodeGo().length)
    refusal(() => decodeGo(challenge))
    refusal(() => nonceOf(encodeGo()))
    expect(answerBytes(challenge.subarray(0, 3))).toBeNull()
  })

  it('says what the acceptor lacks, in ranges that are sorted and do not touch', () => {
    const lacking = {
      ranges: [[0, 65_536] as const, [2 ** 40, 2 ** 50] as const],
      receivedBytes: 7,
    }
    const go = encodeGo(lacking)
    expect([go.length, answerBytes(go), decodeGo(go)]).toEqual([44, 44, lacking])
    expect(decodeGo(encodeGo({ ranges: [], receivedBytes: 0 })).ranges).toEqual([])
    refusal(() => decodeGo(go.subarray(0, 43)))
    for (const ranges of [
      [[0, 0]],
      [
        [4, 4],
        [8, 1],
      ],
      [
        [9, 1],
        [0, 1],
      ],
      [[1, 2 ** 53 - 1]],
    ] as const)
      refusal(() => decodeGo(encodeGo({ ranges, receivedBytes: 0 })))
    const tooLarge = Uint8Array.from(go)
    tooLarge[11] = 0x20
    refusal(() => decodeGo(tooLarge))
    refusal(() => answerBytes(Uint8Array.of(0xfa, 1, 0x01, 0x04)))
  })

  it('has its go proved: no byte of it can be changed, cut off or taken from another', () => {
    const lacking = { ranges: [[0, 65_536] as const], receivedBytes: 7 }
    const go = proveGo(nodePrimitives, keys, lacking)
    expect([go.length, provedBytes(go)]).toEqual([44, 44])
    expect(takeGo(nodePrimitives, keys, go)).toEqual(lacking)
    for (let at = 2; at < go.length; at++) {
      const changed = Uint8Array.from(go)
      changed[at] = (changed[at] as number) ^ 1
      refusal(() => takeGo(nodePrimitives, keys, changed), 'ERR_FR_SPOILT')
    }
    for (const cut of [go.subarray(0, 28), go.subarray(0, 12), go.subarray(0, 4)])
      refusal(() => takeGo(nodePrimitives, keys, cut), 'ERR_FR_SPOILT')
    const other = feedKeys(nodePrimitives, edge, place, { ...nonces, dialler: nonces.acceptor })
    refusal(() => takeGo(nodePrimitives, other, go), 'ERR_FR_SPOILT')
    const challenge = encodeChallenge(nodePrimitives, keys, nonces.acceptor)
    expect(provedBytes(challenge)).toBe(challenge.length)
    refusal(() => takeGo(nodePrimitives, keys, challenge))
  })

  it('is a refusal, cleaned', () => {
    const bytes = encodeRefusal('ERR_FR_BUSY', 'a\u0007b')
    expect(answerBytes(bytes)).toBe(bytes.length)
    const take = (answer: Uint8Array) => takeGo(nodePrimitives, keys, answer)
    for (const read of [nonceOf, decodeGo, take]) {
      const error = refusal(() => void read(bytes), 'ERR_FR_BUSY')
      expect([error.message, isSaidByPeer(error)]).toEqual(['the peer says: a?b', true])
    }
    const longest = encodeRefusal('ERR_FR_BUSY', '\ud83d\ude00'.repeat(10_000))
    expect(answerBytes(longest)).toBe(longest.length)
    refusal(() => answerBytes(Uint8Array.of(0xf9, 1, 0xff, 0xff)))
  })
})

describe('secrets', () => {
  it('of an edge are the same from both ends, and of no other edge', () => {
    const pairs = [-1, 0, 1, 2].flatMap((a) => [-1, 0, 1, 2].map((b) => [a, b] as const))
    const different = new Set<string>()
    for (const [a, b] of pairs.filter(([a, b]) => a < b)) {
      const edge = edgeOf(nodePrimitives, seed, [a, b])
      expect(edgeOf(nodePrimitives, seed, [b, a])).toEqual(edge)
      different.add(edge.id).add(Buffer.from(edge.secret).toString('hex'))
    }
    expect(different.size).toBe(12)
  })

  it('of a connection are byte exact, and differ by direction, nonces and transfer', () => {
    const edge = edgeOf(nodePrimitives, seed, [3, 5])
    const keys = feedKeys(nodePrimitives, edge, place, nonces)
    const info = Buffer.concat([
      Buffer.from('fastreplica 1 feed'),
      Buffer.from('0300000005000000', 'hex'),
      Buffer.from(place.transfer, 'hex'),
    ])
    const salt = Buffer.concat([nonces.dialler, nonces.acceptor])
    const all = Buffer.from(hkdfSync('sha256', edge.secret, salt, info, 72))
    expect(Buffer.from(keys.challengeKey)).toEqual(all.subarray(0, 32))
    expect(Buffer.from(keys.confirmKey)).toEqual(all.subarray(32, 64))
    expect(keys.recordSeed).toBe(all.readBigUInt64LE(64))
    expect(keys.seal).toBeUndefined()
    const sealed = feedKeys(nodePrimitives, { ...edge, isSealed: true }, place, nonces)
    const sealedInfo = Buffer.concat([Buffer.from('fastreplica 1 sealed feed'), info.subarray(18)])
    const more = Buffer.from(hkdfSync('sha256', edge.secret, salt, sealedInfo, 108))
    expect(Buffer.from(sealed.challengeKey)).toEqual(more.subarray(0, 32))
    expect(Buffer.from(sealed.seal ?? [])).toEqual(more.subarray(72))
    const others = [
      sealed,
      feedKeys(nodePrimitives, edge, { ...place, from: 5, to: 3 }, nonces),
      feedKeys(nodePrimitives, edge, { ...place, transfer: '78'.repeat(16) }, nonces),
      feedKeys(nodePrimitives, edge, place, { ...nonces, acceptor: nonces.dialler }),
      feedKeys(nodePrimitives, { ...edge, secret: seed }, place, nonces),
    ]
    const confirmations = [keys, ...others].map((each) =>
      Buffer.from(confirmation(nodePrimitives, each)).toString('hex'),
    )
    expect(new Set(confirmations).size).toBe(6)
    expect(new Set([keys, ...others].map((each) => each.recordSeed)).size).toBe(6)
  })
})
