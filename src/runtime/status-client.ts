/** Asks a node for its status over a status connection. */
import { FrError } from '../errors.js'
import { type Dialler, linkOver } from './dial.js'
import { dial } from './handshake.js'
import type { ControlLink } from './link.js'

/** The JSON the node sent. Rejects with FrError; ERR_FR_ABORTED when the signal is. */
export async function askStatus(
  dialler: Dialler,
  address: string,
  signal: AbortSignal,
): Promise<string> {
  const established = await dial({ ...dialler, address, channel: 'status', signal })
  let link: ControlLink | undefined
  let onAbort = (): void => {}
  try {
    return await new Promise<string>((resolve, reject) => {
      onAbort = () =>
        reject(new FrError('ERR_FR_ABORTED', 'asking was cancelled', { node: address }))
      signal.addEventListener('abort', onAbort, { once: true })
      link = linkOver(established, {
        onFrame: (frame) => {
          if (frame.type === 'status') resolve(frame.json)
          else
            reject(
              new FrError('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}'`, { node: address }),
            )
        },
        onClose: (code, text) => reject(new FrError(code, text, { node: address })),
      })
      link.send({ type: 'statusRequest' })
    })
  } finally {
    signal.removeEventListener('abort', onAbort)
    link?.destroy()
  }
}
