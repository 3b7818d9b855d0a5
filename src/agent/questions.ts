/**
 * Status connections at a node: a peer with the key asks one question, gets its answer, and hangs
 * up. Question and answer have time limits, and closing the node ends all of them.
 */
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import { Waiting } from '../base/time/patience.js'
import type { Frame } from '../control/messages/types.js'
import { linkOver } from '../net/dial.js'
import type { Established } from '../net/handshake.js'
import type { ControlLink } from '../net/link.js'

export interface Answers {
  /** The status as JSON. */
  readonly statusJson: () => string
  /** Has the node added to the transfer; rejects with the FrError that says why it was not. */
  readonly add: (transfer: string, address: string) => Promise<void>
}

export class Questions {
  readonly #answers: Answers
  readonly #links = new Waiting<ControlLink>()

  constructor(answers: Answers) {
    this.#answers = answers
  }

  serve(established: Established): void {
    let isAsked = false
    const link = linkOver(established, {
      onFrame: (frame) => {
        if (isAsked) throw new FrError('ERR_FR_PROTOCOL', 'a second question')
        isAsked = true
        this.#answer(frame, (answer) => {
          link.send(answer)
          void link.close()
        })
        if (frame.type === 'add') this.#dropAfter(link, limits.addMs)
      },
      onClose: () => this.#links.delete(link),
    })
    // The peer must ask soon.
    this.#dropAfter(link, limits.acceptMs)
  }

  destroyAll(): void {
    for (const link of this.#links.takeAll()) link.destroy()
  }

  #answer(frame: Frame, answer: (frame: Frame) => void): void {
    if (frame.type === 'statusRequest')
      return answer({ type: 'status', json: this.#answers.statusJson() })
    if (frame.type !== 'add')
      throw new FrError('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}'`)
    this.#answers.add(frame.transfer, frame.address).then(
      () => answer({ type: 'added', code: null, text: '' }),
      (error: unknown) => {
        const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
        answer({ type: 'added', code, text })
      },
    )
  }

  /** Slightly longer than the answer itself may take. */
  #dropAfter(link: ControlLink, forMs: number): void {
    this.#links.add(link, forMs + limits.lingerMs, () => link.destroy())
  }
}
