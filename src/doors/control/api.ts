/**
 * `/api/v1`: finds the route of a request, checks what it says, and answers over Node's own request
 * and response, so that bounds and back pressure are those of the door. Paths are compared as they
 * are sent: nothing is resolved in them, so `..` and `%2e%2e` lead nowhere else.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { z } from 'zod'
import type { Mount, Who } from '../mount.js'
import { HttpError, problemOf, sendProblem, wrongRequest } from '../problem.js'
import { readJson } from './json-body.js'
import { type Call, type Route, taken } from './route.js'
import { tusHeaders } from './upload-wish.js'

const root = '/api/v1'

export interface ApiOptions {
  readonly routes: readonly Route[]
  /** Told of errors that are defects, or of whoever is behind the door. */
  readonly failed: (error: unknown) => void
  close(): void | Promise<void>
}

interface Compiled {
  readonly route: Route
  readonly pattern: RegExp
}

export function apiMount({ routes, failed, close }: ApiOptions): Mount {
  const compiled = routes.map((route) => ({ route, pattern: patternOf(route.path) }))
  return {
    handle(request, response, who) {
      const [path = '', query] = splitOnce(request.url ?? '')
      if (path !== root && !path.startsWith(`${root}/`)) return false
      if (request.method === 'OPTIONS') {
        sendAnswer(response, 204, undefined, optionsOf(compiled, path))
        return true
      }
      answer(find(compiled, request.method ?? '', path), { request, response, who, query }).catch(
        (error: unknown) => {
          if (problemOf(error).status >= 500 && !(error instanceof HttpError)) failed(error)
          sendProblem(response, error)
        },
      )
      return true
    },
    close,
  }
}

interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly who: Who
  readonly query: string | undefined
}

interface Found {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

/** Throws HttpError 404. Clients of tus ask what it can. */
function optionsOf(compiled: readonly Compiled[], path: string): Record<string, string> {
  const rest = path.slice(root.length)
  const allow = allowed(compiled.filter(({ pattern }) => pattern.test(rest)))
  return { allow, ...(/^\/uploads(?:\/|$)/.test(rest) && tusHeaders) }
}

/** Throws HttpError 404. */
function allowed(here: readonly Compiled[]): string {
  if (here.length === 0) throw new HttpError(404, 'ERR_FR_REQUEST', 'there is nothing at this path')
  return [...new Set(here.map(({ route }) => route.method.toUpperCase()))].join(', ')
}

/** Throws HttpError 404, 405. HEAD is GET without its body, which Node leaves out. */
function find(compiled: readonly Compiled[], method: string, path: string): Found {
  const wanted = (method === 'HEAD' ? 'GET' : method).toLowerCase()
  const rest = path.slice(root.length)
  const here = compiled.filter(({ pattern }) => pattern.test(rest))
  const one = here.find(({ route }) => route.method === wanted)
  if (one !== undefined) {
    const groups = one.pattern.exec(rest)?.groups ?? {}
    return { route: one.route, params: groups }
  }
  const allow = allowed(here)
  throw new HttpError(405, 'ERR_FR_REQUEST', `this path takes ${allow}`, { allow })
}

async function answer({ route, params }: Found, asked: Asked): Promise<void> {
  const { request, response, who, query } = asked
  const call: Call<unknown, unknown, unknown> = {
    params: checked(route.params, decoded(params), 'path'),
    query: checked(route.query, queryOf(query), 'query'),
    body:
      route.body === null
        ? undefined
        : checked(route.body, await readJson(request, response), 'body'),
    ...{ who, request, response, signal: goneSignal(response) },
  }
  const said = await route.run(call as Call<never, never, never>)
  if (said === taken) return
  sendAnswer(response, said.status, said.body, said.headers)
}

export function sendAnswer(
  response: ServerResponse,
  status: number,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = body === undefined ? '' : `${JSON.stringify(body)}\n`
  response.writeHead(status, {
    'cache-control': 'no-store',
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(status !== 204 && { 'content-length': Buffer.byteLength(text) }),
    ...headers,
  })
  response.end(text)
}

/** Throws HttpError 400 that names the first wrong field. */
function checked<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const found = schema.safeParse(value)
  if (found.success) return found.data
  const [issue] = found.error.issues
  const path = [where, ...(issue?.path ?? [])].map(String).join('.')
  throw wrongRequest(400, `${path}: ${issue?.message ?? 'cannot be taken'}`)
}

function decoded(params: Readonly<Record<string, string>>): Record<string, string> {
  try {
    const all = Object.entries(params).map(([name, text]) => [name, decodeURIComponent(text)])
    return Object.fromEntries(all) as Record<string, string>
  } catch {
    throw wrongRequest(400, 'the path is not percent-encoded UTF-8')
  }
}

/** A parameter that is given twice is no parameter. */
function queryOf(text: string | undefined): Record<string, string> {
  const query = Object.create(null) as Record<string, string>
  for (const [name, value] of new URLSearchParams(text ?? '')) {
    if (name in query) throw wrongRequest(400, `query.${name} is given twice`)
    query[name] = value
  }
  return query
}

function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => controller.abort())
  return controller.signal
}

function patternOf(path: string): RegExp {
  const pattern = path
    .replaceAll('.', '\\.')
    .replace(/\{(\w+)\*\}/g, '(?<$1>.+)')
    .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')
  return new RegExp(`^${pattern}$`)
}

function splitOnce(url: string): [string, string | undefined] {
  const at = url.indexOf('?')
  return at < 0 ? [url, undefined] : [url.slice(0, at), url.slice(at + 1)]
}
