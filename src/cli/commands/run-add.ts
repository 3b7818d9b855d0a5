/** `fr add`: adds a node to a running push; returns when the node takes part. */
import { keyOption } from '../arguments/keys.js'
import { type Context, watchSignals } from '../render/context.js'
import { jsonText } from '../render/text.js'
import type { AddCommand } from './add.js'

export async function runAdd(command: AddCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr add: ${text}\n`))
  // Loading engine and push would add a quarter to the start of a command that needs neither.
  const { addNode } = await import('../../api/status.js')
  const key = await keyOption(command, context)
  const { transfer, via } = command
  await addNode(transfer, command.node, { via, ...key, signal })
  const node = command.node.address
  const said = command.json
    ? jsonText({ event: 'added', transfer, node })
    : `${node} takes part in ${transfer}`
  context.stdout(`${said}\n`)
  return 0
}
