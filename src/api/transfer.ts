/**
 * The object that `push` returns: an EventEmitter of typed events, an async iterable of progress, a
 * promise of the result, and a handle to cancel.
 *
 * Iterators never queue: a slow consumer gets the newest progress and misses older ones.
 */
import { EventEmitter } from 'node:events'
import { FrError } from '../base/errors.js'
import type { NodeLink } from '../control/plan/plan.js'
import { checkTarget } from './targets.js'
import type { Progress, PushResult, PushTarget, Transfer, TransferEvents } from './types.js'

export interface TransferControl {
  readonly transfer: Transfer
  /** Aborted by `cancel`. */
  readonly signal: AbortSignal
  emit<E extends keyof TransferEvents>(event: E, ...args: TransferEvents[E]): void
  resolve(result: PushResult): void
  reject(error: unknown): void
  /** Nodes can be added from here on. */
  running(add: AddNode): void
  /** What is told that nothing more comes. */
  finishes(finish: () => void): void
}

type AddNode = (link: NodeLink) => Promise<void>

class TransferObject extends EventEmitter<TransferEvents> implements Transfer {
  readonly id: string
  readonly result: Promise<PushResult>
  readonly #abort = new AbortController()
  readonly #running: Promise<AddNode>
  /** Called once. */
  running: (add: AddNode) => void = () => {}
  #isSettled = false
  #isFinished = false
  #finish: () => void = () => {}

  constructor(id: string, result: Promise<PushResult>) {
    super()
    this.id = id
    this.result = result
    this.#running = new Promise((resolve) => {
      this.running = resolve
    })
    const settled = (): void => {
      this.#isSettled = true
      // Ends every wait to add a node to a push that never started running.
      this.running(() => Promise.reject(new FrError('ERR_FR_NO_TRANSFER', 'the push is over')))
    }
    // Also marks a rejection as handled that only the iterator or `done` reports.
    result.then(settled, settled)
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  cancel(reason?: unknown): void {
    if (!this.#isSettled) this.#abort.abort(reason)
  }

  finish(): void {
    this.#isFinished = true
    this.#finish()
  }

  finishes(finish: () => void): void {
    this.#finish = finish
    if (this.#isFinished) finish()
  }

  add(target: string | PushTarget): Promise<void> {
    const link = checkTarget(target, 'target')
    return this.#running.then((add) => add(link))
  }

  /** Cancels the unfinished push and waits until everything of it is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel()
    await this.result.catch(() => undefined)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Progress, void, undefined> {
    let newest: Progress | undefined
    let wake: (() => void) | undefined
    const onProgress = (progress: Progress): void => {
      newest = progress
      wake?.()
    }
    const onSettled = (): void => wake?.()
    this.on('progress', onProgress)
    // Runs after the handler of the constructor, so the result is recorded by then.
    this.result.then(onSettled, onSettled)
    try {
      for (;;) {
        if (newest !== undefined) {
          const progress = newest
          newest = undefined
          yield progress
        } else if (this.#isSettled) {
          await this.result
          return
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    } finally {
      this.off('progress', onProgress)
    }
  }
}

export function makeTransfer(id: string): TransferControl {
  let resolve: (result: PushResult) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const result = new Promise<PushResult>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  const transfer = new TransferObject(id, result)
  return {
    transfer,
    signal: transfer.signal,
    emit: (event, ...args) => void (transfer as EventEmitter).emit(event, ...args),
    resolve,
    reject,
    running: (add) => transfer.running(add),
    finishes: (finish) => transfer.finishes(finish),
  }
}
