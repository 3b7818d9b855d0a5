/**
 * `/v2/`: trees that are OCI image layouts, for clients of container registries, which pull from
 * the node without its knowing who pushed them (OCI Distribution Specification 1.1, "Pull" and
 * "Content Discovery"). Nothing is written here: a push brings what is served.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FrNode } from '../../api/types.js'
import { FrError } from '../../base/errors.js'
import { answerWith, type ReaderDemands, turnOf } from '../files/answer.js'
import type { Waiting } from '../files/arrived.js'
import { Sums } from '../files/sums.js'
import { type Mount, signalOf, type Who } from '../mount.js'
import { sendText } from '../problem.js'
import { require } from '../tokens.js'
import { isDigest, isRepositoryName, isTag, registryAsked, registryPath } from './asked.js'
import { indexType, Repository } from './layout.js'
import { Refusal, sendRefusal } from './refusal.js'

export function registryMount(node: FrNode, demands: ReaderDemands): Mount {
  const closing = new AbortController()
  const sums = new Sums()
  const registry = { node, sums, demands }
  return {
    handle(request, response, who) {
      const [path = ''] = (request.url ?? '').split(/[?#]/, 1)
      if (path !== '/v2' && !path.startsWith(registryPath)) return false
      const signal = signalOf(response, closing.signal)
      answer({ ...registry, request, response, who, signal }).catch((error: unknown) =>
        sendRefusal(response, error),
      )
      return true
    },
    close: () => closing.abort(new FrError('ERR_FR_CLOSED')),
  }
}

interface Call {
  readonly node: FrNode
  readonly sums: Sums
  readonly demands: ReaderDemands
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly who: Who
  readonly signal: AbortSignal
}

async function answer(call: Call): Promise<void> {
  const { request, response, who } = call
  response.setHeader('docker-distribution-api-version', 'registry/2.0')
  const url = request.url ?? '/'
  const [path = ''] = url.split(/[?#]/, 1)
  const query = new URLSearchParams(/\?([^#]*)/.exec(url)?.[1])
  if (request.method !== 'GET' && request.method !== 'HEAD')
    throw new Refusal(405, 'UNSUPPORTED', 'repositories are written by a push alone', {
      allow: 'GET, HEAD',
    })
  const asked = registryAsked(path === '/v2' ? registryPath : path)
  if (asked === null) throw new Refusal(404, 'UNSUPPORTED', 'a registry has nothing at this path')
  if (asked.what === 'base') {
    if (who.name === null) require(who, 'get', null)
    sendText(response, 200, '{}', { 'content-type': 'application/json' })
    return
  }
  const { name } = asked
  if (!isRepositoryName(name)) throw new Refusal(400, 'NAME_INVALID', 'no name of a repository')
  // Whoever has a token is not told what else there is.
  if (who.name === null) require(who, 'get', `${name}/index.json`)
  else if (!who.rights('get', `${name}/index.json`))
    throw new Refusal(404, 'NAME_UNKNOWN', 'no such repository')
  await turnOf(request, response)
  const waiting: Waiting = { node: call.node, asker: who, signal: call.signal }
  const repository = await Repository.open(waiting, name, call.sums)
  if (asked.what === 'tags') return sendTags(response, name, repository, query)
  const { of } = asked
  if (asked.what === 'manifest') return sendManifest(response, repository, of)
  if (!isDigest(of)) throw new Refusal(400, 'DIGEST_INVALID', 'no digest')
  if (asked.what === 'referrers') return sendReferrers(response, repository, of, query)
  return sendBlob(call, repository, of)
}

async function sendManifest(
  response: ServerResponse,
  repository: Repository,
  reference: string,
): Promise<void> {
  if (!isTag(reference) && !isDigest(reference))
    throw new Refusal(404, 'MANIFEST_UNKNOWN', 'neither a tag nor a digest')
  const { bytes, mediaType, digest } = await repository.manifest(reference)
  const etag = `"${digest}"`
  response.setHeader('docker-content-digest', digest)
  response.setHeader('etag', etag)
  if (response.req.headers['if-none-match'] === etag) {
    response.writeHead(304).end()
    return
  }
  response.setHeader('content-security-policy', 'sandbox')
  response.writeHead(200, {
    'content-type': mediaType,
    'content-length': bytes.length,
    'cache-control': 'no-cache',
  })
  response.end(response.req.method === 'HEAD' ? undefined : bytes)
}

async function sendBlob(
  { request, response, demands }: Call,
  repository: Repository,
  digest: string,
): Promise<void> {
  const content = await repository.blob(digest)
  try {
    response.setHeader('docker-content-digest', digest)
    await answerWith(request, response, content, demands)
  } finally {
    content.close()
  }
}

function sendTags(
  response: ServerResponse,
  name: string,
  { tags: all }: Repository,
  query: URLSearchParams,
): void {
  const last = query.get('last')
  const behind = last === null ? all : all.filter((tag) => tag > last)
  const asked = query.get('n') ?? ''
  const most = /^\d{1,9}$/.test(asked) ? Number(asked) : behind.length
  const tags = behind.slice(0, most)
  const end = tags.at(-1)
  if (tags.length < behind.length && end !== undefined)
    response.setHeader('link', `</v2/${name}/tags/list?n=${most}&last=${end}>; rel="next"`)
  const type = { 'content-type': 'application/json' }
  sendText(response, 200, JSON.stringify({ name, tags }), type)
}

async function sendReferrers(
  response: ServerResponse,
  repository: Repository,
  digest: string,
  query: URLSearchParams,
): Promise<void> {
  const type = query.get('artifactType')
  const all = await repository.referrers(digest)
  const manifests = type === null ? all : all.filter(({ artifactType }) => artifactType === type)
  if (type !== null) response.setHeader('oci-filters-applied', 'artifactType')
  const body = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests })
  sendText(response, 200, body, { 'content-type': indexType })
}
