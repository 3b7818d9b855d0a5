/**
 * Files of whoever looks at the page, on their way to the node: uploads by tus 1.0 that go on where
 * they broke off, also after the page was left. A browser forgets a file with the page, so the same
 * file has to be given again; which upload it belongs to is kept by its name, size and time.
 */
import type { Division } from '../base/division.js'
import { analysis } from '../media/analysis.js'
import { type Api, pause, Refused, textOf } from './api.js'
import { Store } from './store.js'
import type { TransferTold } from './told.js'

const tus = { 'tus-resumable': '1.0.0' }
const chunkBytes = 8 * 1024 * 1024
const triesMax = 8
const retryMs = { first: 500, most: 10_000 } as const
/** Files that are sent at a time, and known to the page. */
const sentMax = 2
export const filesMax = 64
/** Uploads that a browser remembers. */
const rememberedMax = 256
const rememberedKey = 'fr-uploads'

export interface Wish {
  readonly name: string
  /** Criteria by which it is published; empty: it is not. */
  readonly where: string
  /** HOST:PORT of nodes; none: the node of the door. */
  readonly to: readonly string[]
}

export type UploadState = 'ready' | 'waiting' | 'sending' | 'spreading' | 'complete' | 'failed'

export class FileUpload {
  readonly file: File
  state: UploadState = 'ready'
  /** Bytes that the node has. */
  offset = 0
  fault: string | null = null
  division: Division | null = null
  transfer: string | null = null
  /** It was begun before, and went on. */
  isResumed = false

  constructor(file: File) {
    this.file = file
  }
}

export class UploadsModel extends Store {
  readonly #api: Api
  #all: readonly FileUpload[] = []
  #sending = 0
  readonly #queue: (() => void)[] = []

  constructor(api: Api) {
    super()
    this.#api = api
  }

  get all(): readonly FileUpload[] {
    return this.#all
  }

  /** How many were too many. */
  add(files: readonly File[]): number {
    const room = Math.max(0, filesMax - this.#all.length)
    const taken = files.slice(0, room).map((file) => new FileUpload(file))
    this.#all = [...this.#all, ...taken]
    for (const one of taken) void this.#analyse(one)
    this.changed()
    return files.length - taken.length
  }

  drop(one: FileUpload): void {
    this.#all = this.#all.filter((each) => each !== one)
    this.changed()
  }

  /** Sends it, and waits for what it becomes. Never rejects: `fault` says why not. */
  async send(one: FileUpload, wish: Wish): Promise<void> {
    if (one.state !== 'ready' && one.state !== 'failed') return
    this.#is(one, 'waiting', null)
    await this.#turn()
    try {
      this.#is(one, 'sending', null)
      await this.#sendWhole(one, wish)
      this.#is(one, 'spreading', null)
      await this.#spread(one)
      forget(keyOf(one.file, wish))
      this.#is(one, 'complete', null)
    } catch (error) {
      this.#is(one, 'failed', textOf(error))
    } finally {
      this.#sending--
      this.#queue.shift()?.()
    }
  }

  async #turn(): Promise<void> {
    if (this.#sending >= sentMax) await new Promise<void>((go) => this.#queue.push(go))
    this.#sending++
  }

  #is(one: FileUpload, state: UploadState, fault: string | null): void {
    one.state = state
    one.fault = fault
    this.changed()
  }

  async #analyse(one: FileUpload): Promise<void> {
    try {
      one.division = await divisionOf(one.file)
      this.changed()
    } catch {
      // Whoever cannot read the file now hears of it when it is sent.
    }
  }

  async #sendWhole(one: FileUpload, wish: Wish): Promise<void> {
    let waitMs: number = retryMs.first
    let path: string | null = null
    for (let tries = 0; ; tries++) {
      const before = one.offset
      try {
        path ??= await this.#found(one, wish)
        path ??= await this.#created(one, wish)
        await this.#append(one, path)
        return
      } catch (error) {
        // Something moves: what comes next is the first failure again.
        if (one.offset > before) [tries, waitMs] = [0, retryMs.first]
        if (!isWorthTrying(error) || tries + 1 >= triesMax) throw error
        await pause(waitMs)
        waitMs = Math.min(2 * waitMs, retryMs.most)
        path = null
      }
    }
  }

  /** What the node has of it from before; null: nothing. */
  async #found(one: FileUpload, wish: Wish): Promise<string | null> {
    const id = remembered().get(keyOf(one.file, wish))
    if (id === undefined) return null
    const path = `/uploads/${id}`
    try {
      const { headers } = await this.#api.request(path, { method: 'HEAD', headers: tus })
      one.offset = Number(headers.get('upload-offset'))
      one.isResumed ||= one.offset > 0
      one.transfer = null
      this.changed()
      return Number(headers.get('upload-length')) === one.file.size ? path : null
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return null
      throw error
    }
  }

  async #created(one: FileUpload, { name, where, to }: Wish): Promise<string> {
    const said = { name, ...(where && { where }), ...(to.length > 0 && { to: to.join(',') }) }
    const metadata = Object.entries(said).map(([key, value]) => `${key} ${base64(value)}`)
    const headers = {
      ...tus,
      'upload-length': String(one.file.size),
      'upload-metadata': metadata.join(','),
    }
    const answer = await this.#api.request('/uploads', { method: 'POST', headers })
    const id = (answer.headers.get('location') ?? '').split('/').at(-1) ?? ''
    one.offset = 0
    one.transfer = answer.headers.get('fr-transfer')
    remember(keyOf(one.file, { name, where, to }), id)
    return `/uploads/${id}`
  }

  async #append(one: FileUpload, path: string): Promise<void> {
    const { file } = one
    // Of what is whole already none at the end say what it has become.
    while (one.offset < file.size || one.transfer === null) {
      const body = file.slice(one.offset, one.offset + chunkBytes)
      const headers = {
        ...tus,
        'content-type': 'application/offset+octet-stream',
        'upload-offset': String(one.offset),
      }
      const answer = await this.#api.request(path, { method: 'PATCH', headers, body })
      one.offset = Number(answer.headers.get('upload-offset'))
      one.transfer = answer.headers.get('fr-transfer')
      this.changed()
      if (one.offset === file.size && one.transfer === null)
        throw new Error('the node does not say what it became')
    }
  }

  async #spread(one: FileUpload): Promise<void> {
    for (;;) {
      const path = `/transfers/${one.transfer}?waitSeconds=20`
      const told = await this.#api.get<TransferTold>(path)
      if (told.state === 'running') continue
      if (told.state === 'complete') return
      const failed = told.result?.nodes.find(({ code }) => code !== null)
      throw new Error(told.problem?.detail ?? failed?.reason ?? told.state)
    }
  }
}

/** Connections are lost, and the node may be busy; what is refused stays so. */
function isWorthTrying(error: unknown): boolean {
  if (error instanceof Refused) return error.status === 409 || error.retryable
  return error instanceof TypeError
}

/** What kind of file it is, read in pieces as the node itself does. Rejects as reading does. */
export async function divisionOf(file: File): Promise<Division> {
  const reader = analysis(file.size)
  for (let step = reader.next(); ; ) {
    if (step.done) return step.value
    const [offset, length] = step.value
    const bytes = await file.slice(offset, offset + length).arrayBuffer()
    step = reader.next(new Uint8Array(bytes))
  }
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
}

function keyOf({ name, size, lastModified }: File, wish: Wish): string {
  return JSON.stringify([name, size, lastModified, wish.name, wish.where, ...wish.to])
}

function remembered(): Map<string, string> {
  try {
    return new Map(JSON.parse(localStorage.getItem(rememberedKey) ?? '[]'))
  } catch {
    return new Map()
  }
}

function remember(key: string, id: string): void {
  const all = [...remembered()].filter(([known]) => known !== key)
  const kept = [...all, [key, id] as const].slice(-rememberedMax)
  localStorage.setItem(rememberedKey, JSON.stringify(kept))
}

function forget(key: string): void {
  const kept = [...remembered()].filter(([known]) => known !== key)
  localStorage.setItem(rememberedKey, JSON.stringify(kept))
}
