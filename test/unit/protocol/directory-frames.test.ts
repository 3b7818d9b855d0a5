/** Frames of a directory that break its rules. */
import { expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.js'
import { limits } from '../../../src/base/limits.js'
import { decodeBody } from '../../../src/protocol/frames.js'

const id = 'ab'.repeat(16)
const enroll = {
  ...{ address: '10.0.0.1:7400', site: '', below: 0, dictionary: id, bits: 0, depth: null },
}
const lineage = { path: [], grandparent: null, deputy: null, room: null }
const rollUp = { dictionary: id, some: '', every: '', count: 1, isWhole: true, room: null }
const page = { id, at: 0, entries: ['a=1'], isLast: true, isFull: false }

const many = (count: number): string[] => Array.from({ length: count }, () => id)

it.each([
  ['a child at no address', 140, { ...enroll, address: 'x' }],
  ['a child that knows more bits than there are', 140, { ...enroll, bits: 4_097 }],
  ['a child that is too far down', 140, { ...enroll, depth: 65 }],
  ['a lineage that is too long', 142, { ...lineage, path: many(65) }],
  ['a place too far below', 142, { ...lineage, room: { depth: 65, address: 'h:1' } }],
  ['a place nowhere', 142, { ...lineage, room: { depth: 1, address: 'x' } }],
  ['a lineage of what is no id', 142, { ...lineage, path: ['x'] }],
  ['bits that are none', 145, { ...rollUp, some: '0000000g' }],
  ['half a word of bits', 145, { ...rollUp, every: '0000' }],
  ['more bits than there are', 145, { ...rollUp, some: '0'.repeat(1_032) }],
  ['a place too far down', 145, { ...rollUp, room: 65 }],
  ['a roll-up of nobody', 145, { ...rollUp, count: 0 }],
  ['an attribute without a value', 147, { ...page, entries: ['a'] }],
  ['an attribute of a wrong key', 146, { entries: ['1=a'] }],
  ['an attribute of a wrong value', 146, { entries: ['a=\u0007'] }],
  ['too many attributes at once', 146, { entries: many(513).map(() => 'a=1') }],
  ['criteria that cannot be read', 149, { query: 1, criteria: 'a &&', forMs: 1 }],
  ['criteria that are too long', 157, { criteria: 'a'.repeat(1_025) }],
  ['an announcement that is too long', 152, { id, record: 'A'.repeat(131_073) }],
  ['too many ids', 153, { ids: many(limits.historyCount + 1) }],
  ['too many that are wanted', 155, { ids: many(limits.wantedAtOnce + 1) }],
])('refuses %s', (_, type, body) => {
  const read = (): unknown => decodeBody(type, utf8(JSON.stringify(body)))
  expect(read).toThrow(expect.objectContaining({ code: 'ERR_FR_PROTOCOL' }))
})

it('takes criteria in any form, and gives them in one', () => {
  const frame = decodeBody(157, utf8(JSON.stringify({ criteria: 'a  &&( b!=1 )' })))
  expect(frame).toEqual({ type: 'where', criteria: 'a && !b=1' })
})
