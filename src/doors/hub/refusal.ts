/** Errors as a model hub says them: in headers, by codes that its clients know. */
import type { ServerResponse } from 'node:http'
import { HttpError, headersOf, problemOf, sendText } from '../problem.js'

export type HubCode = 'RepoNotFound' | 'RevisionNotFound' | 'EntryNotFound'

/** 404, said with its code. */
export class HubRefusal extends HttpError {
  readonly told: HubCode

  constructor(told: HubCode, text: string) {
    super(404, 'ERR_FR_NOT_HELD', text)
    this.told = told
  }
}

export function sendHubRefusal(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, detail } = problemOf(error)
  // Names that were asked for are in it, and a header has Latin-1 alone.
  const text = detail.replace(/[^ -~]/g, '?').slice(0, 500)
  sendText(response, status, JSON.stringify({ error: detail }), {
    ...headersOf(error),
    ...(error instanceof HubRefusal && { 'x-error-code': error.told }),
    'x-error-message': text,
    'content-type': 'application/json',
  })
}
