/**
 * Texts in YAML, as values that know where they stand.
 *
 * The idea: whoever reads a document asks a value for what it should be, and what it is not is a
 * fault with file, line and column; reading goes on, so that all faults are told at once. Texts
 * are bounded before they are parsed, since the parser goes as deep as they do, and aliases are
 * followed a bounded number of times.
 */
import {
  type Alias,
  CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseAllDocuments,
  visit,
} from 'yaml'
import { utf8 } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'

/** A text, and what it is called in errors. */
export interface TextOf {
  readonly path: string
  readonly text: string
}

/** What is wrong in one or several files; each fault in a line, with its place. */
export class Faults {
  readonly #lines: string[] = []
  #more = 0

  get isEmpty(): boolean {
    return this.#lines.length === 0
  }

  add(place: string, text: string): void {
    if (this.#lines.length < limits.documentFaults) this.#lines.push(`${place}: ${text}`)
    else this.#more += 1
  }

  /** Throws ERR_FR_DOCUMENT where there are any. */
  throwIfAny(): void {
    if (this.isEmpty) return
    const more = this.#more === 0 ? [] : [`and ${this.#more} more`]
    throw new FrError('ERR_FR_DOCUMENT', [...this.#lines, ...more].join('\n'))
  }
}

class Source {
  readonly path: string
  readonly faults: Faults
  readonly lines = new LineCounter()
  #aliases = 0

  constructor(path: string, faults: Faults) {
    this.path = path
    this.faults = faults
  }

  place(offset: number): string {
    const { line, col } = this.lines.linePos(offset)
    return `${this.path}:${line}:${col}`
  }

  /** What an alias stands for; null, and a fault, where nothing does. */
  resolve(alias: Alias, document: Document): Node | null {
    const place = this.place(alias.range?.[0] ?? 0)
    if (++this.#aliases > limits.documentAliases) {
      if (this.#aliases === limits.documentAliases + 1)
        this.faults.add(place, `more than ${limits.documentAliases} aliases are followed`)
      return null
    }
    let found: Node | null = null
    visit(document, {
      Node(_, node) {
        if (node === alias) return visit.BREAK
        if (!isAlias(node) && node.anchor === alias.source) found = node
        return undefined
      },
    })
    if (found === null) this.faults.add(place, `nothing before it is &${alias.source}`)
    return found
  }
}

/** One value of a document; what it is not is a fault. */
export class Value {
  readonly #source: Source
  readonly #document: Document
  readonly #node: Node | null
  readonly #at: number
  /** Where it is in its document: `spec.links[3].rate`; empty for all of it. */
  readonly key: string

  constructor(source: Source, document: Document, node: Node | null, key: string, at: number) {
    this.#source = source
    this.#document = document
    this.#at = node?.range?.[0] ?? at
    this.#node = isAlias(node) ? source.resolve(node, document) : node
    this.key = key
  }

  get place(): string {
    return this.#source.place(this.#at)
  }

  fault(text: string): void {
    this.#source.faults.add(this.place, this.key === '' ? text : `${this.key}: ${text}`)
  }

  get isText(): boolean {
    return isScalar(this.#node) && this.#node.value !== null
  }

  get isList(): boolean {
    return isSeq(this.#node)
  }

  /** Its fields, all of which are among these; null, and a fault, where it has no fields. */
  fields(known: readonly string[]): Map<string, Value> | null {
    const node = this.#node
    if (!isMap(node)) {
      this.fault(`fields are expected: ${known.join(', ')}`)
      return null
    }
    const fields = new Map<string, Value>()
    for (const { key, value } of node.items.slice(0, limits.documentFields)) {
      const name = isScalar(key) ? String(key.value) : ''
      const at = (key as Node).range?.[0] ?? this.#at
      const path = this.key === '' ? name : `${this.key}.${name}`
      const field = new Value(this.#source, this.#document, value as Node | null, path, at)
      const within = this.key === '' ? '' : `${this.key}: `
      const fault = (text: string) =>
        this.#source.faults.add(this.#source.place(at), `${within}${text}`)
      if (!known.includes(name))
        fault(`there is no field ${shown(name)}; there are ${known.join(', ')}`)
      else if (fields.has(name)) fault(`the field ${name} is there twice`)
      else fields.set(name, field)
    }
    if (node.items.length > limits.documentFields) this.fault('there are too many fields')
    return fields
  }

  items(most: number): Value[] {
    const node = this.#node
    if (!isSeq(node)) {
      this.fault('a list is expected')
      return []
    }
    if (node.items.length > most) this.fault(`there are more than ${most}`)
    return node.items.slice(0, most).map((item, i) => {
      const key = `${this.key}[${i}]`
      return new Value(this.#source, this.#document, item as Node | null, key, this.#at)
    })
  }

  /** As it is written, a number as well; null, and a fault, where it is no text or empty. */
  text(): string | null {
    const node = this.#node
    const isThere = isScalar(node) && node.value !== null && node.value !== ''
    if (!isThere) {
      this.fault('a text is expected')
      return null
    }
    return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
  }

  flag(): boolean | null {
    const node = this.#node
    if (isScalar(node) && typeof node.value === 'boolean') return node.value
    this.fault('true or false is expected')
    return null
  }

  /** What `read` makes of its text; a text is what is wrong with it. */
  read<T extends number | object>(read: (text: string) => T | string): T | null {
    const text = this.text()
    const value = text === null ? null : read(text)
    if (typeof value !== 'string') return value
    this.fault(value)
    return null
  }
}

/** A text of somebody in an error. */
export function shown(text: string): string {
  const most = limits.documentShownChars
  return JSON.stringify(text.length > most ? `${text.slice(0, most)}...` : text)
}

/** The documents of a file; none, and faults, where it cannot be read as YAML. */
export function documentsIn({ path, text }: TextOf, faults: Faults): Value[] {
  const source = new Source(path, faults)
  if (utf8(text).length > limits.documentBytes) {
    faults.add(path, `it is longer than ${limits.documentBytes} bytes`)
    return []
  }
  const tooDeep = depthFault(text)
  if (tooDeep !== null) {
    faults.add(`${path}:${tooDeep.place}`, tooDeep.text)
    return []
  }
  const parsed = parseAllDocuments(text, {
    ...{ lineCounter: source.lines, prettyErrors: false, strict: true },
    // Looked for where fields are read: the parser compares each with each.
    uniqueKeys: false,
    ...{ version: '1.2', schema: 'core', logLevel: 'silent', stringKeys: true },
  })
  const documents: Document[] = Array.isArray(parsed) ? parsed : []
  if (documents.length > limits.documentsPerFile) {
    faults.add(path, `there are more than ${limits.documentsPerFile} documents`)
    return []
  }
  const wrong = documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])
  for (const { message, pos } of wrong) faults.add(source.place(pos[0]), message)
  if (wrong.length > 0) return []
  return documents
    .filter(({ contents }) => contents !== null && !isEmpty(contents as Node))
    .map((each) => new Value(source, each, each.contents as Node, '', 0))
}

function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === null
}

/** Where a text nests more than anybody writes, and how; null: nowhere. */
function depthFault(text: string): { readonly place: string; readonly text: string } | null {
  const { documentDepth: most, documentIndent: widest } = limits
  let [at, brackets, inLine] = [0, 0, 0]
  let [isLineStart, isScalarNext] = [true, false]
  for (const token of new Lexer().lex(text)) {
    const type = isScalarNext ? null : CST.tokenType(token)
    isScalarNext = type === 'scalar'
    // Marks of the lexer, which stand for no characters.
    if (type === 'doc-mode' || type === 'flow-error-end' || type === 'scalar') continue
    let fault: string | null = null
    if (type === 'newline') inLine = 0
    else if (type === 'space' && isLineStart && token.length > widest)
      fault = `a line is indented more than ${widest} columns`
    else if (type === 'flow-map-start' || type === 'flow-seq-start') brackets += 1
    else if (type === 'flow-map-end' || type === 'flow-seq-end') brackets -= 1
    else if (brackets === 0 && type !== null && opensBlock.has(type)) inLine += 1
    if (brackets > most || inLine > most) fault = `it is nested more than ${most} deep`
    if (fault !== null) return { place: placeIn(text, at), text: fault }
    isLineStart = type === 'newline'
    at += token.length
  }
  return null
}

const opensBlock: ReadonlySet<string> = new Set([
  'seq-item-ind',
  'explicit-key-ind',
  'map-value-ind',
])

function placeIn(text: string, at: number): string {
  const before = text.slice(0, at).split('\n')
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`
}
