/** What rights cover, and how they are refused. */
import { describe, expect, it } from 'vitest'
import { FrError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import { type RightName, Rights, rightNames, type Wanted } from '../../../src/base/rights.js'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const may = (text: string | null, right: RightName, name?: string | null): boolean =>
  Rights.parse(text).missing({
    right,
    ...(name !== undefined && { name: name === null ? null : bytes(name) }),
  }) === null

describe('rights', () => {
  it.each<[string | null, RightName, string | null | undefined, boolean]>([
    [null, 'admin', undefined, true],
    ['', 'push', 'a', true],
    ['attr site=eu', 'rm', 'a', true],
    ['none', 'status', undefined, false],
    ['none, attr site=eu', 'get', 'a', false],
    ['status', 'status', undefined, true],
    ['status', 'limit', undefined, false],
    ['push', 'push', 'any/name', true],
    ['push **', 'push', null, true],
    ['push models/**', 'push', 'models/a.bin', true],
    ['push models/**', 'push', 'models', true],
    ['push models/**', 'push', 'other/a.bin', false],
    ['push models/**', 'push', null, false],
    ['push models/**', 'get', 'models/a.bin', false],
    ['get a?, get b*', 'get', 'bcd', true],
    ['get a?, get b*', 'get', 'abc', false],
    ['get a.bin', 'get', 'a.bin@-1', true],
    ['get a.bin', 'get', 'b.bin@-1', false],
    ['rm', 'push', 'a', false],
    ['admin', 'rm', 'a', true],
    [' get  a b ,status ', 'get', 'a b', true],
  ])('%j: %s %s is %s', (text, right, name, isAllowed) =>
    expect(may(text, right, name)).toBe(isAllowed),
  )

  it('a pattern is covered by all names, or by itself', () => {
    const remove = (text: string, name: string): string | null =>
      Rights.parse(text).missing({ right: 'rm', name: bytes(name), isGlob: true })
    expect(remove('rm', '*')).toBeNull()
    expect(remove('rm tmp/*', 'tmp/*')).toBeNull()
    expect(remove('rm tmp/*', 'tmp/a*')).toBe('rm tmp/a*')
    expect(remove('rm *', '**')).toBe('rm **')
  })

  it('what is missing is named', () => {
    const missing = (wanted: Wanted) => Rights.parse('status').missing(wanted)
    expect(missing({ right: 'push', name: bytes('a/b') })).toBe('push a/b')
    expect(missing({ right: 'get', name: null })).toBe('get **')
    expect(missing({ right: 'limit' })).toBe('limit')
    expect(missing({ right: 'relay', or: 'push' })).toBe('relay or push')
    expect(Rights.parse('push x').missing({ right: 'relay', or: 'push' })).toBeNull()
  })

  it('say what is true of a peer', () => {
    expect(Rights.parse('get, attr site=eu, attr gpu').attributes).toEqual({ site: 'eu', gpu: '' })
    expect(Rights.parse('get').attributes).toBeNull()
    expect(Rights.parse(null).attributes).toBeNull()
  })

  it.each([
    ['psh a', '"psh a" is no right: push, get, status'],
    ['constructor', 'is no right'],
    ['status a', "'status' takes no names"],
    ['none, get', "'none' goes with no other right"],
    ['get,,push', '"" is no right'],
    ['attr name=x', 'name is given to each node'],
    ['attr a=1, attr a=2', 'attribute a is given twice'],
    ['attr 9', 'a letter first'],
    [
      Array(limits.rightsPerPeer + 1)
        .fill('get')
        .join(','),
      'more than 64 rights',
    ],
  ])('%j is refused', (text, why) => {
    let refusal: unknown
    try {
      Rights.parse(text)
    } catch (error) {
      refusal = error
    }
    expect(refusal).toBeInstanceOf(FrError)
    expect(refusal).toMatchObject({
      code: 'ERR_FR_CRITERIA',
      message: expect.stringContaining(why),
    })
  })

  it('of all kinds are given alone', () => {
    for (const right of Object.keys(rightNames) as RightName[])
      for (const other of Object.keys(rightNames) as RightName[])
        expect(may(right, other)).toBe(right === other || right === 'admin')
  })
})
