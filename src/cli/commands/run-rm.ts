/** `fr rm`: removes a file from nodes; a line for each. */
import { keyOption } from '../arguments/keys.js'
import { argumentBytes } from '../arguments/sources.js'
import { type Context, watchSignals } from '../render/context.js'
import { jsonText, printable } from '../render/text.js'
import { eachNode } from './each-node.js'
import type { RmCommand } from './rm.js'

export async function runRm(command: RmCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr rm: ${text}\n`))
  const { remove } = await import('../../api/client.js')
  const key = await keyOption(command.keyFile, context)
  const { name, json } = command
  const bytes = argumentBytes(name) ?? name
  return eachNode(command, context, async (node, tally) => {
    await remove(node, bytes, { ...key, signal })
    tally.good++
    const said = json
      ? jsonText({ event: 'removed', node, name })
      : `${printable(name)} is removed from ${node}`
    context.stdout(`${said}\n`)
  })
}
