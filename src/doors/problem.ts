/**
 * Errors as `application/problem+json` (RFC 9457), with the codes of the one table. The type of a
 * problem is a path of the door itself that says what the code means.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { errorTable, FrError, type FrErrorCode } from '../base/errors.js'

export const problemType = 'application/problem+json'
export const problemsPath = '/api/v1/problems/'

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: FrErrorCode
  readonly retryable: boolean
  /** HOST:PORT of the node that it is about. */
  readonly node?: string
}

/** The request was understood by the door, but somebody behind it failed. */
const badGateway = 502

const statusOf: Partial<Record<FrErrorCode, number>> = {
  ERR_FR_REQUEST: 400,
  ERR_FR_CRITERIA: 400,
  ERR_FR_DOCUMENT: 422,
  ERR_FR_NAME: 400,
  ERR_FR_RIGHT: 403,
  ERR_FR_ONLY: 403,
  ERR_FR_REFUSED: 403,
  ERR_FR_READ_ONLY: 403,
  ERR_FR_RELAY_ONLY: 403,
  ERR_FR_ADD_REFUSED: 403,
  ERR_FR_NOT_HELD: 404,
  ERR_FR_NO_TRANSFER: 404,
  ERR_FR_NO_NODE: 404,
  ERR_FR_BUSY: 409,
  ERR_FR_EXISTS: 409,
  ERR_FR_IS_DIRECTORY: 409,
  ERR_FR_STALE: 409,
  ERR_FR_NOT_COMMITTED: 409,
  ERR_FR_IN_DOUBT: 409,
  ERR_FR_SOURCE_CHANGED: 409,
  ERR_FR_RANGE: 416,
  ERR_FR_SOURCE: 422,
  ERR_FR_DIGEST: 422,
  ERR_FR_UNSUPPORTED: 501,
  ERR_FR_LIMIT: 503,
  ERR_FR_CLOSED: 503,
  ERR_FR_NOT_LEADING: 503,
  ERR_FR_MOVED: 503,
  ERR_FR_INBOX_FULL: 503,
  ERR_FR_DATA_DIR_GONE: 503,
  ERR_FR_TIMEOUT: 504,
  ERR_FR_NO_SPACE: 507,
  ERR_FR_INTERNAL: 500,
  ERR_FR_IO: 500,
  ERR_FR_CATALOGUE: 500,
}

/** An error of the table that says itself with which status it is told. */
export class HttpError extends FrError {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: FrErrorCode,
    text: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(code, text)
    this.status = status
    this.headers = headers
  }
}

/** A request that cannot be understood, or asks for what there is not. */
export function wrongRequest(status: number, text: string): HttpError {
  return new HttpError(status, 'ERR_FR_REQUEST', text)
}

export function notRead(): HttpError {
  return new HttpError(405, 'ERR_FR_REQUEST', 'this is only read', { allow: 'GET, HEAD' })
}

/** Of whatever was thrown. A defect says no more than that it is one: its text is for the log. */
export function problemOf(error: unknown): Problem {
  // Misuse of the library that no schema of the door has caught: the text names the option.
  if (isMisuse(error)) return problem(400, 'ERR_FR_REQUEST', error.message)
  if (!(error instanceof FrError))
    return problem(500, 'ERR_FR_INTERNAL', errorTable.ERR_FR_INTERNAL.meaning)
  const { code, message, node } = error
  const status = error instanceof HttpError ? error.status : (statusOf[code] ?? badGateway)
  return { ...problem(status, code, message), ...(node !== undefined && { node }) }
}

/** The engine has its own words for what is a defect. */
function isMisuse(error: unknown): error is TypeError {
  const isDefect = /^Cannot |is not (?:a function|iterable|a constructor)|undefined/
  return error instanceof TypeError && !isDefect.test(error.message)
}

function problem(status: number, code: FrErrorCode, detail: string): Problem {
  const { meaning, retryable } = errorTable[code]
  return { type: `${problemsPath}${code}`, title: meaning, status, detail, code, retryable }
}

/** Headers that go with what was thrown. */
export function headersOf(error: unknown): Readonly<Record<string, string>> {
  return error instanceof HttpError ? error.headers : {}
}

/** Answers with the problem, or cuts off an answer that has begun. */
export function sendProblem(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const said = problemOf(error)
  const headers = { ...headersOf(error), 'content-type': problemType }
  sendText(response, said.status, JSON.stringify(said), headers)
}

/** An answer that is here at once; nobody is to keep it, unless `headers` say so. */
export function sendText(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(body),
    ...headers,
  })
  const { method } = (response.req ?? {}) as Partial<IncomingMessage>
  response.end(method === 'HEAD' ? undefined : body)
}
