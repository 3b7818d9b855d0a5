/** Reads the JSON body of a request, within bounds. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { jsonOf, readBody } from '../body.js'
import { wrongRequest } from '../problem.js'

/** Rejects with HttpError: 411, 413, 415, 408, 400. */
export async function readJson(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<unknown> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw wrongRequest(415, 'the body must be application/json')
  return jsonOf(await readBody(request, response))
}
