/**
 * What a node says to other members of decisions: questions on status links, one after the other to
 * each, and to so many at the same time.
 *
 * A word may get lost, and then whoever said it says it again later; of one kind and decision the
 * newest counts. Another node at the address of a member is told nothing.
 */
import { limits } from '../base/limits.js'
import { Turns } from '../base/time/turns.js'
import type { CommitFrame, CommitMember } from '../control/messages/commit.js'
import type { Dialler } from '../net/dial.js'
import { Inquiry } from './client.js'

export interface CommitWord {
  readonly id: string
  /** Numbers of who says it, and to whom. */
  readonly by: number
  readonly to: number
  readonly frame: CommitFrame
}

export interface CommitCallsSpec {
  readonly dialler: () => Dialler
  readonly answered: (word: CommitWord, answer: CommitFrame) => void
}

export class CommitCalls {
  readonly #spec: CommitCallsSpec
  /** What waits to be said at each address. */
  readonly #lines = new Map<string, Map<string, CommitWord>>()
  readonly #turns = new Turns(limits.commitCalls)
  readonly #over = new AbortController()

  constructor(spec: CommitCallsSpec) {
    this.#spec = spec
  }

  say({ address, nodeId }: CommitMember, word: CommitWord): void {
    if (this.#over.signal.aborted) return
    const key = `${word.id} ${word.frame.type}`
    const line = this.#lines.get(address)
    if (line !== undefined) {
      line.delete(key)
      line.set(key, word)
      return
    }
    const begun = new Map([[key, word]])
    this.#lines.set(address, begun)
    void this.#serve(address, nodeId, begun)
  }

  /** Nothing more is said. */
  close(): void {
    this.#over.abort()
  }

  /** Never rejects. */
  async #serve(address: string, nodeId: string, line: Map<string, CommitWord>): Promise<void> {
    await this.#turns.take()
    const { signal } = this.#over
    const expected = nodeId === '' ? undefined : nodeId
    let inquiry: Inquiry | undefined
    try {
      inquiry = new Inquiry(this.#spec.dialler(), address, expected)
      for (let [next] = line; next !== undefined && !signal.aborted; [next] = line) {
        const [key, word] = next
        line.delete(key)
        const question = { type: 'consult', ...word } as const
        const within = { timeoutMs: limits.acceptMs, signal }
        const { frame } = await inquiry.ask(question, 'voted', within)
        if (frame !== null) this.#spec.answered(word, frame)
      }
    } catch {
      // It is away, or refuses: what waits is said again when its time comes.
    } finally {
      inquiry?.close()
      this.#lines.delete(address)
      this.#turns.done()
    }
  }
}
