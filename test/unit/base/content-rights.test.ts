/** What others may do with a content that is for some. */
import { expect, it } from 'vitest'
import { allowedBy, mayHave } from '../../../src/base/content-rights.js'
import { matchesCriteria, parseCriteria } from '../../../src/base/criteria.js'
import { limits } from '../../../src/base/limits.js'

const isMet = (criteria: string, attributes: Record<string, string>): boolean =>
  matchesCriteria(parseCriteria(criteria), attributes)

it('get is for those that match, or for whoever is met', () => {
  expect(allowedBy('get  team=studio&&!temp')).toBe('team=studio && !temp')
  expect(isMet(allowedBy(' get '), { id: 'ab' })).toBe(true)
  expect(isMet(allowedBy('get'), {})).toBe(false)
})

it.each(['', 'rm', 'got', 'get a &&', 'get, rm', 'team=studio', 'GET'])(
  '%j is no right',
  (text) => {
    expect(() => allowedBy(text)).toThrow(expect.objectContaining({ code: 'ERR_FR_CRITERIA' }))
  },
)

it('both sets may have it, and nobody else', () => {
  expect(mayHave('a && b', null)).toBe('a && b')
  const both = mayHave('a && b || e', allowedBy('get c || d && !a'))
  expect(both).toBe('a && b || e || c || d && !a')
  const may = (...keys: string[]) => isMet(both, Object.fromEntries(keys.map((key) => [key, '1'])))
  expect([may('a', 'b'), may('c'), may('d'), may('e')]).toEqual([true, true, true, true])
  expect([may('a'), may('b'), may('a', 'd'), may()]).toEqual([false, false, false, false])
  const long = `a=${'b'.repeat(limits.criteriaChars - 2)}`
  expect(mayHave(long, null)).toBe(long)
  expect(() => mayHave(long, 'c')).toThrow(expect.objectContaining({ code: 'ERR_FR_CRITERIA' }))
})
