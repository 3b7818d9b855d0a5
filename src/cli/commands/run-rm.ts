/** `fr rm`: removes files and trees from nodes; a line for each node. */
import { FrError } from '../../base/errors.js'
import { heldName } from '../arguments/held-names.js'
import { keyOption } from '../arguments/keys.js'
import { addressesNamed } from '../arguments/nodes-file.js'
import { type Context, watchSignals } from '../render/context.js'
import { removedLine } from '../render/held.js'
import { jsonText } from '../render/text.js'
import { eachNode } from './each-node.js'
import type { RmCommand } from './rm.js'

export async function runRm(command: RmCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr rm: ${text}\n`))
  const { remove } = await import('../../api/client.js')
  const key = await keyOption(command, context)
  const addresses = await addressesNamed(command, signal)
  const { json } = command
  const { name, isPattern } = heldName(command.name)
  const asked = { ...key, signal }
  return eachNode({ ...command, addresses }, context, async (node, tally) => {
    const removed = await remove(node, name, asked).catch((error: unknown) => {
      const isNone = error instanceof FrError && error.code === 'ERR_FR_NOT_HELD'
      if (!isNone || !isPattern) throw error
      return remove(node, name, { ...asked, glob: true })
    })
    tally[removed.failedCount === 0 ? 'good' : 'failed']++
    context.stdout(`${json ? jsonText(removed) : removedLine(removed)}\n`)
  })
}
