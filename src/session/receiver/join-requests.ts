/**
 * Requests to add a node that this node passes on to the origin of a transfer, until the origin has
 * answered or the transfer ends here. Each has an answer within limits.addMs, whoever is silent.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { Patience } from '../../base/time/patience.js'
import type { NodeLink } from '../../control/messages/copying.js'
import type { Frame } from '../../control/messages/types.js'

interface Open {
  readonly resolve: () => void
  readonly reject: (error: FrError) => void
  readonly patience: Patience
}

export class JoinRequests {
  readonly #send: (frame: Frame) => boolean
  readonly #open = new Map<number, Open>()
  #next = 0

  /** `send`: to the origin; false when its link is gone. */
  constructor(send: (frame: Frame) => boolean) {
    this.#send = send
  }

  /** Resolves when the node has joined; rejects with the FrError that says why not. */
  ask(node: NodeLink): Promise<void> {
    if (this.#open.size >= limits.joinsPerNode)
      return Promise.reject(new FrError('ERR_FR_LIMIT', 'too many nodes are being added here'))
    const request = this.#next++
    if (!this.#send({ type: 'join', request, node })) return Promise.reject(overError())
    return new Promise((resolve, reject) => {
      const patience = new Patience(limits.addMs, () => {
        this.#open.delete(request)
        reject(new FrError('ERR_FR_TIMEOUT', 'no answer from the origin in time'))
      })
      this.#open.set(request, { resolve, reject, patience })
    })
  }

  /** An answer to nothing is ignored: it came too late. */
  answered({ request, code, text }: Frame & { readonly type: 'joined' }): void {
    const open = this.#open.get(request)
    if (open === undefined) return
    this.#open.delete(request)
    open.patience.end()
    if (code === null) open.resolve()
    else open.reject(new FrError(code, text))
  }

  end(): void {
    for (const open of this.#open.values()) {
      open.patience.end()
      open.reject(overError())
    }
    this.#open.clear()
  }
}

function overError(): FrError {
  return new FrError('ERR_FR_NO_TRANSFER', 'the transfer is over at the node asked')
}
