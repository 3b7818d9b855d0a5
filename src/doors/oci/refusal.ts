/** Errors as registries say them (OCI Distribution Specification 1.1, "Error Codes"). */
import type { ServerResponse } from 'node:http'
import { FrError } from '../../base/errors.js'
import { HttpError, headersOf, problemOf, sendText } from '../problem.js'

export type RegistryCode =
  | 'BLOB_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'UNSUPPORTED'

/** Says itself with which code it is told. */
export class Refusal extends HttpError {
  readonly told: RegistryCode

  constructor(status: number, told: RegistryCode, text: string, headers = {}) {
    super(status, status === 404 ? 'ERR_FR_NOT_HELD' : 'ERR_FR_REQUEST', text, headers)
    this.told = told
  }
}

/** What other failures are called; the last two are no part of the specification, but are usual. */
const codes: Readonly<Record<number, string>> = {
  401: 'UNAUTHORIZED',
  403: 'DENIED',
  405: 'UNSUPPORTED',
  503: 'UNAVAILABLE',
}

/** Clients of registries show who they are by a name and a password, which is a token here. */
const challenge = { 'www-authenticate': 'Basic realm="fastreplica", charset="UTF-8"' }

export function sendRefusal(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, detail, code: inner } = problemOf(error)
  const code = error instanceof Refusal ? error.told : (codes[status] ?? 'UNKNOWN')
  const body = JSON.stringify({ errors: [{ code, message: detail, detail: { code: inner } }] })
  response.removeHeader('docker-content-digest')
  sendText(response, status, body, {
    ...headersOf(error),
    ...(status === 401 && challenge),
    'content-type': 'application/json',
  })
}

export function isNotHeld(error: unknown): boolean {
  const codes: readonly string[] = ['ERR_FR_NOT_HELD', 'ERR_FR_IS_DIRECTORY', 'ERR_FR_ONLY']
  return error instanceof FrError && (codes.includes(error.code) || error.code === 'ERR_FR_NAME')
}
