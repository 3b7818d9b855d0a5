/**
 * Server-sent events to one client. Two kinds: what must come (`send`), and what only counts as
 * the newest (`sendNewest`), which a client that reads slowly misses. A client that reads so slowly
 * that what must come piles up is cut off; it may ask again and gets the state as it is then.
 */
import type { ServerResponse } from 'node:http'
import { doorLimits } from '../../base/door-limits.js'
import { HttpError } from '../problem.js'

export class EventStream {
  readonly #response: ServerResponse
  readonly #beat: NodeJS.Timeout
  #isOver = false
  /** Called once, when nobody reads any more. */
  onOver: () => void = () => {}

  /** Sends the headers. Throws HttpError 503 where there are too many streams. */
  constructor(response: ServerResponse) {
    if (open.size >= doorLimits.eventStreams)
      throw new HttpError(503, 'ERR_FR_LIMIT', 'too many streams of events', { 'retry-after': '5' })
    open.add(this)
    this.#response = response
    response.once('close', () => this.#over())
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // nginx would collect them.
      'x-accel-buffering': 'no',
    })
    response.flushHeaders()
    this.#beat = setInterval(() => this.#write(':\n\n'), doorLimits.eventBeatMs)
    this.#beat.unref()
    if (response.req.method === 'HEAD') this.end()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  send(event: string, data: unknown, id?: string): void {
    this.#write(textOf(event, data, id))
  }

  sendNewest(event: string, data: unknown): void {
    if (this.#response.writableLength === 0) this.#write(textOf(event, data))
  }

  end(): void {
    if (!this.#isOver) this.#response.end()
    this.#over()
  }

  #write(text: string): void {
    if (this.#isOver) return
    this.#response.write(text)
    if (this.queuedBytes > doorLimits.eventQueueBytes || isTooMuch()) this.#response.destroy()
  }

  get queuedBytes(): number {
    return this.#response.writableLength
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.onOver()
    open.delete(this)
    clearInterval(this.#beat)
  }
}

/** Of all doors of this process. */
const open = new Set<EventStream>()

/** Of all streams together: the next that has to be told something is cut off. */
function isTooMuch(): boolean {
  let bytes = 0
  for (const one of open) bytes += one.queuedBytes
  return bytes > doorLimits.eventQueuesBytes
}

/** JSON has no line ends of its own, so one line is enough. */
function textOf(event: string, data: unknown, id?: string): string {
  const head = id === undefined ? '' : `id: ${id}\n`
  return `${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
