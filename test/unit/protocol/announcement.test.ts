import { describe, expect, it } from 'vitest'
import { concat, utf8 } from '../../../src/base/bytes.js'
import type { Track } from '../../../src/base/division.js'
import { limits } from '../../../src/base/limits.js'
import type { RangePair } from '../../../src/base/ranges.js'
import { nodePrimitives } from '../../../src/net/crypto.js'
import {
  type AnnouncementDraft,
  readAnnouncement,
  signAnnouncement,
} from '../../../src/protocol/announcement.js'
import fc from '../../support/property.js'
import { onlyFrError, refusal, seededSigner } from './support.js'

const author = seededSigner(1)

const index: Track = { name: 'index', ranges: [[900_000, 100_000]], bitRate: null, cuts: [] }
const media: Track = {
  name: 'media',
  ranges: [[0, 900_000]],
  bitRate: 2_000_000,
  cuts: [70_000, 300_000, 899_999],
}
const draft: AnnouncementDraft = {
  kind: 'publish',
  name: 'films/é.mp4',
  contentId: '0123456789abcdef'.repeat(2),
  digest: `blake3:${'ab'.repeat(32)}`,
  size: 1_000_000,
  where: 'region=eu && tier=edge',
  allow: 'team=studio',
  issuedAtMs: 1_800_000_000_000,
  expiresAtMs: 1_800_000_060_000,
  initiator: { nodeId: 'cd'.repeat(16), address: '10.0.0.1:7400', site: 'ams' },
  division: { format: 'mp4', isLinear: false, blockBytes: 500_000, tracks: [index, media] },
}

const sign = (changes: Partial<AnnouncementDraft> = {}): Uint8Array =>
  signAnnouncement(author, { ...draft, ...changes })
const read = (record: Uint8Array) => readAnnouncement(nodePrimitives, record)

/** A record over any body, signed by the author. */
function recordOf(body: Uint8Array): Uint8Array {
  return concat(author.sign(concat(utf8('fastreplica 1 announcement'), body)), body)
}

/** The body of the draft with something else in it, signed by the author. */
function altered(change: (body: Record<string, unknown>) => void): Uint8Array {
  const body = JSON.parse(Buffer.from(sign().subarray(limits.signatureBytes)).toString())
  change(body)
  return recordOf(utf8(JSON.stringify(body)))
}

describe('an announcement', () => {
  it('says what its author has said, under an id that is of what it says', () => {
    const said = read(sign())
    const key = Buffer.from(author.publicKey).toString('hex')
    expect(said).toEqual({ ...draft, id: said.id, author: key })
    expect(said.id).toMatch(/^[0-9a-f]{32}$/)
    expect(read(sign()).id).toBe(said.id)
    expect(read(sign({ issuedAtMs: draft.issuedAtMs + 1 })).id).not.toBe(said.id)
  })

  it('says nothing of others where nobody else may have the content', () => {
    expect(read(sign({ allow: null })).allow).toBe(null)
    expect(Buffer.from(sign({ allow: null })).includes('allow')).toBe(false)
  })

  it('withdraws without a division', () => {
    const division = { ...draft.division, tracks: [] }
    expect(read(sign({ kind: 'unpublish', division })).kind).toBe('unpublish')
    refusal(() => read(sign({ kind: 'publish', division })))
    refusal(() => read(sign({ kind: 'unpublish' })))
  })

  it('is refused once a bit of it is different', () => {
    const record = sign()
    fc.assert(
      fc.property(fc.nat({ max: record.length * 8 - 1 }), (bit) => {
        const forged = record.slice()
        forged[bit >> 3] = (forged[bit >> 3] as number) ^ (1 << (bit & 7))
        refusal(() => read(forged))
      }),
      { numRuns: 200 },
    )
  })

  it('is refused under the name of somebody else', () => {
    const other = Buffer.from(seededSigner(2).publicKey).toString('hex')
    const record = altered((body) => Object.assign(body, { author: other }))
    expect(refusal(() => read(record)).message).toMatch(/signature/)
  })

  it.each<[string, (body: Record<string, unknown>) => void]>([
    ['criteria that are not canonical', (body) => Object.assign(body, { only: 'a  &&  b' })],
    ['no criteria', (body) => delete body['only']],
    ['criteria that cannot be read', (body) => Object.assign(body, { only: 'a &&' })],
    ['rights of others that cannot be read', (body) => Object.assign(body, { allow: 'get a' })],
    [
      'criteria that are too long together',
      (body) => {
        const allow = `c=${'d'.repeat(500)}`
        Object.assign(body, { only: `a=${'b'.repeat(600)}`, allow })
      },
    ],
    ['an empty name', (body) => Object.assign(body, { name: '' })],
    ['a name that is too long', (body) => Object.assign(body, { name: 'é'.repeat(4_000) })],
    ['no address', (body) => Object.assign(body['initiator'] as object, { address: 'x' })],
    ['an expiry before its issue', (body) => Object.assign(body, { expiresAtMs: 1 })],
    ['another kind', (body) => Object.assign(body, { kind: 'sell' })],
    ['a digest of a tree', (body) => Object.assign(body, { digest: `tree:${'ab'.repeat(32)}` })],
    ['a larger content than its tracks', (body) => Object.assign(body, { size: 1_000_001 })],
    ['another format', (body) => Object.assign(body['division'] as object, { format: 'avi' })],
    ['no division', (body) => Object.assign(body, { division: null })],
    [
      'half a range',
      (body) => {
        const { tracks } = body['division'] as { tracks: { ranges: number[] }[] }
        tracks[0]?.ranges.push(1)
      },
    ],
    [
      'cuts beyond all numbers',
      (body) => {
        const { tracks } = body['division'] as { tracks: { gaps: number[] }[] }
        tracks[0]?.gaps.push(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
      },
    ],
  ])('with %s is refused though it is signed', (_, change) => {
    refusal(() => read(altered(change)))
  })

  it('of the largest kind fits its bound, and more is refused', () => {
    const ranges = Array.from(
      { length: limits.trackRanges },
      (_, at): RangePair => [at === 0 ? 0 : 2 ** 52 + 2 * at, at === 0 ? 2 ** 52 + 2 : 2],
    )
    const size = 2 ** 52 + 2 * limits.trackRanges
    const cuts = Array.from({ length: limits.trackCuts }, (_, at) => (at + 1) * 2 ** 41 - at)
    const where = `a="${'é'.repeat(limits.criteriaChars - 4)}"`
    const tracks = [{ name: 'all', ranges, bitRate: 1, cuts }]
    const division = { ...draft.division, blockBytes: limits.blockFileBytesMax, tracks }
    const name = '\u0001'.repeat(limits.nameBytes)
    const largest = { allow: null, division, size, name, where: where.replaceAll('"', '') }
    expect(read(sign(largest)).division.tracks).toEqual(tracks)
    const record = sign()
    const long = concat(record, new Uint8Array(limits.announcementBytes))
    expect(refusal(() => read(long)).message).toMatch(/more than/)
  })

  it('made of garbage is refused, never worse', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (junk) => onlyFrError(() => read(junk))),
    )
    fc.assert(
      fc.property(fc.json(), (text) => onlyFrError(() => read(recordOf(utf8(text))))),
      { numRuns: 100 },
    )
  })
})
