/**
 * Routes of the control API as data: what each takes, what it answers, which right it needs, and
 * what it does. The same schemas check requests and write the description that is served
 * (openapi.ts), so the two cannot differ.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import type { RightName } from '../../base/rights.js'
import type { Who } from '../mount.js'

/** Schemas that have a name in the description: what is asked, and what is told. */
export const asked = z.registry<{ id: string }>()
export const told = z.registry<{ id: string }>()

export function named<S extends z.ZodType>(registry: typeof told, id: string, schema: S): S {
  registry.add(schema, { id })
  return schema
}

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

/** One request, checked. */
export interface Call<P, Q, B> {
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly who: Who
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

export interface Answer {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** The route has answered by itself, or will. */
export const taken = 'taken'

export interface AnswerShape {
  readonly text: string
  /** Of a JSON body; null: it has none, or none in JSON. */
  readonly schema: z.ZodType | null
  /** In place of application/json. */
  readonly type?: string
}

export interface Route {
  readonly id: string
  readonly method: Method
  /** Below /api/v1; `{name}` is a component, `{name*}` all that is left. */
  readonly path: string
  readonly summary: string
  /** For the description: what has to be allowed; null: nothing. */
  readonly right: RightName | null
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  readonly body: z.ZodType | null
  readonly answers: Readonly<Record<number, AnswerShape>>
  readonly run: (call: Call<never, never, never>) => Promise<Answer | typeof taken>
}

interface RouteSpec<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType | null>
  extends Omit<Route, 'params' | 'query' | 'body' | 'run'> {
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  readonly run: (
    call: Call<z.output<P>, z.output<Q>, B extends z.ZodType ? z.output<B> : undefined>,
  ) => Promise<Answer | typeof taken>
}

const nothing = z.strictObject({})

export function route<
  P extends z.ZodObject = z.ZodObject,
  Q extends z.ZodObject = z.ZodObject,
  B extends z.ZodType | null = null,
>(spec: RouteSpec<P, Q, B>): Route {
  const { params = nothing, query = nothing, body = null } = spec
  return { ...spec, params, query, body, run: spec.run as Route['run'] }
}
