/** `/files/NAME`: what a node holds, for whoever may get it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { OpenContent } from '../../api/open-types.js'
import type { Credentials, FrNode } from '../../api/types.js'
import { doorLimits } from '../../base/door-limits.js'
import { FrError } from '../../base/errors.js'
import { originOf } from '../guard.js'
import { type Mount, signalOf, type Who } from '../mount.js'
import { ownAddress } from '../own-address.js'
import { HttpError, notRead, sendProblem, sendText } from '../problem.js'
import { require } from '../tokens.js'
import type { ReaderDemands } from './answer.js'
import { sha256Of } from './digests.js'
import { notHere, openFor, serve } from './handler.js'
import { listingOf, sendListing } from './listing.js'
import { holdersOf, metalinkEnd, metalinkOf, metalinkType } from './metalink.js'
import { Playlists, playlistEnd, playlistType } from './playlists.js'
import { nameIn, pathOf } from './semantics.js'

export const filesPath = '/files/'

export interface FilesOptions {
  /** What the node is asked with for lists. */
  readonly credentials: Credentials
  /** Origins of doors that may have the same files. */
  readonly peers: readonly string[]
  readonly demands: ReaderDemands
}

export function filesMount(node: FrNode, options: FilesOptions): Mount {
  const closing = new AbortController()
  const playlists = new Playlists()
  const files = { node, ...options, playlists, signal: closing.signal }
  return {
    handle(request, response, who) {
      if (request.url?.startsWith(filesPath) !== true) return false
      answer(files, request, response, who).catch((error: unknown) => sendProblem(response, error))
      return true
    },
    close: () => closing.abort(new FrError('ERR_FR_CLOSED')),
  }
}

interface Files extends FilesOptions {
  readonly node: FrNode
  readonly playlists: Playlists
  readonly signal: AbortSignal
}

async function answer(
  files: Files,
  request: IncomingMessage,
  response: ServerResponse,
  who: Who,
): Promise<void> {
  const { node, credentials, signal } = files
  const { method, url = '' } = request
  if (method !== 'GET' && method !== 'HEAD') throw notRead()
  const name = nameIn(url, filesPath)
  if (name === null) throw notHere()
  const isDirectory = name.length === 0 || name.at(-1) === 0x2f
  const directory = name.subarray(0, Math.max(0, name.length - 1))
  if (!isDirectory) {
    require(who, 'get', name)
    return serve(response, name, { node }, who, files.demands).catch(async (error: unknown) => {
      const code = error instanceof FrError ? error.code : null
      if (code === 'ERR_FR_IS_DIRECTORY') return sendElsewhere(response, url)
      const isAbsent = code === 'ERR_FR_NOT_HELD'
      for (const [end, describe] of Object.entries(descriptions)) {
        const about = isAbsent ? describedBy(name, end) : null
        if (about === null) continue
        require(who, 'get', about)
        if (about.length === 0) throw notHere()
        return describe(files, response, about, await openFor(node, about, who))
      }
      throw error
    })
  }
  require(who, 'status')
  const mayGet = (file: Uint8Array): boolean => who.rights('get', file)
  const options = { ...credentials, signal }
  const listing = await listingOf(ownAddress(node.address), directory, options, mayGet)
  if (listing.entries.length === 0 && directory.length > 0) throw notHere()
  sendListing(response, directory, listing)
}

/** A directory has a slash at its end, or what it links to would be elsewhere. */
function sendElsewhere(response: ServerResponse, url: string): void {
  const [path = ''] = url.split(/[?#]/, 1)
  const last = path.slice(path.lastIndexOf('/') + 1)
  response.writeHead(308, { location: `./${last}/`, 'content-length': 0 }).end()
}

/** What is told of a file under its name with such an end, where no file has it. Each closes it. */
const descriptions = { [metalinkEnd]: sendMetalink, [playlistEnd]: sendPlaylist }

/** The name of the file that one of this name would describe; null: it is none. */
function describedBy(name: Uint8Array, end: string): Uint8Array | null {
  const isOne = Buffer.from(name).toString('latin1').endsWith(end)
  return isOne ? name.subarray(0, name.length - end.length) : null
}

async function sendPlaylist(
  { playlists, signal }: Files,
  response: ServerResponse,
  name: Uint8Array,
  content: OpenContent,
): Promise<void> {
  try {
    const path = pathOf(name)
    const uri = `./${path.slice(path.lastIndexOf('/') + 1)}`
    const body = await playlists.of(content, uri, signalOf(response, signal))
    const cache = `${content.only === null ? '' : 'private, '}no-cache`
    sendText(response, 200, body, { 'content-type': playlistType, 'cache-control': cache })
  } finally {
    content.close()
  }
}

async function sendMetalink(
  { peers, signal }: Files,
  response: ServerResponse,
  name: Uint8Array,
  content: OpenContent,
): Promise<void> {
  const hashing = sha256Of(content, doorLimits.peerMs)
  content.close()
  const { size, digest } = content
  if (size === null || digest === null)
    throw new HttpError(404, 'ERR_FR_NOT_HELD', 'it still grows')
  const etag = `"${digest}"`
  const own = `${originOf(response.req)}${filesPath}${pathOf(name)}`
  const [others, sha256] = await Promise.all([holdersOf({ name, etag }, peers, signal), hashing])
  const body = metalinkOf({ name, size, etag, sha256 }, [...new Set([own, ...others])])
  if (body === null) throw notHere()
  const how = { 'content-type': metalinkType, 'cache-control': 'no-cache' }
  sendText(response, 200, body, how)
}
