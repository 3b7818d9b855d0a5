/**
 * Files of a node for HTTP servers of others: `node:http`, Express, Fastify, hono on Node. They
 * get Node's own request and response.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { OpenContent } from '../../api/open-types.js'
import type { FrNode } from '../../api/types.js'
import { matchesCriteria, parseCriteria } from '../../base/criteria.js'
import { FrError } from '../../base/errors.js'
import type { Who } from '../mount.js'
import { HttpError, notRead, sendProblem } from '../problem.js'
import { answerWith, type ReaderDemands, turnOf } from './answer.js'
import { nameIn, pathOf } from './semantics.js'

export interface ServeFileOptions {
  node: Pick<FrNode, 'open'>
  /**
   * Let nginx send the file: the answer has no body and names the file below this path
   * (`X-Accel-Redirect`), where nginx has an `internal` location for the node's data directory.
   * What is not whole yet is sent from here.
   */
  accel?: string
}

export interface ReplicaHandlerOptions extends ServeFileOptions {
  /** What stands before names in paths; default `/`. */
  prefix?: string
}

/** Answers, or calls `next` for what is no GET or HEAD of a file that the node has. */
export type ReplicaHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => unknown,
) => Promise<void>

/**
 * Answers the request of this response with a file of the node: ranges, conditions, and what still
 * grows or arrives. Resolves when the answer is over. Problems are told to the client.
 */
export async function serveFile(
  response: ServerResponse,
  name: string | Uint8Array,
  options: ServeFileOptions,
): Promise<void> {
  try {
    await serve(response, name, options)
  } catch (error) {
    sendProblem(response, error)
  }
}

/** For `server.on('request')`, `app.use` and what is like them. */
export function createReplicaHandler(options: ReplicaHandlerOptions): ReplicaHandler {
  const { prefix = '/' } = options
  if (!/^\/(.*\/)?$/.test(prefix)) throw new TypeError('prefix must begin and end with a slash')
  return async (request, response, next) => {
    const { method, url = '' } = request
    const isRead = method === 'GET' || method === 'HEAD'
    const name = isRead ? nameIn(url, prefix) : null
    try {
      if (!isRead) throw notRead()
      if (name === null || name.length === 0) throw notHere()
      await serve(response, name, options)
    } catch (error) {
      if (next !== undefined && isElsewhere(error)) next()
      else sendProblem(response, error)
    }
  }
}

export function notHere(): HttpError {
  return new HttpError(404, 'ERR_FR_NOT_HELD', 'the path names no file')
}

/** Somebody else may have it. */
function isElsewhere(error: unknown): boolean {
  const codes: readonly string[] = ['ERR_FR_NOT_HELD', 'ERR_FR_IS_DIRECTORY', 'ERR_FR_NAME']
  return error instanceof FrError && (codes.includes(error.code) || isWrongMethod(error))
}

function isWrongMethod(error: FrError): boolean {
  return error instanceof HttpError && error.status === 405
}

/** Of whoever asks; null: nothing is known, and what is only for some is not for it. */
export type Asker = Pick<Who, 'attributes'>
const anybody: Asker = { attributes: null }

/** `only`: criteria of those who may have it; null: whoever asks. */
export function qualifies(attributes: Asker['attributes'], only: string | null): boolean {
  return only === null || (attributes !== null && matchesCriteria(parseCriteria(only), attributes))
}

/** Rejects with what `open` says, and with ERR_FR_ONLY where who asks does not qualify. */
export async function openFor(
  node: ServeFileOptions['node'],
  name: string | Uint8Array,
  { attributes }: Asker,
): Promise<OpenContent> {
  const content = await node.open(name)
  const { only } = content
  if (qualifies(attributes, only)) return content
  content.close()
  throw new FrError('ERR_FR_ONLY', `this content is only for: ${only}`)
}

/** Rejects where nothing was sent. */
export async function serve(
  response: ServerResponse,
  name: string | Uint8Array,
  { node, accel }: ServeFileOptions,
  asker = anybody,
  demands: ReaderDemands = {},
): Promise<void> {
  await turnOf(response.req, response)
  const content = await openFor(node, name, asker)
  try {
    if (accel === undefined || content.state !== 'held') {
      await answerWith(response.req, response, content, demands)
    } else {
      const path = `${accel.replace(/\/$/, '')}/${pathOf(new TextEncoder().encode(content.name))}`
      response.setHeader('x-accel-redirect', path)
      response.setHeader('etag', `"${content.digest}"`)
      response.writeHead(200).end()
    }
  } finally {
    content.close()
  }
}
