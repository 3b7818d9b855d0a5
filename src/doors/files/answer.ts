/**
 * The answer to a request for a file: its head from Node, its body from the engine.
 *
 * The idea: Node writes the head of the answer, the engine sends the bytes on the same connection
 * by sendfile, and Node goes on behind them. What has not come yet is waited for; where it does not
 * come, or the reader takes nothing, the connection is cut off, so that nobody takes a part for the
 * whole.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { OpenContent } from '../../api/open-types.js'
import { doorLimits } from '../../base/door-limits.js'
import { HttpError } from '../problem.js'
import { digestHeaders } from './digests.js'
import { Pace } from './pace.js'
import { type ByteRange, httpDate, judge } from './semantics.js'
import { typeOf } from './types.js'

/** What is asked of those who read. */
export interface ReaderDemands {
  /** Default: doorLimits.leastBytesPerSecond. */
  readonly leastBytesPerSecond?: number
  /** The node sends no faster than it may. */
  readonly isLimited?: () => boolean
}

/** The validator of a content, with its quotation marks. */
export function etagOf({ digest, contentId }: OpenContent): string {
  return `"${digest ?? contentId}"`
}

/** Answers a GET or HEAD. Rejects where nothing was sent; later it cuts the connection off. */
export async function answerWith(
  request: IncomingMessage,
  response: ServerResponse,
  content: OpenContent,
  demands: ReaderDemands = {},
  etag: string = etagOf(content),
): Promise<void> {
  const digests = await digestHeaders(request.headers, content)
  const { size } = content
  const there = content.available(0)
  const modifiedMs = content.modifiedMs
  const verdict = judge(request.headers, { etag, modifiedMs, size, there })
  const isHead = request.method === 'HEAD'
  for (const [name, value] of Object.entries({ ...headersOf(content, etag), ...digests }))
    response.setHeader(name, value)
  if (verdict.status === 412) throw new HttpError(412, 'ERR_FR_REQUEST', 'the file is another one')
  if (verdict.status === 304) {
    response.writeHead(304).end()
    return
  }
  if (verdict.status === 416) {
    const headers = { 'content-range': `bytes */${size ?? '*'}` }
    throw new HttpError(416, 'ERR_FR_RANGE', 'the file ends before', headers)
  }
  response.setHeader('content-type', typeOf(content.name))
  const body = new Body(request, response, content, demands)
  if (verdict.status === 200 && size === null) return body.follow(isHead)
  const [range, ...others] = verdict.status === 206 ? verdict.ranges : [all(size ?? 0)]
  if (others.length > 0) return body.parts([range, ...others], isHead)
  if (verdict.status === 206) response.setHeader('content-range', rangeText(range, size))
  response.setHeader('content-length', range.length)
  response.writeHead(verdict.status)
  if (isHead || range.length === 0) response.end()
  else await body.send([range])
}

function all(size: number): ByteRange {
  return { offset: 0, length: size }
}

function rangeText({ offset, length }: ByteRange, size: number | null): string {
  return `bytes ${offset}-${offset + length - 1}/${size ?? '*'}`
}

function headersOf(content: OpenContent, etag: string): Record<string, string> {
  return {
    etag,
    'last-modified': httpDate(content.modifiedMs),
    'accept-ranges': 'bytes',
    // Names may get other contents, and nobody is to change what is sent past them.
    'cache-control': `${content.only === null ? '' : 'private, '}no-cache, no-transform`,
    // A page among the files is no page of the door, and may do nothing in its name.
    'content-security-policy': 'sandbox',
    'x-content-type-options': 'nosniff',
  }
}

class Body {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #content: OpenContent
  readonly #demands: ReaderDemands

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    content: OpenContent,
    demands: ReaderDemands,
  ) {
    this.#demands = demands
    this.#request = request
    this.#response = response
    this.#content = content
  }

  /** Of what is still written: as it comes, to its end. */
  async follow(isHead: boolean): Promise<void> {
    const isChunked = this.#request.httpVersion !== '1.0'
    if (isChunked) this.#response.setHeader('transfer-encoding', 'chunked')
    else this.#response.setHeader('connection', 'close')
    this.#response.writeHead(200)
    if (isHead) this.#response.end()
    else await this.#run((way) => this.#follow(way, isChunked))
  }

  async #follow(way: Way, isChunked: boolean): Promise<void> {
    for (let offset = 0; ; ) {
      const length = await way.waitFor(offset)
      if (length === 0) return
      if (isChunked) way.write(`${length.toString(16)}\r\n`)
      await way.send({ offset, length })
      if (isChunked) way.write('\r\n')
      offset += length
    }
  }

  /** Several ranges, as a body of several parts (section 14.6). */
  async parts(ranges: readonly ByteRange[], isHead: boolean): Promise<void> {
    const { size } = this.#content
    const border = randomBytes(15).toString('hex')
    const type = this.#response.getHeader('content-type')
    const heads = ranges.map(
      (range) =>
        `\r\n--${border}\r\ncontent-type: ${type}\r\n` +
        `content-range: ${rangeText(range, size)}\r\n\r\n`,
    )
    const end = `\r\n--${border}--\r\n`
    const texts = [...heads, end].reduce((sum, text) => sum + text.length, 0)
    const bytes = ranges.reduce((sum, { length }) => sum + length, texts)
    this.#response.setHeader('content-type', `multipart/byteranges; boundary=${border}`)
    this.#response.setHeader('content-length', bytes)
    this.#response.writeHead(206)
    if (isHead) this.#response.end()
    else await this.send(ranges, heads, end)
  }

  /** `heads`: what stands before each. */
  async send(ranges: readonly ByteRange[], heads?: readonly string[], end = ''): Promise<void> {
    await this.#run(async (way) => {
      for (const [at, range] of ranges.entries()) {
        if (heads !== undefined) way.write(heads[at] ?? '')
        await way.sendAll(range)
      }
      if (end !== '') way.write(end)
    })
  }

  async #run(work: (way: Way) => Promise<void>): Promise<void> {
    const response = this.#response
    const stop = new AbortController()
    const onClose = (): void => stop.abort(gone())
    response.once('close', onClose)
    try {
      response.flushHeaders()
      const { socket } = response
      if (socket === null) throw gone()
      const way = new Way(socket, this.#content, stop, this.#demands)
      const { timeout = 0 } = socket
      // The engine sees to readers that take nothing; Node would not know of any that do.
      socket.setTimeout(0)
      await work(way)
      socket.setTimeout(timeout)
      response.end()
    } catch {
      // Its head is on its way: all that is left to say is that this is not all.
      response.destroy()
    } finally {
      response.off('close', onClose)
    }
  }
}

/** Where the bytes of a body go. */
export class Way {
  readonly #socket: Socket
  readonly #content: OpenContent
  readonly #stop: AbortController
  readonly #pace: Pace
  readonly #demands: ReaderDemands

  constructor(socket: Socket, content: OpenContent, stop: AbortController, demands: ReaderDemands) {
    this.#demands = demands
    this.#pace = new Pace(demands.leastBytesPerSecond)
    this.#socket = socket
    this.#content = content
    this.#stop = stop
  }

  /** Beside the content; Node is not to put it into chunks. */
  write(text: string): void {
    this.#socket.write(text, 'latin1')
  }

  async waitFor(offset: number): Promise<number> {
    const there = this.#content.available(offset)
    if (there > 0) return there
    const { signal } = this.#stop
    const timer = setTimeout(
      () => this.#stop.abort(new Error('nothing more comes')),
      doorLimits.arriveMs,
    )
    try {
      return await this.#content.waitFor(offset, signal)
    } finally {
      clearTimeout(timer)
    }
  }

  /** As it comes. */
  async sendAll({ offset, length }: ByteRange): Promise<void> {
    for (let at = offset; at < offset + length; ) {
      const there = await this.waitFor(at)
      if (there === 0) throw new Error('the content ends before')
      const piece = Math.min(there, offset + length - at)
      await this.send({ offset: at, length: piece })
      at += piece
    }
  }

  /** All of it is there. */
  async send({ offset, length }: ByteRange): Promise<void> {
    for (let at = offset; at < offset + length; ) {
      const { bytes, withinMs } = this.#pace.next(offset + length - at)
      const fromMs = performance.now()
      await this.#within(withinMs, { offset: at, length: bytes })
      this.#pace.took(performance.now() - fromMs)
      at += bytes
    }
  }

  async #within(ms: number, range: ByteRange): Promise<void> {
    const { signal } = this.#stop
    const late = (): void => {
      // Who is slow because the node itself is limited may go on.
      if (this.#demands.isLimited?.() === true) timer.refresh()
      else this.#stop.abort(new Error('the reader is too slow'))
    }
    const timer = setTimeout(late, ms)
    try {
      await this.#content.sendTo(this.#socket, range, { signal, stalledMs: doorLimits.idleMs })
    } finally {
      clearTimeout(timer)
    }
  }
}

/**
 * Waits until the answers that stand before this one on its connection are over: whoever sends many
 * requests at once has one file open at a time. Rejects when the connection is gone.
 */
export async function turnOf(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (response.socket === null && !request.socket.destroyed) {
    const over = new AbortController()
    const { signal } = over
    await Promise.race([
      once(response, 'socket', { signal }),
      once(request.socket, 'close', { signal }),
    ]).finally(() => over.abort())
  }
  if (response.socket === null) throw gone()
}

function gone(): Error {
  return new Error('the connection is closed')
}
