/** What requests for files ask for, over all that may be written. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Asked,
  dateOf,
  httpDate,
  judge,
  nameIn,
  pathOf,
  type Representation,
  rangesMax,
  rangesOf,
} from '../../../src/doors/files/semantics.js'

const file: Representation = { etag: '"a"', modifiedMs: 784_111_777_500, size: 1000, there: 1000 }
const date = 'Sun, 06 Nov 1994 08:49:37 GMT'
const later = 'Sun, 06 Nov 1994 08:49:38 GMT'
const before = 'Sun, 06 Nov 1994 08:49:36 GMT'

describe('ranges', () => {
  it.each([
    ['bytes=0-0', [[0, 1]]],
    ['bytes=0-', [[0, 1000]]],
    ['BYTES=5-9', [[5, 5]]],
    ['bytes=999-', [[999, 1]]],
    ['bytes=990-99999999999999999999', [[990, 10]]],
    ['bytes=-1', [[999, 1]]],
    ['bytes=-5000', [[0, 1000]]],
    [
      'bytes=1-2, 4-5,,-3',
      [
        [1, 2],
        [4, 2],
        [997, 3],
      ],
    ],
    ['bytes=1000-, 3-4', [[3, 2]]],
    ['bytes=1000-', []],
    ['bytes=-0', []],
    ['bytes=5-4', null],
    ['bytes=', null],
    ['bytes=,', null],
    ['bytes=-', null],
    ['bytes=a-b', null],
    ['bytes=1-2-3', null],
    ['bytes=+1-2', null],
    ['bytes=0x1-2', null],
    ['bytes 1-2', null],
    ['lines=1-2', null],
    ['bytes=0-999,0-0', null],
    [`bytes=${Array.from({ length: rangesMax + 1 }, (_, i) => `${i}-${i}`).join()}`, null],
  ])('%s', (header, wanted) => {
    const found = rangesOf(header, file)
    expect(found?.map(({ offset, length }) => [offset, length]) ?? null).toEqual(wanted)
  })

  it('of what is still written are of what is there', () => {
    const growing = { ...file, size: null, there: 10 }
    expect(rangesOf('bytes=4-', growing)).toEqual([{ offset: 4, length: 6 }])
    expect(rangesOf('bytes=4-90', growing)).toEqual([{ offset: 4, length: 6 }])
    expect(rangesOf('bytes=10-', growing)).toEqual([])
    expect(rangesOf('bytes=-4', growing)).toBeNull()
  })

  it('never lie beyond the file, whatever is asked', () => {
    const number = fc.oneof(fc.constant(''), fc.maxSafeNat().map(String), fc.nat(30).map(String))
    const part = fc.oneof(
      fc.tuple(number, number).map((ends) => ends.join('-')),
      fc.string({ maxLength: 6 }),
    )
    const header = fc.array(part, { maxLength: 20 }).map((parts) => `bytes=${parts.join(',')}`)
    const check = (text: string, size: number, isFinal: boolean): void => {
      const found = rangesOf(text, { ...file, size: isFinal ? size : null, there: size })
      for (const { offset, length } of found ?? []) {
        expect(offset).toBeGreaterThanOrEqual(0)
        expect(length).toBeGreaterThan(0)
        expect(offset + length).toBeLessThanOrEqual(size)
      }
      expect(found?.length ?? 0).toBeLessThanOrEqual(rangesMax)
    }
    fc.assert(fc.property(header, fc.nat(40), fc.boolean(), check))
  })
})

describe('conditions', () => {
  it.each<[string, Asked, number]>([
    ['none', {}, 200],
    ['a tag that it has', { 'if-none-match': '"x", W/"a"' }, 304],
    ['any tag', { 'if-none-match': '*' }, 304],
    ['another tag', { 'if-none-match': '"b"' }, 200],
    ['another tag, whatever the date', { 'if-none-match': '"b"', 'if-modified-since': date }, 200],
    ['not modified since', { 'if-modified-since': date }, 304],
    ['modified since', { 'if-modified-since': before }, 200],
    ['no date', { 'if-modified-since': 'yesterday' }, 200],
    ['a strong tag matches', { 'if-match': '"b","a"' }, 200],
    ['a weak tag never does', { 'if-match': 'W/"a"' }, 412],
    ['modified since then', { 'if-unmodified-since': before }, 412],
    ['unmodified since', { 'if-unmodified-since': later }, 200],
    ['If-Match is first', { 'if-match': '"a"', 'if-unmodified-since': before }, 200],
    ['a part', { range: 'bytes=1-2' }, 206],
    ['a part of what is still so', { range: 'bytes=1-2', 'if-range': '"a"' }, 206],
    ['a part of what was another', { range: 'bytes=1-2', 'if-range': '"b"' }, 200],
    ['a part by a weak tag', { range: 'bytes=1-2', 'if-range': 'W/"a"' }, 200],
    ['a part by its date', { range: 'bytes=1-2', 'if-range': date }, 206],
    ['a part by another date', { range: 'bytes=1-2', 'if-range': later }, 200],
    ['beyond its end', { range: 'bytes=1000-' }, 416],
    ['beyond the end of another', { range: 'bytes=1000-', 'if-range': '"b"' }, 200],
  ])('%s', (_, asked, status) => {
    expect(judge(asked, file).status).toBe(status)
  })
})

describe('dates', () => {
  it('have three forms', () => {
    for (const text of [date, 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
      expect(dateOf(text, 2026)).toBe(784_111_777)
    expect(dateOf('Sunday, 06-Nov-70 08:49:37 GMT', 2026)).toBe(
      dateOf(date.replace('1994', '2070')),
    )
    for (const text of [
      ...['', 'x', '784111777', 'Sun, 31 Feb 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37 CET'],
      ...['Sun, 06 Nox 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 24:49:37 GMT', `${date} `],
    ])
      expect(dateOf(text), text).toBeNull()
  })

  it('are read as they are written', () => {
    const check = (seconds: number): void => {
      expect(dateOf(httpDate(seconds * 1000 + 7))).toBe(seconds)
    }
    fc.assert(fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), check))
  })
})

describe('names in paths', () => {
  it('are the bytes that were meant, whatever they are', () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).filter((name) => !name.includes(0))
    const check = (name: Uint8Array): void => {
      const found = nameIn(`/files/${pathOf(name)}?a=/b`, '/files/')
      expect(Buffer.from(found ?? []).equals(Buffer.from(name))).toBe(true)
      expect(pathOf(name)).toMatch(/^[\x21-\x7e]*$/)
    }
    fc.assert(fc.property(bytes, check))
  })

  it.each([
    ...['/files', '/file/a', '/files/%', '/files/%2', '/files/%zz', '/files/a%00b'],
    ...['/files/a%2Fb', '/files/..%2f..%2fetc', 'http://x/files/a', '/%66iles/a'],
  ])('%s is none', (target) => {
    expect(nameIn(target, '/files/')).toBeNull()
  })
})
