/**
 * Questions to a master, one after the other on a link: each is looked up in a table that says
 * which right it needs and who answers it. What is not in the table is not answered.
 */
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Wanted } from '../../base/rights.js'
import { Waiting } from '../../base/time/patience.js'
import type { Frame, FrameType } from '../../control/messages/types.js'
import { linkOver } from '../../net/dial.js'
import type { Established } from '../../net/handshake.js'
import type { ControlLink } from '../../net/link.js'
import type { Authority } from '../authority.js'
import type { RequestName } from '../requests.js'

type Of<T extends FrameType> = Extract<Frame, { readonly type: T }>

interface Entry<T extends FrameType> {
  readonly wanted: readonly Wanted[]
  /** It changes nothing. */
  readonly isRead: boolean
  /** Throws, or rejects with, the FrError with which the question is refused. */
  readonly answer: (frame: Of<T>) => Frame | Promise<Frame>
}

/** By the type of the question. */
export type QuestionTable = { readonly [T in FrameType & RequestName]?: Entry<T> }

export class MasterQuestions {
  readonly #table: QuestionTable
  readonly #authority: Pick<Authority, 'require'>
  readonly #elsewhere: () => Frame | null
  /** Links on which something has to happen soon. */
  readonly #askers = new Waiting<ControlLink>()

  /** `elsewhere` tells who is to be asked instead; null: this master. */
  constructor(
    table: QuestionTable,
    authority: Pick<Authority, 'require'>,
    elsewhere: () => Frame | null = () => null,
  ) {
    this.#table = table
    this.#authority = authority
    this.#elsewhere = elsewhere
  }

  serve(established: Established): void {
    let isAnswering = false
    const expect = (forMs: number): void =>
      this.#askers.add(link, forMs, () => {
        void link.close()
      })
    const link = linkOver(established, {
      onFrame: (frame) => {
        if (isAnswering) throw new FrError('ERR_FR_PROTOCOL', 'a question before the answer')
        isAnswering = true
        expect(limits.stallMs)
        void this.#answer(established, frame).then((answer) => {
          isAnswering = false
          if (link.send(answer)) expect(limits.acceptMs)
        })
      },
      onClose: () => this.#askers.delete(link),
      lastWord: (code, text) => ({ type: 'refuse', code, text }),
    })
    expect(limits.acceptMs)
  }

  destroyAll(): void {
    for (const link of this.#askers.takeAll()) link.destroy()
  }

  async #answer(established: Established, frame: Frame): Promise<Frame> {
    try {
      const type = frame.type as FrameType & RequestName
      const entry = Object.hasOwn(this.#table, type) ? this.#table[type] : undefined
      if (entry === undefined)
        throw new FrError('ERR_FR_UNSUPPORTED', `a master answers no '${frame.type}'`)
      this.#authority.require(established, type, entry.wanted, entry.isRead)
      const elsewhere = this.#elsewhere()
      if (elsewhere !== null) return elsewhere
      const answer = await (entry as Entry<FrameType>).answer(frame)
      // What it was given may be lost with its term.
      return entry.isRead ? answer : (this.#elsewhere() ?? answer)
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
      return { type: 'refuse', code, text }
    }
  }
}
