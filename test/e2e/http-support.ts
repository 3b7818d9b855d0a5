/**
 * A client of the control API that believes its description: it calls operations by their names
 * and compares every answer with the schema that the door itself has served.
 */
import { expect } from 'vitest'
import { z } from 'zod'

/** Whatever JSON there may be; schemas say what it is. */
type Loose = ReturnType<typeof JSON.parse>
type Json = { readonly [name: string]: unknown }

interface Operation {
  readonly method: string
  readonly path: string
  readonly responses: Readonly<Record<string, Json>>
}

interface Wish {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** In place of a body in JSON. */
  readonly raw?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** Status that is expected. */
  readonly status?: number
  readonly signal?: AbortSignal
}

/** What takes contents in, which has tests of its own. */
export const uploadRoutes: ReadonlySet<string> = new Set([
  ...['createUpload', 'listUploads', 'getUpload', 'appendUpload', 'removeUpload', 'putHolding'],
])

export class Api {
  readonly origin: string
  readonly operations: ReadonlyMap<string, Operation>
  readonly called = new Set<string>()
  /** Of the last answer. */
  headers = new Headers()
  readonly #description: Json
  readonly #headers: Record<string, string>

  private constructor(origin: string, token: string | null, description: Json) {
    this.origin = origin
    this.#description = description
    this.#headers = token === null ? {} : { authorization: `Bearer ${token}` }
    this.operations = operationsOf(description)
  }

  static async open(address: string, token: string | null): Promise<Api> {
    const origin = `http://${address}`
    const said = await fetch(`${origin}/api/v1/openapi.json`)
    return new Api(origin, token, (await said.json()) as Json)
  }

  /** The answer's body, once it is as described. */
  async call(id: string, wish: Wish = {}): Promise<Loose> {
    const { status = 200 } = wish
    const answer = await this.fetch(id, wish)
    this.headers = answer.headers
    const text = await answer.text()
    expect({ id, status: answer.status, text }).toMatchObject({ id, status })
    const { responses } = this.operations.get(id) as Operation
    const response = (responses[status] ?? responses['default']) as Json
    const type = answer.headers.get('content-type')
    const content = (response['content'] ?? {}) as Readonly<Record<string, Json>>
    if (text === '') return undefined
    expect(Object.keys(content)).toContain(type)
    const schema = content[type ?? '']?.['schema']
    const body = JSON.parse(text)
    if (schema === undefined) return body
    const found = z.fromJSONSchema(strict(this.#whole(schema)) as never).safeParse(body)
    expect({ id, issues: found.error?.issues ?? [] }).toEqual({ id, issues: [] })
    return body
  }

  /** Without a look at the answer. */
  fetch(id: string, { params = {}, query = {}, body, raw, headers = {}, signal }: Wish = {}) {
    const { method, path } = this.operations.get(id) ?? ({} as Operation)
    if (path === undefined) throw new Error(`no operation ${id}`)
    this.called.add(id)
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(params[name] ?? ''))
    const search = new URLSearchParams(query).toString()
    return fetch(`${this.origin}${filled}${search && `?${search}`}`, {
      method,
      headers: {
        ...this.#headers,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(raw !== undefined && { body: raw as never }),
      ...(signal !== undefined && { signal }),
    })
  }

  /** Events of a stream, until `isLast` says so of one, or the stream ends. */
  async events(id: string, wish: Wish, isLast: (event: Told) => boolean): Promise<Told[]> {
    const controller = new AbortController()
    const answer = await this.fetch(id, { ...wish, signal: controller.signal })
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    const told: Told[] = []
    let text = ''
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString()
      const parts = text.split('\n\n')
      text = parts.pop() ?? ''
      told.push(...parts.flatMap(toldOf))
      if (told.some(isLast)) break
    }
    controller.abort()
    return told
  }

  /** With all that it refers to in its place. */
  #whole(schema: unknown): unknown {
    if (Array.isArray(schema)) return schema.map((one) => this.#whole(one))
    if (typeof schema !== 'object' || schema === null) return schema
    const { $ref, ...rest } = schema as Json
    if (typeof $ref === 'string') return this.#whole(at(this.#description, $ref))
    return Object.fromEntries(Object.entries(rest).map(([name, one]) => [name, this.#whole(one)]))
  }
}

export interface Told {
  readonly event: string
  readonly id: string | null
  readonly data: Loose
}

function toldOf(part: string): Told[] {
  const field = (name: string): string | null =>
    new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1] ?? null
  const event = field('event')
  if (event === null) return []
  return [{ event, id: field('id'), data: JSON.parse(field('data') ?? 'null') }]
}

function at(description: Json, ref: string): unknown {
  const found = ref
    .replace('#/', '')
    .split('/')
    .reduce<unknown>((value, name) => (value as Json | undefined)?.[name], description)
  if (found === undefined) throw new Error(`${ref} is nowhere`)
  return found
}

/** What is described is all that there is. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict)
  if (typeof schema !== 'object' || schema === null) return schema
  const all = Object.fromEntries(Object.entries(schema).map(([name, one]) => [name, strict(one)]))
  const isClosed = all['properties'] !== undefined && all['additionalProperties'] === undefined
  return isClosed ? { ...all, additionalProperties: false } : all
}

function operationsOf(description: Json): Map<string, Operation> {
  const operations = new Map<string, Operation>()
  for (const [path, methods] of Object.entries(description['paths'] as Json))
    for (const [method, one] of Object.entries(methods as Json)) {
      const { operationId, responses } = one as { operationId: string; responses: never }
      if (operations.has(operationId)) throw new Error(`${operationId} is there twice`)
      operations.set(operationId, { method: method.toUpperCase(), path, responses })
    }
  return operations
}
