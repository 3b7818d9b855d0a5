/** Questions about decisions that wait for what is said to whoever asked, within some time. */
import { limits } from '../base/limits.js'
import type { CommitFrame } from '../control/messages/commit.js'

export class WaitingQuestions {
  readonly #waiting = new Map<string, (frame: CommitFrame | null) => void>()

  /** Resolves to null where nothing is said in time, or the same one asks again. */
  wait(id: string, by: number): Promise<CommitFrame | null> {
    this.answer(id, by, null)
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answer(id, by, null), limits.commitAnswerMs)
      this.#waiting.set(`${id} ${by}`, (frame) => {
        clearTimeout(timer)
        resolve(frame)
      })
    })
  }

  /** False: nobody of this number waits. */
  answer(id: string, by: number, frame: CommitFrame | null): boolean {
    const key = `${id} ${by}`
    const resolve = this.#waiting.get(key)
    this.#waiting.delete(key)
    resolve?.(frame)
    return resolve !== undefined
  }

  close(): void {
    for (const resolve of this.#waiting.values()) resolve(null)
    this.#waiting.clear()
  }
}
