/**
 * A list that says who may do what (own-list.ts), as it is now: the file is looked at again and
 * again, which also finds one that was renamed into its place, and read again where it is not the
 * one of the last look, or when the caller says so (SIGHUP). A list that cannot be used changes
 * nothing: the one before stays.
 */
import { FrError } from '../../base/errors.js'
import { ownList, stampOf } from './own-list.js'

export interface WatchedSpec<T> {
  readonly path: string
  /** What it is a list of, for errors. */
  readonly of: string
  readonly bytesMax: number
  /** Milliseconds between two looks. */
  readonly lookMs: number
  /** Throws an error that says what is wrong. */
  readonly parse: (text: string) => T
}

export interface Watcher<T> {
  /** It was read again. `isOther`: the file is another one. */
  readonly taken: (value: T, isOther: boolean) => void
  /** What is wrong, once for each text. */
  readonly refused: (error: FrError) => void
}

interface Read<T> {
  readonly value: T
  readonly seen: string
}

export class WatchedList<T> {
  readonly #spec: WatchedSpec<T>
  readonly #watcher: Watcher<T>
  #read: Read<T>
  #said = ''
  #timer: NodeJS.Timeout | undefined
  #reading: Promise<void> = Promise.resolve()
  #isClosed = false

  private constructor(spec: WatchedSpec<T>, watcher: Watcher<T>, first: Read<T>) {
    this.#spec = spec
    this.#watcher = watcher
    this.#read = first
    this.#look()
  }

  /** Rejects with ERR_FR_PEERS. */
  static async open<T>(spec: WatchedSpec<T>, watcher: Watcher<T>): Promise<WatchedList<T>> {
    return new WatchedList(spec, watcher, await read(spec))
  }

  get value(): T {
    return this.#read.value
  }

  /** Rejects with ERR_FR_PEERS, and the list stays as it was. */
  reload(): Promise<void> {
    const reading = this.#reading.then(() => this.#readAgain())
    this.#reading = reading.catch(() => {})
    return reading
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #look(): void {
    if (this.#isClosed) return
    this.#timer = setTimeout(() => {
      void this.#lookOnce().finally(() => this.#look())
    }, this.#spec.lookMs).unref()
  }

  async #lookOnce(): Promise<void> {
    if ((await stampOf(this.#spec.path)) !== this.#read.seen) await this.reload().catch(() => {})
  }

  async #readAgain(): Promise<void> {
    try {
      const found = await read(this.#spec)
      if (this.#isClosed) return
      const isOther = found.seen !== this.#read.seen
      this.#read = found
      this.#said = ''
      this.#watcher.taken(found.value, isOther)
    } catch (error) {
      const { message } = error as FrError
      if (!this.#isClosed && message !== this.#said) this.#watcher.refused(error as FrError)
      this.#said = message
      throw error
    }
  }
}

async function read<T>({ path, of, bytesMax, parse }: WatchedSpec<T>): Promise<Read<T>> {
  try {
    const { text, seen } = await ownList(path, bytesMax)
    return { value: parse(text), seen }
  } catch (error) {
    const text = `${of}, ${path}: ${(error as Error).message}`
    throw new FrError('ERR_FR_PEERS', text, { cause: error, path })
  }
}
