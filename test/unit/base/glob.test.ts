/** Which names a pattern matches, and that no pattern costs more than its bound. */

import { describe, expect, it } from 'vitest'
import { Glob, globFault, globOf } from '../../../src/base/glob.js'
import { limits } from '../../../src/base/limits.js'
import fc from '../../support/property.js'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const isMatch = (glob: string, name: string): boolean =>
  new Glob(bytesOf(glob)).matches(bytesOf(name))

it('of a name matches that name alone, whatever is in it', () => {
  const part = fc.string({ unit: fc.constantFrom('*', '?', '\\', 'a', 'é', '/'), maxLength: 8 })
  fc.assert(
    fc.property(part, part, (name, other) => {
      const glob = new Glob(globOf(bytesOf(name)))
      expect(glob.matches(bytesOf(name))).toBe(true)
      expect(glob.matches(bytesOf(other))).toBe(name === other)
    }),
  )
})

describe('a glob', () => {
  it.each([
    ['a.bin', ['a.bin'], ['b/a.bin', 'a.bin2', 'A.bin', '']],
    ['*.bin', ['a.bin', '.bin'], ['a/b.bin', 'a.bin.old']],
    ['*', ['a', '.hidden'], ['a/b']],
    ['**', ['a', 'a/b', 'a/b/c'], []],
    ['**/*.bin', ['a.bin', 'a/b.bin', 'a/b/c.bin'], ['a/b', 'a/b.bin/c']],
    ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z', 'a/z/z'], ['a/zz', 'b/a/z', 'a']],
    ['a/**', ['a', 'a/b', 'a/b/c'], ['ab', 'b/a']],
    ['**/a/**/b/*', ['a/b/c', 'x/a/a/y/b/b/c'], ['a/b', 'b/a/c']],
    ['a**b', ['ab', 'axxb'], ['a/b']],
    ['*a*b*', ['ab', 'xaxxbx', 'aab'], ['ba', 'b']],
    ['?', ['a', 'é', '🙂', '*'], ['', 'ab', '/']],
    ['??', ['ab', 'é🙂'], ['é']],
    ['\\*\\?', ['*?'], ['ab', '\\*\\?']],
    ['\\\\', ['\\'], ['\\\\']],
    ['a\\', ['a\\'], ['a']],
    ['[ab]', ['[ab]'], ['a', 'b']],
    ['{a,b}(+)$', ['{a,b}(+)$'], ['a']],
    ['/a', [], ['a']],
    ['a/', [], ['a']],
  ])('%s', (glob, right, wrong) => {
    expect(right.filter((name) => !isMatch(glob, name))).toEqual([])
    expect(wrong.filter((name) => isMatch(glob, name))).toEqual([])
  })

  it('takes bytes as characters where a name or the pattern is not UTF-8', () => {
    const raw = Uint8Array.of(0x61, 0xff, 0xc3, 0xa9)
    const matches = (...glob: number[]): boolean => new Glob(Uint8Array.from(glob)).matches(raw)
    expect(matches(0x2a)).toBe(true)
    expect(matches(0x61, 0x3f, 0x3f, 0x3f)).toBe(true)
    expect(matches(0x61, 0xff, 0x2a)).toBe(true)
    expect(matches(0x61, 0xfe, 0x2a)).toBe(false)
    expect(new Glob(Uint8Array.of(0xff, 0x2a)).matches(bytesOf('a'))).toBe(false)
  })

  it('spells every name once its wildcards are escaped', () => {
    const name = fc.string({ unit: fc.constantFrom('a', '*', '?', '\\', '/', 'é'), minLength: 1 })
    fc.assert(
      fc.property(name, name, (one, other) => {
        const glob = one.replace(/[*?\\]/g, '\\$&')
        expect(isMatch(glob, one)).toBe(true)
        expect(isMatch(glob, other)).toBe(one === other)
      }),
    )
  })

  it('agrees with a matcher that tries everything', () => {
    const text = (letters: string): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 9 })
    fc.assert(
      fc.property(text('ab*?/'), text('ab/'), (glob, name) => {
        expect(isMatch(glob, name)).toBe(plainly(glob.split('/'), name.split('/')))
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['*a'.repeat(2_047), `${'a'.repeat(254)}b`],
    [`${'**/'.repeat(1_000)}b`, 'a/'.repeat(2_000)],
    ['**/*a*a*a*a*a*b/'.repeat(250).slice(0, -1), `${'a'.repeat(255)}/`.repeat(16).slice(0, -1)],
    ['*'.repeat(4_096), 'a'.repeat(4_096)],
  ])('has a bound on its steps (%#)', (text, name) => {
    const glob = new Glob(bytesOf(text))
    glob.matches(bytesOf(name))
    expect(glob.steps).toBeGreaterThan(0)
    expect(glob.steps).toBeLessThanOrEqual((text.length + 2) * (name.length + 1))
  })

  it('is refused only where no name could have its length', () => {
    expect(globFault(bytesOf('[*'))).toBeNull()
    expect(globFault(new Uint8Array())).toBe('it is empty')
    expect(globFault(bytesOf('a\0'))).toBe('it holds a NUL')
    expect(globFault(new Uint8Array(limits.nameBytes + 1).fill(0x2a))).toMatch(/longer than 4096/)
  })
})

/** Both as components: tries every number of components for `**`. */
function plainly([first, ...rest]: string[], name: string[]): boolean {
  if (first === undefined) return name.length === 0
  if (first === '**') return [...name, ''].some((_, taken) => plainly(rest, name.slice(taken)))
  const [component, ...more] = name
  return component !== undefined && partly(first, component) && plainly(rest, more)
}

function partly(glob: string, text: string): boolean {
  if (glob === '') return text === ''
  if (glob[0] === '*')
    return [...text, ''].some((_, taken) => partly(glob.slice(1), text.slice(taken)))
  const isFit = text !== '' && (glob[0] === '?' || glob[0] === text[0])
  return isFit && partly(glob.slice(1), text.slice(1))
}
