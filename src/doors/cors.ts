/**
 * Pages of other sites that were given by name may use the door from a browser (CORS, the fetch
 * standard): what is asked, and what is told. Off unless origins are listed.
 *
 * Never: a wildcard; `Access-Control-Allow-Credentials`. A script sends the token itself, and the
 * browser adds nothing of its own.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { doorLimits } from '../base/door-limits.js'

const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const asked = [
  ...['authorization', 'content-type', 'range', 'if-range', 'if-match', 'if-none-match'],
  ...['if-modified-since', 'want-repr-digest', 'idempotency-key', 'last-event-id'],
  ...['tus-resumable', 'upload-length', 'upload-offset', 'upload-metadata'],
].join(', ')
const told = [
  ...['accept-ranges', 'content-range', 'etag', 'last-modified', 'location', 'repr-digest'],
  ...['retry-after', 'idempotent-replayed', 'fr-transfer', 'www-authenticate'],
  ...['tus-resumable', 'tus-version', 'tus-extension', 'upload-offset', 'upload-length'],
].join(', ')
const keptSeconds = '600'

/** Throws TypeError. */
export function checkOrigins(origins: readonly string[]): ReadonlySet<string> {
  if (origins.length > doorLimits.hosts) throw new TypeError(`origins: at most ${doorLimits.hosts}`)
  for (const origin of origins)
    if (!URL.canParse(origin) || new URL(origin).origin !== origin || !/^https?:/.test(origin))
      throw new TypeError(`origins: '${origin}' is not http[s]://HOST[:PORT]`)
  return new Set(origins)
}

/** Says so to a page that is listed. True: it has only asked whether it may, and is answered. */
export function letPage(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  origins: ReadonlySet<string>,
): boolean {
  if (origins.size === 0) return false
  // Whoever keeps answers keeps one for each.
  response.setHeader('vary', 'origin')
  const { origin } = headers
  if (origin === undefined || !origins.has(origin)) return false
  response.setHeader('access-control-allow-origin', origin)
  if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) {
    response.setHeader('access-control-expose-headers', told)
    return false
  }
  response.writeHead(204, {
    'access-control-allow-methods': methods,
    'access-control-allow-headers': asked,
    'access-control-max-age': keptSeconds,
  })
  response.end()
  return true
}
