/**
 * What the page asks of its own door, with the token of whoever looks at it. The token stays in
 * this tab (`sessionStorage`) and goes nowhere but in `Authorization`: streams of events are read
 * by `fetch`, because `EventSource` sends no headers and a token in an address is written to logs.
 */
const root = '/api/v1'
const tokenKey = 'fr-token'
const retryMs = { first: 500, most: 10_000 } as const
/** Characters of one event, which is a line of JSON: thousands of nodes fit. */
const eventCharsMax = 64 * 1024 * 1024

/** What the door has answered instead (RFC 9457). */
export class Refused extends Error {
  readonly status: number
  readonly code: string
  readonly retryable: boolean

  constructor(status: number, code: string, text: string, retryable: boolean) {
    super(text)
    this.status = status
    this.code = code
    this.retryable = retryable
  }
}

export type Connection = 'connecting' | 'live' | 'lost'

export interface Watching {
  readonly event: (event: string, data: unknown) => void
  readonly connection?: (state: Connection) => void
  /** The door does not want to tell it, and is not asked again. */
  readonly refused?: (error: Refused) => void
}

export class Api {
  #token = sessionStorage.getItem(tokenKey)
  /** Why a token is wanted; null: none is. */
  wanted: string | null = null
  readonly #waiting = new Set<() => void>()
  /** Called when `wanted` has changed. */
  onWanted: () => void = () => {}

  get hasToken(): boolean {
    return this.#token !== null
  }

  /** Null: to be forgotten. What waits for one is asked again. */
  setToken(token: string | null): void {
    this.#token = token
    if (token === null) sessionStorage.removeItem(tokenKey)
    else sessionStorage.setItem(tokenKey, token)
    this.wanted = null
    this.onWanted()
    for (const go of this.#waiting) go()
    this.#waiting.clear()
  }

  /** Rejects with Refused, or as `fetch` does. */
  async request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    if (this.#token !== null) headers.set('authorization', `Bearer ${this.#token}`)
    const answer = await fetch(`${root}${path}`, { ...init, headers, redirect: 'error' })
    if (answer.ok) return answer
    const refused = await refusalOf(answer)
    if (refused.status === 401 && this.wanted === null) {
      this.wanted = refused.message
      this.onWanted()
    }
    throw refused
  }

  async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    const answer = await this.request(path, signal === undefined ? {} : { signal })
    return (await answer.json()) as T
  }

  async send<T>(method: string, path: string, body?: unknown): Promise<T> {
    const init: RequestInit = { method }
    if (body !== undefined) {
      init.headers = { 'content-type': 'application/json' }
      init.body = JSON.stringify(body)
    }
    const answer = await this.request(path, init)
    return (await answer.json()) as T
  }

  /** Events of a stream until it says `end`; one that is lost is asked for again. Never rejects. */
  async watch(
    path: string,
    { event, connection, refused }: Watching,
    signal: AbortSignal,
  ): Promise<void> {
    let waitMs: number = retryMs.first
    connection?.('connecting')
    while (!signal.aborted) {
      try {
        const answer = await this.request(path, { signal })
        if (answer.status === 204 || answer.body === null) return
        let isOver = false
        await readEvents(answer.body, (name, data) => {
          waitMs = retryMs.first
          connection?.('live')
          event(name, data)
          isOver ||= name === 'end'
        })
        if (isOver) return
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof Refused && error.status === 401) {
          await this.#tokenGiven(signal)
          continue
        }
        if (error instanceof Refused && !error.retryable && error.status < 500) {
          refused?.(error)
          return
        }
      }
      connection?.('lost')
      await pause(waitMs, signal)
      waitMs = Math.min(2 * waitMs, retryMs.most)
    }
  }

  #tokenGiven(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}

async function refusalOf(answer: Response): Promise<Refused> {
  const { status, statusText } = answer
  try {
    const { code, detail, retryable } = await answer.json()
    return new Refused(status, String(code), String(detail), retryable === true)
  } catch {
    return new Refused(status, `HTTP ${status}`, statusText || 'no reason was given', status >= 500)
  }
}

/** Server-sent events: blocks of `name: value` lines with an empty line after each. */
async function readEvents(
  body: ReadableStream<Uint8Array>,
  heard: (event: string, data: unknown) => void,
): Promise<void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    text += decoder.decode(value, { stream: true })
    if (text.length > eventCharsMax) throw new Error('an event is too long')
    if (!text.includes('\n\n')) continue
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1]
      const data = /^data: (.*)$/m.exec(block)?.[1]
      if (event !== undefined && data !== undefined) heard(event, JSON.parse(data))
    }
  }
}

export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}

/** What went wrong, for people. */
export function textOf(error: unknown): string {
  if (error instanceof Refused) return `${error.code}: ${error.message}`
  return error instanceof Error ? error.message : String(error)
}
