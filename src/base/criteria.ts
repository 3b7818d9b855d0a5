/**
 * Criteria: the one language that says which nodes (or contents) are meant, by their attributes.
 *
 *     site=eu && (tier=edge || gpu) && !legacy && name=edge-* && ram>=64
 *
 *     criteria = and { "||" and }            and   = not { "&&" not }
 *     not      = "!" not | "(" criteria ")" | term
 *     term     = key                         the attribute is there
 *              | key "=" pattern             its value matches the pattern (glob.ts)
 *              | key "!=" pattern            the same as !key=pattern: also where it is not there
 *              | key ("<" "<=" ">" ">=") number      it is there, and is a number that compares so
 *     pattern  = word | '"' characters '"'   a backslash takes the next character as it is
 *
 * `canonical` writes criteria in one way only, which is what is signed. Parsed criteria are plain
 * objects: whoever judges by less than all attributes (a summary of many nodes) answers each term
 * with yes, no or maybe (`judged`).
 */
import { type Attributes, attributeOf, keyFault, numberOf } from './attributes.js'
import { textOf, utf8 } from './bytes.js'
import { FrError } from './errors.js'
import { Glob } from './glob.js'
import { limits } from './limits.js'

export type Order = '<' | '<=' | '>' | '>='

export type Term =
  | { readonly type: 'has'; readonly key: string }
  | { readonly type: 'is'; readonly key: string; readonly pattern: string }
  | { readonly type: 'compares'; readonly key: string; readonly order: Order; readonly to: number }

/** `all` and `any` have at least two parts, none of which is of their own type. */
export type Criteria =
  | Term
  | { readonly type: 'not'; readonly of: Criteria }
  | { readonly type: 'all' | 'any'; readonly of: readonly Criteria[] }

export type Verdict = 'yes' | 'no' | 'maybe'

/** Throws ERR_FR_CRITERIA, which says at which character (from 1 on) what was expected. */
export function parseCriteria(text: string): Criteria {
  return new Parser(text).parse()
}

/** Text that `parseCriteria` reads as the same criteria; of equal criteria it is the same text. */
export function canonical(criteria: Criteria): string {
  switch (criteria.type) {
    case 'has':
      return criteria.key
    case 'is':
      return `${criteria.key}=${written(criteria.pattern)}`
    case 'compares':
      return `${criteria.key}${criteria.order}${criteria.to}`
    case 'not':
      return `!${part(criteria.of)}`
    case 'all':
      return criteria.of.map(part).join(' && ')
    case 'any':
      return criteria.of
        .map((each) => (each.type === 'all' ? canonical(each) : part(each)))
        .join(' || ')
    default:
      return criteria satisfies never
  }
}

function part(criteria: Criteria): string {
  const text = canonical(criteria)
  return criteria.type === 'all' || criteria.type === 'any' ? `(${text})` : text
}

/** Whether a node, or whatever has these attributes, is meant. */
export function matchesCriteria(criteria: Criteria, attributes: Attributes): boolean {
  return judged(criteria, (term) => (holds(term, attributes) ? 'yes' : 'no')) === 'yes'
}

/** What follows from the verdicts on terms: `maybe` where they leave it open. */
export function judged(criteria: Criteria, judge: (term: Term) => Verdict): Verdict {
  switch (criteria.type) {
    case 'not': {
      const verdict = judged(criteria.of, judge)
      return verdict === 'maybe' ? verdict : verdict === 'yes' ? 'no' : 'yes'
    }
    case 'all':
    case 'any': {
      const final = criteria.type === 'all' ? 'no' : 'yes'
      const verdicts = criteria.of.map((each) => judged(each, judge))
      if (verdicts.includes(final)) return final
      return verdicts.includes('maybe') ? 'maybe' : final === 'no' ? 'yes' : 'no'
    }
    default:
      return judge(criteria)
  }
}

/** Whether the term is true of these attributes. */
export function holds(term: Term, attributes: Attributes): boolean {
  const value = attributeOf(attributes, term.key)
  if (value === undefined) return false
  switch (term.type) {
    case 'has':
      return true
    case 'is':
      return new Glob(utf8(term.pattern)).matches(utf8(value))
    case 'compares': {
      const number = numberOf(value)
      return number !== null && compares(number, term.order, term.to)
    }
    default:
      return term satisfies never
  }
}

function compares(number: number, order: Order, to: number): boolean {
  switch (order) {
    case '<':
      return number < to
    case '<=':
      return number <= to
    case '>':
      return number > to
    case '>=':
      return number >= to
    default:
      return order satisfies never
  }
}

// --- text ---

/** What ends a word that is not in quotes. */
const borders = /[\s()&|!=<>"\p{Cc}]/u
const operators = ['&&', '||', '!=', '<=', '>=', '(', ')', '!', '=', '<', '>'] as const
type Operator = (typeof operators)[number]

type Token = { readonly at: number } & (
  | { readonly type: 'operator'; readonly text: Operator }
  /** `text` is a pattern: what a backslash takes as it is has it still, where it needs it. */
  | { readonly type: 'word'; readonly text: string; readonly isQuoted: boolean }
  | { readonly type: 'end' }
)

/** A pattern as it is written in criteria. */
function written(pattern: string): string {
  if (pattern !== '' && !borders.test(pattern)) return pattern
  return `"${pattern.replaceAll('"', '\\"')}"`
}

function fault(at: number, text: string): FrError {
  return new FrError('ERR_FR_CRITERIA', `criteria, character ${at + 1}: ${text}`)
}

class Parser {
  readonly #text: string
  readonly #tokens: Token[]
  #next = 0
  #terms = 0

  constructor(text: string) {
    if (text.length > limits.criteriaChars)
      throw fault(limits.criteriaChars, `they are longer than ${limits.criteriaChars} characters`)
    if (textOf(utf8(text)) !== text) throw fault(0, 'they are no valid Unicode')
    this.#text = text
    this.#tokens = tokensOf(text)
  }

  parse(): Criteria {
    const criteria = this.#any(0)
    const rest = this.#peek()
    if (rest.type !== 'end') throw this.#unexpected(rest, "'&&', '||' or the end")
    // Escapes and quotes may take more characters in the canonical form.
    if (canonical(criteria).length > limits.criteriaChars)
      throw fault(0, `they are longer than ${limits.criteriaChars} characters`)
    return criteria
  }

  #any(depth: number): Criteria {
    return this.#joined('any', '||', () => this.#all(depth))
  }

  #all(depth: number): Criteria {
    return this.#joined('all', '&&', () => this.#not(depth))
  }

  #joined(type: 'all' | 'any', operator: Operator, read: () => Criteria): Criteria {
    const parts: Criteria[] = []
    do {
      const each = read()
      if (each.type === type) parts.push(...each.of)
      else parts.push(each)
    } while (this.#takes(operator))
    const [first] = parts as [Criteria]
    return parts.length === 1 ? first : { type, of: parts }
  }

  #not(depth: number): Criteria {
    const token = this.#peek()
    if (depth > limits.criteriaDepth)
      throw fault(token.at, `they are nested more than ${limits.criteriaDepth} deep`)
    if (this.#takes('!')) {
      const of = this.#not(depth + 1)
      return of.type === 'not' ? of.of : { type: 'not', of }
    }
    if (this.#takes('(')) {
      const inside = this.#any(depth + 1)
      const end = this.#peek()
      if (!this.#takes(')')) throw this.#unexpected(end, "'&&', '||' or ')'")
      return inside
    }
    return this.#term()
  }

  #term(): Criteria {
    const token = this.#peek()
    if (token.type !== 'word' || token.isQuoted)
      throw this.#unexpected(token, "the name of an attribute, '!' or '('")
    this.#next++
    const key = token.text
    const wrong = keyFault(key)
    if (wrong !== null) throw fault(token.at, `the attribute ${JSON.stringify(key)} ${wrong}`)
    if (++this.#terms > limits.criteriaTerms)
      throw fault(token.at, `there are more than ${limits.criteriaTerms} terms`)
    if (this.#takes('=')) return { type: 'is', key, pattern: this.#pattern() }
    if (this.#takes('!=')) return { type: 'not', of: { type: 'is', key, pattern: this.#pattern() } }
    for (const order of ['<=', '>=', '<', '>'] as const)
      if (this.#takes(order)) return { type: 'compares', key, order, to: this.#number() }
    return { type: 'has', key }
  }

  #pattern(): string {
    const token = this.#peek()
    if (token.type !== 'word') throw this.#unexpected(token, 'a value')
    this.#next++
    return token.text
  }

  #number(): number {
    const token = this.#peek()
    const number = token.type === 'word' ? numberOf(token.text) : null
    if (number === null) throw this.#unexpected(token, 'a number')
    this.#next++
    return number
  }

  #peek(): Token {
    return this.#tokens[this.#next] as Token
  }

  #takes(operator: Operator): boolean {
    const token = this.#peek()
    if (token.type !== 'operator' || token.text !== operator) return false
    this.#next++
    return true
  }

  #unexpected(token: Token, wanted: string): FrError {
    const end = this.#tokens[this.#tokens.indexOf(token) + 1]?.at ?? this.#text.length
    const found =
      token.type === 'end' ? 'the end' : JSON.stringify(this.#text.slice(token.at, end).trim())
    return fault(token.at, `${wanted} is expected, not ${found}`)
  }
}

/** The last one is the end. */
function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    if (/\s/.test(text[at] as string)) {
      at++
      continue
    }
    const operator = operators.find((known) => text.startsWith(known, at))
    if (operator !== undefined) {
      tokens.push({ type: 'operator', text: operator, at })
      at += operator.length
      continue
    }
    const word = wordAt(text, at)
    tokens.push({ type: 'word', text: word.text, isQuoted: word.isQuoted, at })
    at = word.end
  }
  return [...tokens, { type: 'end', at: text.length }]
}

interface Word {
  readonly text: string
  readonly isQuoted: boolean
  readonly end: number
}

function wordAt(text: string, start: number): Word {
  const isQuoted = text[start] === '"'
  const isEnd = (character: string): boolean =>
    isQuoted ? character === '"' : borders.test(character)
  let [at, word] = [isQuoted ? start + 1 : start, '']
  for (; at < text.length; at++) {
    const character = text[at] as string
    if (/\p{Cc}/u.test(character)) throw fault(at, 'a control character')
    if (character === '\\') {
      const next = text[++at]
      if (next === undefined)
        throw fault(at - 1, 'a backslash takes the next character, and there is none')
      if (/\p{Cc}/u.test(next)) throw fault(at, 'a control character')
      word += '*?\\'.includes(next) ? `\\${next}` : next
    } else if (isEnd(character)) break
    else word += character
  }
  if (isQuoted && at === text.length) throw fault(start, 'the quotation mark has no end')
  if (!isQuoted && at === start) throw fault(at, `${JSON.stringify(text[at])} is not expected`)
  return { text: word, isQuoted, end: isQuoted ? at + 1 : at }
}
