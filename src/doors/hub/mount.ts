/**
 * Trees as models, for clients of the model hub: a door is their `HF_ENDPOINT`, and what was pushed
 * as ORG/NAME is the model of this name. Revisions are `main`, commits, and versions that are kept.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FrNode } from '../../api/types.js'
import { doorLimits } from '../../base/door-limits.js'
import { FrError } from '../../base/errors.js'
import { jsonOf, readBody } from '../body.js'
import { answerWith, type ReaderDemands, turnOf } from '../files/answer.js'
import { Sums } from '../files/sums.js'
import { originOf } from '../guard.js'
import { type Mount, signalOf, type Who } from '../mount.js'
import { HttpError, notRead, sendText, wrongRequest } from '../problem.js'
import { require } from '../tokens.js'
import { type HubAsked, hubAsked, isPlainPath } from './asked.js'
import { Model, type ModelEntry, noEntry, noModel, oidOf } from './model.js'
import { sendHubRefusal } from './refusal.js'

export function hubMount(node: FrNode, demands: ReaderDemands): Mount {
  const closing = new AbortController()
  const sums = new Sums()
  return {
    handle(request, response, who) {
      const asked = hubAsked(request.url ?? '')
      if (asked === undefined) return false
      const signal = signalOf(response, closing.signal)
      const call = { node, sums, request, response, who, signal, demands }
      answer(call, asked).catch((error: unknown) => sendHubRefusal(response, error))
      return true
    },
    close: () => closing.abort(new FrError('ERR_FR_CLOSED')),
  }
}

interface Call {
  readonly node: FrNode
  readonly sums: Sums
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly who: Who
  readonly signal: AbortSignal
  readonly demands: ReaderDemands
}

const json = { 'content-type': 'application/json' }

async function answer(call: Call, asked: HubAsked | null): Promise<void> {
  const { request, response, who } = call
  if (asked === null) throw noModel('of this name')
  const { what, model: name, revision, path } = asked
  const isPost = what === 'paths'
  if (isPost && request.method !== 'POST')
    throw new HttpError(405, 'ERR_FR_REQUEST', 'paths are asked about by POST', { allow: 'POST' })
  if (!isPost && request.method !== 'GET' && request.method !== 'HEAD') throw notRead()
  const about = `${name}/${what === 'file' ? path : 'config.json'}`
  // Whoever has a token is not told what else there is.
  if (who.name === null) require(who, 'get', about)
  else if (!who.rights('get', about)) throw noModel(name)
  if (path !== '' && !isPlainPath(path)) throw noEntry(path)
  const paths = isPost ? await pathsAsked(request, response) : []
  await turnOf(request, response)
  await using model = await Model.open(call, name, revision)
  response.setHeader('x-repo-commit', model.commit)
  // Awaited here: the model is closed with this function.
  if (what === 'file') await sendFile(call, model, path)
  else if (what === 'info') await sendInfo(response, name, model)
  else if (what === 'tree') await sendTree(call, model, path)
  else await sendPaths(response, model, paths)
}

async function sendPaths(
  response: ServerResponse,
  model: Model,
  paths: readonly string[],
): Promise<void> {
  const untilMs = performance.now() + doorLimits.modelDigestsMs
  const told: unknown[] = []
  for (const one of paths) {
    const entry = isPlainPath(one) ? await model.find(one) : null
    if (entry !== null) told.push(withCommit(await model.told(entry, untilMs), model))
  }
  sendText(response, 200, JSON.stringify(told), json)
}

async function sendInfo(response: ServerResponse, name: string, model: Model): Promise<void> {
  const siblings: object[] = []
  let usedStorage = 0
  for await (const entry of model.entries()) {
    if (entry.kind !== 'file') continue
    if (siblings.length >= doorLimits.modelFiles)
      throw new HttpError(422, 'ERR_FR_LIMIT', `more than ${doorLimits.modelFiles} files`)
    siblings.push({ rfilename: entry.path, size: entry.size, blobId: oidOf(entry) })
    usedStorage += entry.size
  }
  const lastModified = new Date(model.changedMs).toISOString()
  const author = name.includes('/') ? name.slice(0, name.indexOf('/')) : null
  const body = {
    ...{ _id: model.commit.slice(0, 24), id: name, modelId: name, sha: model.commit },
    ...(author !== null && { author }),
    ...{ lastModified, createdAt: lastModified, private: false, gated: false, disabled: false },
    ...{ downloads: 0, likes: 0, tags: [], siblings, usedStorage },
  }
  sendText(response, 200, JSON.stringify(body), json)
}

async function sendTree(call: Call, model: Model, path: string): Promise<void> {
  const { request, response } = call
  const query = new URLSearchParams(/\?([^#]*)/.exec(request.url ?? '')?.[1])
  const isRecursive = query.get('recursive')?.toLowerCase() === 'true'
  const isExpanded = query.get('expand')?.toLowerCase() === 'true'
  const asked = Number(query.get('limit') ?? doorLimits.modelPage)
  if (!(Number.isSafeInteger(asked) && asked > 0)) throw wrongRequest(400, 'limit is no number')
  const limit = Math.min(asked, doorLimits.modelPage)
  const cursor = query.get('cursor')
  if (path !== '' && (await model.find(path))?.kind !== 'directory') throw noEntry(path)
  const prefix = path === '' ? '' : `${path}/`
  const untilMs = performance.now() + doorLimits.modelDigestsMs
  const told: unknown[] = []
  const after = cursor === null ? undefined : Buffer.from(cursor, 'base64url')
  let last: Uint8Array | null = null
  for await (const entry of model.entries(after)) {
    const rest = entry.path.startsWith(prefix) ? entry.path.slice(prefix.length) : ''
    if (rest === '' || (!isRecursive && rest.includes('/'))) continue
    if (told.length >= limit) {
      query.set('cursor', Buffer.from(last as unknown as Uint8Array).toString('base64url'))
      response.setHeader('link', `<${hereOf(request)}?${query}>; rel="next"`)
      break
    }
    const one = await model.told(entry, untilMs)
    told.push(isExpanded ? withCommit(one, model) : one)
    last = entry.name
  }
  sendText(response, 200, JSON.stringify(told), json)
}

/** The URL of the request without its query. */
function hereOf(request: IncomingMessage): string {
  return `${originOf(request)}${(request.url ?? '').split(/[?#]/, 1)[0]}`
}

function withCommit(entry: ModelEntry, { commit, changedMs }: Model): object {
  const lastCommit = { id: commit, title: 'pushed', date: new Date(changedMs).toISOString() }
  return { ...entry, lastCommit }
}

async function sendFile(call: Call, model: Model, path: string): Promise<void> {
  const { request, response, demands } = call
  const content = await model.file(path)
  try {
    const untilMs = performance.now() + doorLimits.modelDigestsMs
    const entry = await model.find(path)
    if (entry === null) throw noEntry(path)
    const sha256 = await model.sha256(entry, untilMs)
    const etag = `"${sha256 ?? oidOf(entry)}"`
    const name = path.slice(path.lastIndexOf('/') + 1)
    const plain = name.replace(/[^ !#-[\]-~]/g, '_')
    const coded = encodeURIComponent(name).replace(/['()*]/g, escaped)
    response.setHeader('x-linked-size', entry.size)
    response.setHeader('x-linked-etag', etag)
    const named = `inline; filename*=UTF-8''${coded}; filename="${plain}";`
    response.setHeader('content-disposition', named)
    await answerWith(request, response, content, demands, etag)
  } finally {
    content.close()
  }
}

function escaped(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`
}

/** Clients send them as JSON, or as a form. */
async function pathsAsked(request: IncomingMessage, response: ServerResponse): Promise<string[]> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  const bytes = await readBody(request, response)
  const isForm = type === 'application/x-www-form-urlencoded'
  const said: unknown = isForm
    ? new URLSearchParams(Buffer.from(bytes).toString('utf8')).getAll('paths')
    : (jsonOf(bytes) as { paths?: unknown } | null)?.paths
  const isList = Array.isArray(said) && said.every((path) => typeof path === 'string')
  if (!isList) throw wrongRequest(400, 'paths is no list of paths')
  if (said.length > doorLimits.modelPaths)
    throw wrongRequest(400, `more than ${doorLimits.modelPaths} paths`)
  return said
}
