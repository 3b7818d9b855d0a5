/** Reads the body of a request, within bounds. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { doorLimits } from '../base/door-limits.js'
import { continueBody } from './continue.js'
import { HttpError, wrongRequest } from './problem.js'

/** At most doorLimits.jsonBytes. Rejects with HttpError: 413, 415, 408, 400. */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Uint8Array> {
  if (request.headers['content-encoding'] !== undefined)
    throw wrongRequest(415, 'the body must be as it is, without a content encoding')
  if (Number(request.headers['content-length'] ?? 0) > doorLimits.jsonBytes) throw tooLong()
  continueBody(request, response)
  return readBytes(request)
}

/** Rejects with HttpError 400. */
export function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw wrongRequest(400, `the body is no JSON: ${(error as Error).message.slice(0, 200)}`)
  }
}

function readBytes(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const timer = setTimeout(
      () => reject(wrongRequest(408, 'the body did not come in time')),
      doorLimits.jsonMs,
    )
    const settle = (result: () => void): void => {
      clearTimeout(timer)
      request.off('data', onData)
      result()
    }
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes > doorLimits.jsonBytes) settle(() => reject(tooLong()))
      else chunks.push(chunk)
    }
    request.on('data', onData)
    request.once('end', () => settle(() => resolve(Buffer.concat(chunks))))
    request.once('error', () => settle(() => reject(wrongRequest(400, 'the body broke off'))))
    request.once('close', () => settle(() => reject(wrongRequest(400, 'the body broke off'))))
  })
}

function tooLong(): HttpError {
  return new HttpError(413, 'ERR_FR_LIMIT', `a body of more than ${doorLimits.jsonBytes} bytes`)
}
