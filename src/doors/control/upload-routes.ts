/**
 * Routes that take contents in: uploads that may be broken off and go on (tus 1.0 with creation and
 * termination), and one request for what is short (`curl -T FILE`). What has come whole is pushed
 * to the node of the door, or to others, or published by criteria.
 */
import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { continueBody } from '../continue.js'
import { HttpError, wrongRequest } from '../problem.js'
import { require } from '../tokens.js'
import { amount, text } from './node-schemas.js'
import { type Answer, type Call, named, type Route, route, told } from './route.js'
import type { Running } from './running.js'
import { type TransfersBehind, toldOf } from './transfer-routes.js'
import { transferTold } from './transfer-schemas.js'
import {
  countIn,
  metadataIn,
  tusHeaders,
  tusVersion,
  type UploadWish,
  wishOf,
} from './upload-wish.js'
import type { Upload, Uploads } from './uploads.js'

const id = z.string().regex(/^[0-9a-f]{32}$/, 'an upload has 32 hex digits')
const params = z.strictObject({ id })
const inHeaders = { text: 'Upload-Offset and Upload-Length say how far it is', schema: null }

const uploadTold = named(
  told,
  'Upload',
  z.object({
    id: text,
    name: text,
    length: amount,
    offset: amount,
    where: text.nullable(),
    to: z.array(text),
    transfer: text.nullable(),
  }),
)

export function uploadRoutes(behind: TransfersBehind, uploads: Uploads): Route[] {
  return [
    route({
      ...{ id: 'createUpload', method: 'post', path: '/uploads', right: 'push' },
      summary:
        'Begins one (tus): `Upload-Length`, `Upload-Metadata` with name (or filename) and, each ' +
        'optional, where (criteria by which it is published), to (addresses), sha256',
      answers: { 201: { text: 'Location has its path', schema: null } },
      run: async ({ request, who }) => {
        requireTus(request)
        const length = countIn(request.headers['upload-length'], 'Upload-Length')
        const wish = wishOf(metadataIn(request.headers['upload-metadata']))
        require(who, 'push', wish.name)
        return behind.idempotency.once(request, who, { length, wish }, async () => {
          const upload = await uploads.create(length, wish)
          if (upload.isWhole) await uploads.ingest(upload)
          const location = `/api/v1/uploads/${upload.id}`
          return { status: 201, headers: { ...stateOf(upload), location } }
        })
      },
    }),
    route({
      ...{ id: 'listUploads', method: 'get', path: '/uploads', right: 'status' },
      summary: 'Those that are open, and the last that have become something',
      answers: { 200: { text: 'All', schema: z.object({ items: z.array(uploadTold) }) } },
      run: async ({ who }) => {
        require(who, 'status')
        await uploads.open()
        return { status: 200, body: { items: uploads.all.map(viewOf) } }
      },
    }),
    route({
      ...{ id: 'getUpload', method: 'get', path: '/uploads/{id}', right: 'push' },
      summary: 'How far it is: `Upload-Offset`; tus asks with HEAD, which ends who writes now',
      params,
      answers: { 200: { text: 'Its state', schema: uploadTold } },
      run: async ({ who, params, request }) => {
        const upload = await uploads.find(params.id)
        require(who, 'push', upload.wish.name)
        // Whoever asks in order to go on is the one whose connection was lost.
        if (request.method === 'HEAD') await upload.interrupt()
        return { status: 200, body: viewOf(upload), headers: stateOf(upload) }
      },
    }),
    route({
      ...{ id: 'appendUpload', method: 'patch', path: '/uploads/{id}', right: 'push' },
      summary:
        'The next bytes, from `Upload-Offset` on, as application/offset+octet-stream; with the ' +
        'last `Fr-Transfer` is what it becomes. Where that has failed, none at the end try again',
      params,
      answers: { 204: inHeaders },
      run: async ({ request, response, who, params }) => {
        requireTus(request)
        if (request.headers['content-type'] !== 'application/offset+octet-stream')
          throw wrongRequest(415, 'the body must be application/offset+octet-stream')
        const offset = countIn(request.headers['upload-offset'], 'Upload-Offset')
        const upload = await uploads.find(params.id)
        require(who, 'push', upload.wish.name)
        await uploads.append(upload, offset, request, () => continueBody(request, response))
        if (upload.isWhole) await uploads.ingest(upload)
        return { status: 204, headers: stateOf(upload) }
      },
    }),
    route({
      ...{ id: 'removeUpload', method: 'delete', path: '/uploads/{id}', right: 'push' },
      summary: 'Ends it, and removes what has come of it',
      params,
      answers: { 204: { text: 'It is gone', schema: null } },
      run: async ({ request, who, params }) => {
        requireTus(request)
        const upload = await uploads.find(params.id)
        require(who, 'push', upload.wish.name)
        await uploads.remove(upload)
        return { status: 204, headers: tusHeaders }
      },
    }),
    route({
      ...{ id: 'putHolding', method: 'put', path: '/holdings/{name*}', right: 'push' },
      summary:
        'The body becomes what the node holds under the name (`curl -T FILE`); with `where` it ' +
        'is published by these criteria. Needs Content-Length; answers when it is over',
      params: z.strictObject({ name: z.string().max(limits.nameBytes) }),
      query: z.strictObject({ where: z.string().min(1).max(4_096).exactOptional() }),
      answers: { 201: { text: 'The transfer by which it came', schema: transferTold } },
      run: async ({ who, params, query, request, response }) => {
        const wish = wishOf({ name: params.name, ...query })
        require(who, 'push', wish.name)
        return take(behind, uploads, wish, { request, response })
      },
    }),
  ]
}

/** What has not become anything is not kept. */
async function take(
  behind: TransfersBehind,
  uploads: Uploads,
  wish: UploadWish,
  { request, response }: Pick<Call<never, never, never>, 'request' | 'response'>,
): Promise<Answer> {
  const said = request.headers['content-length']
  if (said === undefined) throw wrongRequest(411, 'Content-Length is missing')
  if (request.headers['content-encoding'] !== undefined)
    throw wrongRequest(415, 'the body must be as it is, without a content encoding')
  const upload = await uploads.create(countIn(said, 'Content-Length'), wish)
  try {
    await uploads.append(upload, 0, request, () => continueBody(request, response))
    if (!upload.isWhole) throw wrongRequest(400, 'the body broke off')
    const running = await uploads.ingest(upload)
    await running.over
    requireComplete(running)
    const location = `/api/v1/transfers/${running.id}`
    return { status: 201, body: toldOf(behind, running), headers: { location } }
  } finally {
    if (upload.running?.state !== 'complete') await uploads.remove(upload)
  }
}

/** Throws what has become of it instead. */
function requireComplete({ state, problem, result }: Running): void {
  if (state === 'complete') return
  if (problem !== null) throw new HttpError(problem.status, problem.code, problem.detail)
  const failed = result?.nodes.find(({ code }) => code !== null)
  const { code, reason, node } = failed ?? {}
  throw new FrError(code ?? 'ERR_FR_INTERNAL', reason ?? undefined, node ? { node } : {})
}

function requireTus(request: IncomingMessage): void {
  if (request.headers['tus-resumable'] === tusVersion) return
  const text = `Tus-Resumable must be ${tusVersion}`
  throw new HttpError(412, 'ERR_FR_REQUEST', text, { 'tus-version': tusVersion })
}

function stateOf(upload: Upload): Record<string, string> {
  const { length, offset, running } = upload
  return {
    ...tusHeaders,
    'upload-offset': String(offset),
    'upload-length': String(length),
    ...(running !== null && { 'fr-transfer': running.id }),
  }
}

function viewOf({ id, length, offset, wish, running }: Upload) {
  const { name, where, to } = wish
  return { id, name, length, offset, where, to, transfer: running?.id ?? null }
}
