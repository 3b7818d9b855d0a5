/** `/files/NAME`: what a node holds, for whoever may get it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Credentials, FrNode } from '../../api/types.js'
import { FrError } from '../../base/errors.js'
import type { Mount, Who } from '../mount.js'
import { ownAddress } from '../own-address.js'
import { sendProblem } from '../problem.js'
import { require } from '../tokens.js'
import { notHere, notRead, serve } from './handler.js'
import { listingOf, sendListing } from './listing.js'
import { nameIn } from './semantics.js'

export const filesPath = '/files/'

/** `credentials`: what the node is asked with for lists. */
export function filesMount(node: FrNode, credentials: Credentials): Mount {
  const closing = new AbortController()
  const files = { node, credentials, signal: closing.signal }
  return {
    handle(request, response, who) {
      if (request.url?.startsWith(filesPath) !== true) return false
      answer(files, request, response, who).catch((error: unknown) => sendProblem(response, error))
      return true
    },
    close: () => closing.abort(new FrError('ERR_FR_CLOSED')),
  }
}

interface Files {
  readonly node: FrNode
  readonly credentials: Credentials
  readonly signal: AbortSignal
}

async function answer(
  { node, credentials, signal }: Files,
  request: IncomingMessage,
  response: ServerResponse,
  who: Who,
): Promise<void> {
  const { method, url = '' } = request
  if (method !== 'GET' && method !== 'HEAD') throw notRead()
  const name = nameIn(url, filesPath)
  if (name === null) throw notHere()
  const isDirectory = name.length === 0 || name.at(-1) === 0x2f
  const directory = name.subarray(0, Math.max(0, name.length - 1))
  if (!isDirectory) {
    require(who, 'get', name)
    return serve(response, name, { node }).catch((error: unknown) => {
      if (!(error instanceof FrError) || error.code !== 'ERR_FR_IS_DIRECTORY') throw error
      const [path = ''] = url.split(/[?#]/, 1)
      const last = path.slice(path.lastIndexOf('/') + 1)
      response.writeHead(308, { location: `./${last}/`, 'content-length': 0 }).end()
    })
  }
  require(who, 'status')
  const mayGet = (file: Uint8Array): boolean => who.rights('get', file)
  const options = { ...credentials, signal }
  const listing = await listingOf(ownAddress(node.address), directory, options, mayGet)
  if (listing.entries.length === 0 && directory.length > 0) throw notHere()
  sendListing(response, directory, listing)
}
