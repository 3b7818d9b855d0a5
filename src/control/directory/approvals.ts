/**
 * Whether nodes may become children, where that has to be asked upward: those that have others
 * below them, which this node could be one of. Each request has an end.
 */
import type { FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'

export interface Judged {
  readonly code: FrErrorCode | null
  readonly text: string
}

interface Request {
  readonly nodeId: string
  readonly untilMs: number
  readonly answer: (judged: Judged) => void
}

export class Approvals {
  readonly #requests = new Map<number, Request>()
  #last = 0

  get dueMs(): number {
    // All have the same time: the first one ends first.
    const [first] = this.#requests.values()
    return first?.untilMs ?? Number.POSITIVE_INFINITY
  }

  /** The number under which it is asked; null: too many are asked already. */
  ask(nodeId: string, nowMs: number, answer: Request['answer']): number | null {
    if (this.#requests.size >= limits.approvals) return null
    this.#last += 1
    this.#requests.set(this.#last, { nodeId, untilMs: nowMs + limits.approveMs, answer })
    return this.#last
  }

  judged(request: number, judged: Judged): void {
    const found = this.#requests.get(request)
    this.#requests.delete(request)
    found?.answer(judged)
  }

  due(nowMs: number): void {
    for (const [request, { untilMs }] of this.#requests) {
      if (untilMs > nowMs) return
      this.judged(request, busy)
    }
  }

  /** Nobody is above this node any more, or somebody else is. */
  refuseAll(): void {
    for (const request of [...this.#requests.keys()]) this.judged(request, busy)
  }
}

/** It may be asked again. */
export const busy: Judged = {
  code: 'ERR_FR_BUSY',
  text: 'this part of the directory is just being joined to another one',
}
