/** What criteria mean, how they are refused, and that text and meaning go together. */

import { describe, expect, it } from 'vitest'
import { type Attributes, attributesFault, numberOf } from '../../../src/base/attributes.js'
import {
  type Criteria,
  canonical,
  judged,
  matchesCriteria,
  parseCriteria,
  type Term,
  type Verdict,
} from '../../../src/base/criteria.js'
import { FrError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import fc from '../../support/property.js'

const node: Attributes = { site: 'eu', tier: 'edge', gpu: '', name: 'edge-7', ram: '64.5' }
const isMeant = (text: string, attributes = node): boolean =>
  matchesCriteria(parseCriteria(text), attributes)

describe('criteria', () => {
  it.each([
    ['site=eu && (tier=edge || gpu) && !legacy', true],
    ['site=us', false],
    ['gpu', true],
    ['legacy', false],
    ['gpu=""', true],
    ['gpu=?', false],
    ['name=edge-*', true],
    ['name=edge-?', true],
    ['name=edge-\\*', false],
    ['site!=us', true],
    ['site!=eu', false],
    ['zone!=b', true],
    ['!site=eu', false],
    ['!!gpu', true],
    ['ram>=64', true],
    ['ram>64.5', false],
    ['ram<=64.5', true],
    ['ram<-1', false],
    ['site>0', false],
    ['none<1', false],
    ['site=us || site=eu && gpu', true],
    ['(site=us || site=eu) && !gpu', false],
    ['site = "eu"', true],
    ['constructor', false],
    ['__proto__', false],
  ])('%s: %s', (text, isTrue) => expect(isMeant(text)).toBe(isTrue))

  it.each([
    ['  site=eu&&( tier = edge||gpu )', 'site=eu && (tier=edge || gpu)'],
    ['(a && b) && (c)', 'a && b && c'],
    ['a || (b || c) && d', 'a || (b || c) && d'],
    ['!(!a)', 'a'],
    ['a!=b', '!a=b'],
    ['!(a || b)', '!(a || b)'],
    ['a="b"', 'a=b'],
    ['a="b c\\"\\*"', 'a="b c\\"\\*"'],
    ['a=b\\c\\&', 'a="bc&"'],
    ['a=\\\\', 'a=\\\\'],
    ['a<1.50', 'a<1.5'],
    ['a>-0', 'a>0'],
    ['n=straße*', 'n=straße*'],
  ])('%s is written %s', (text, form) => {
    expect(canonical(parseCriteria(text))).toBe(form)
    expect(parseCriteria(form)).toEqual(parseCriteria(text))
  })

  it.each([
    ['', 1, "the name of an attribute, '!' or '(' is expected, not the end"],
    ['site=', 6, 'a value is expected, not the end'],
    ['site=eu &&', 11, 'is expected, not the end'],
    ['site=eu & x', 9, '"&" is not expected'],
    ['site=eu tier', 9, `'&&', '||' or the end is expected, not "tier"`],
    ['(a', 3, "'&&', '||' or ')' is expected, not the end"],
    ['a)', 2, `'&&', '||' or the end is expected, not ")"`],
    ['a==b', 3, 'a value is expected, not "="'],
    ['ram>x', 5, 'a number is expected, not "x"'],
    ['9a', 1, 'the attribute "9a" is not letters'],
    ['"a"', 1, 'the name of an attribute'],
    ['a="b', 3, 'the quotation mark has no end'],
    ['a=b\\', 4, 'a backslash takes the next character'],
    ['a=b\u0001', 4, 'a control character'],
    ['a="\\\n"', 5, 'a control character'],
    ['a=\ud800', 1, 'they are no valid Unicode'],
    [`${'k'.repeat(64)}=1`, 1, 'is longer than 63 characters'],
  ])('%j is refused at %i', (text, at, why) => {
    const error = refusalOf(text)
    expect(error.code).toBe('ERR_FR_CRITERIA')
    expect(error.message).toContain(`criteria, character ${at}: `)
    expect(error.message).toContain(why)
  })

  it('have bounds of length, terms and depth', () => {
    const terms = (count: number): string => Array(count).fill('a').join('||')
    const nested = (depth: number): string => `${'('.repeat(depth)}a${')'.repeat(depth)}`
    expect(parseCriteria(terms(limits.criteriaTerms)).type).toBe('any')
    expect(refusalOf(terms(limits.criteriaTerms + 1)).message).toContain('more than 64 terms')
    expect(parseCriteria(nested(limits.criteriaDepth))).toEqual({ type: 'has', key: 'a' })
    expect(refusalOf(nested(limits.criteriaDepth + 1)).message).toContain('more than 16 deep')
    expect(refusalOf(`${'!'.repeat(900)}a`).message).toContain('more than 16 deep')
    const long = `a=${'x'.repeat(limits.criteriaChars - 2)}`
    expect(canonical(parseCriteria(long))).toBe(long)
    expect(refusalOf(`${long}x`).message).toContain('longer than 1024 characters')
    // Three characters more in its canonical form.
    expect(refusalOf(`a=\\ ${'x'.repeat(limits.criteriaChars - 4)}`).message).toContain('longer')
  })
})

function refusalOf(text: string): FrError {
  try {
    parseCriteria(text)
  } catch (error) {
    if (error instanceof FrError) return error
    throw error
  }
  throw new Error(`${text} was taken`)
}

// --- against a model ---

const key: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'c_1', 'name', 'x.y-z')
const value = fc.oneof(
  fc.constantFrom('', '1', '2.5', '-3', 'eu', '*', '?', '\\', 'a b', '"', '&&', '(', 'ü🙂'),
  fc.string({ unit: 'binary', maxLength: 8 }).filter((text) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)),
)
const attributes = fc.dictionary(key, value, { maxKeys: 5 })

/** A term, and what it should say. */
type Model = { readonly text: string; readonly isTrue: (of: Attributes) => boolean }

const orders = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
}

const quoted = (text: string): string => `"${text.replace(/["*?\\]/g, '\\$&')}"`

const term: fc.Arbitrary<Model> = fc.oneof(
  key.map((key) => ({ text: key, isTrue: (of: Attributes) => Object.hasOwn(of, key) })),
  fc.tuple(key, value, fc.constantFrom('=', '!=')).map(([key, value, sign]) => ({
    text: `${key} ${sign}${quoted(value)}`,
    isTrue: (of: Attributes) => (Object.hasOwn(of, key) && of[key] === value) === (sign === '='),
  })),
  fc
    .tuple(key, fc.integer({ min: -4, max: 4 }), fc.constantFrom('<', '<=', '>', '>='))
    .map(([key, to, order]) => ({
      text: `${key}${order} ${to}`,
      isTrue: (of: Attributes) => {
        const number = numberOf(Object.hasOwn(of, key) ? (of[key] ?? '') : '')
        return number !== null && orders[order](number, to)
      },
    })),
)

const model = fc.letrec<{ any: Model }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    term,
    tie('any').map(({ text, isTrue }) => ({
      text: `!(${text})`,
      isTrue: (of: Attributes) => !isTrue(of),
    })),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => ({
      text: `(${a.text}) && (${b.text})`,
      isTrue: (of: Attributes) => a.isTrue(of) && b.isTrue(of),
    })),
    fc.tuple(tie('any'), tie('any')).map(([a, b]) => ({
      text: `(${a.text})||(${b.text})`,
      isTrue: (of: Attributes) => a.isTrue(of) || b.isTrue(of),
    })),
  ),
})).any

const parsedOrNull = (text: string): Criteria | null => {
  try {
    return parseCriteria(text)
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_FR_CRITERIA' })
    return null
  }
}

describe('any criteria', () => {
  it('mean what a model says, and still do in their canonical form', () => {
    let parsed = 0
    fc.assert(
      fc.property(model, attributes, ({ text, isTrue }, of) => {
        const criteria = parsedOrNull(text)
        if (criteria === null) return
        parsed++
        expect(matchesCriteria(criteria, of)).toBe(isTrue(of))
        const form = canonical(criteria)
        expect(parseCriteria(form)).toEqual(criteria)
        expect(canonical(parseCriteria(form))).toBe(form)
      }),
      { numRuns: 1_000 },
    )
    // Bounds refuse some.
    expect(parsed).toBeGreaterThan(500)
  })

  it('are read or refused by one code, whatever is written', () => {
    const piece = fc.constantFrom(
      ...['a', 'b', '=', '!=', '!', '(', ')', '&&', '||', '<', '>=', '"', '\\', ' ', '*', '1', 'ü'],
    )
    const soup = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), (text) => {
        const criteria = parsedOrNull(text)
        if (criteria !== null) expect(parseCriteria(canonical(criteria))).toEqual(criteria)
      }),
      { numRuns: 2_000 },
    )
  })

  it('are judged by part of the attributes as all that is possible allows', () => {
    const unsure = fc.tuple(model, attributes, fc.uniqueArray(key))
    fc.assert(
      fc.property(
        unsure,
        fc.array(attributes, { minLength: 1 }),
        ([{ text }, of, hidden], ways) => {
          const criteria = parsedOrNull(text)
          if (criteria === null) return
          const known = (term: Term): Verdict =>
            hidden.includes(term.key) ? 'maybe' : matchesCriteria(term, of) ? 'yes' : 'no'
          const verdict = judged(criteria, known)
          if (verdict === 'maybe') return
          // Whatever the hidden attributes are, the answer stays.
          const rest = Object.entries(of).filter(([key]) => !hidden.includes(key))
          for (const way of ways) {
            const other = Object.entries(way).filter(([key]) => hidden.includes(key))
            const all = Object.fromEntries([...rest, ...other])
            expect(matchesCriteria(criteria, all)).toBe(verdict === 'yes')
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('attributes of a node', () => {
  it.each([
    [{ region: 'eu', gpu: '', ram: '64' }, null],
    [{ name: 'x' }, 'name is given to each node'],
    [{ 'a b': 'x' }, 'is not letters'],
    [{ a: 'x\n' }, 'holds a control character'],
    [{ a: '\ud800' }, 'is no valid Unicode'],
    [{ a: 'x'.repeat(256) }, 'is longer than 255 characters'],
    [Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`k${n}`, ''])), 'more than 32'],
    [Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`k${n}`, 'x'.repeat(200)])), '1024'],
  ] as const)('%j', (of, why) => {
    const fault = attributesFault(of as Attributes)
    if (why === null) expect(fault).toBeNull()
    else expect(fault).toContain(why)
  })
})
