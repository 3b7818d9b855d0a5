/**
 * The beginning of a stream, read before anybody is told of it, so that one which is short is known
 * whole. What was read comes again from here, and an error of the stream where it was.
 */
import { limits } from '../../base/limits.js'

type Chunk = Uint8Array | string

export interface ReadAheadRule {
  /** It reads until so much is there, one chunk more at most, or so long. */
  readonly bytes: number
  readonly ms: number
}

const usual: ReadAheadRule = { bytes: limits.readAheadBytes, ms: limits.readAheadMs }

/** `Chunks` that can be read once. */
export class ReadAhead implements AsyncIterable<Chunk> {
  readonly #stream: AsyncIterable<Chunk>
  readonly #iterator: AsyncIterator<Chunk>
  readonly #first: Chunk[] = []
  /** Asked for, and not given to anybody. */
  #next: Promise<IteratorResult<Chunk>> | undefined
  #isOver = false

  constructor(stream: AsyncIterable<Chunk>) {
    this.#stream = stream
    this.#iterator = stream[Symbol.asyncIterator]()
  }

  /** Whether it has ended, or failed. Once. */
  async isShort({ bytes, ms }: ReadAheadRule = usual): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), ms)
    })
    try {
      for (let there = 0; there < bytes; ) {
        this.#next = this.#iterator.next()
        const next = await Promise.race([this.#next, late])
        if (next === undefined) break
        if (next.done === true) this.#isOver = true
        if (next.done === true) break
        this.#next = undefined
        this.#first.push(next.value)
        there += next.value.length
      }
    } catch {
      this.#isOver = true
    } finally {
      clearTimeout(timer)
    }
    // Whoever reads on is told of its failure.
    this.#next?.catch(() => {})
    return this.#isOver
  }

  [Symbol.asyncIterator](): AsyncIterator<Chunk> {
    return {
      next: () => {
        if (this.#first.length > 0)
          return Promise.resolve({ value: this.#first.shift() as Chunk, done: false })
        const next = this.#next ?? this.#iterator.next()
        this.#next = undefined
        return next
      },
      return: async () => {
        this.#first.length = 0
        await this.#iterator.return?.()
        return { value: undefined, done: true }
      },
    }
  }

  /** Gives up a stream that waits, where it can be. */
  destroy(): void {
    const { destroy } = this.#stream as { destroy?: unknown }
    if (typeof destroy === 'function') destroy.call(this.#stream)
    else void Promise.resolve(this.#iterator.return?.()).catch(() => undefined)
  }
}
