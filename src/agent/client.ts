/** Asks a node one question over a status connection. */
import { FrError } from '../base/errors.js'
import type { Frame } from '../control/messages/types.js'
import { type Dialler, linkOver } from '../net/dial.js'
import { dial } from '../net/handshake.js'
import type { ControlLink } from '../net/link.js'

/** JSON that the node sent. Rejects with FrError, ERR_FR_ABORTED when the signal aborts. */
export async function askStatus(
  dialler: Dialler,
  address: string,
  signal: AbortSignal,
): Promise<string> {
  return (await ask(dialler, address, { type: 'statusRequest' }, 'status', signal)).json
}

/**
 * Asks the node at `via` to have `node` added to a transfer in which it takes part. Resolves when
 * `node` has joined; rejects with the FrError that says why it has not.
 */
export async function askToAdd(
  dialler: Dialler,
  via: string,
  transfer: string,
  node: string,
  signal: AbortSignal,
): Promise<void> {
  const question: Frame = { type: 'add', transfer, address: node }
  const { code, text } = await ask(dialler, via, question, 'added', signal)
  if (code !== null) throw new FrError(code, text)
}

async function ask<T extends Frame['type']>(
  dialler: Dialler,
  address: string,
  question: Frame,
  answer: T,
  signal: AbortSignal,
): Promise<Extract<Frame, { type: T }>> {
  const established = await dial({ ...dialler, address, channel: 'status', signal })
  let link: ControlLink | undefined
  let onAbort = (): void => {}
  try {
    return await new Promise((resolve, reject) => {
      onAbort = () =>
        reject(new FrError('ERR_FR_ABORTED', 'the request was cancelled', { node: address }))
      signal.addEventListener('abort', onAbort, { once: true })
      link = linkOver(established, {
        onFrame: (frame) => {
          if (frame.type === answer) return resolve(frame as Extract<Frame, { type: T }>)
          const text = `unexpected frame '${frame.type}'`
          reject(new FrError('ERR_FR_PROTOCOL', text, { node: address }))
        },
        onClose: (code, text) => reject(new FrError(code, text, { node: address })),
      })
      link.send(question)
    })
  } finally {
    signal.removeEventListener('abort', onAbort)
    link?.destroy()
  }
}
