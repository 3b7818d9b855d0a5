/** Bytes of files to connections of the host's. */
import type { Socket } from 'node:net'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { ServeSpec } from '../../ports.js'
import { asFrError, checkServe } from '../checks.js'
import { flushed, serveByHand } from '../serve-by-hand.js'
import type { Account } from './budget.js'
import type { OpenFile } from './files.js'

/** All that an engine serves; together it is limited as one transfer is. */
export class Servings {
  readonly #up: Account
  readonly #open = new Set<AbortController>()
  #bytes = 0

  constructor(up: Account) {
    this.#up = up
  }

  get size(): number {
    return this.#open.size
  }

  /** Served so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** As ServingEngine.serve. */
  async serve(file: OpenFile, socket: Socket, spec: ServeSpec): Promise<void> {
    checkServe(spec)
    if (this.#open.size >= limits.servesAtOnce) throw new FrError('ERR_FR_LIMIT')
    spec.signal?.throwIfAborted()
    const stopping = new AbortController()
    const { signal } = stopping
    const onAbort = (): void => stopping.abort(spec.signal?.reason)
    spec.signal?.addEventListener('abort', onAbort, { once: true })
    this.#open.add(stopping)
    try {
      await file.using(() => this.#run(file, socket, { ...spec, signal }))
    } finally {
      spec.signal?.removeEventListener('abort', onAbort)
      this.#open.delete(stopping)
    }
  }

  close(): void {
    this.#up.close()
    for (const stopping of this.#open) stopping.abort(new FrError('ERR_FR_CLOSED'))
  }

  async #run(file: OpenFile, socket: Socket, spec: ServeSpec): Promise<void> {
    await flushed(socket, spec)
    await serveByHand(socket, spec, {
      take: (bytes) => this.#up.take(bytes),
      read: async ({ offset, length }) => {
        const into = Buffer.allocUnsafe(length)
        const have = await file.read(into, offset).catch((error: unknown) => {
          throw asFrError(error)
        })
        this.#bytes += have
        return into.subarray(0, have)
      },
    })
  }
}
