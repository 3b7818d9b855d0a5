/** `/healthz`: the process lives and answers. Anybody may ask, and learns no more than that. */
import type { Mount } from './mount.js'
import { HttpError } from './problem.js'

const body = '{"status":"ok"}\n'

export const healthMount: Mount = {
  handle(request, response) {
    if (request.url !== '/healthz') return false
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new HttpError(405, 'ERR_FR_REQUEST', 'this is only read', { allow: 'GET, HEAD' })
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': body.length,
      'cache-control': 'no-store',
    })
    response.end(request.method === 'HEAD' ? undefined : body)
    return true
  },
}
