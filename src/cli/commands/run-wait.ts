/** `fr wait`: follows a copy at its node; its result becomes the exit status. */
import { keyOption } from '../arguments/keys.js'
import type { Context } from '../render/context.js'
import { showTransfer } from './show-transfer.js'
import type { WaitCommand } from './wait.js'

export async function runWait(command: WaitCommand, context: Context): Promise<number> {
  const { waitFor } = await import('../../api/copy.js')
  const key = await keyOption(command, context)
  const { transfer, via } = command
  return showTransfer({ label: 'fr wait', name: transfer }, command, context, (_, signal) =>
    waitFor(transfer, { via, ...key, signal }),
  )
}
