/** `fr rollback`: gives names to earlier versions; a line for each node. */
import { versionedName } from '../../base/versions.js'
import { heldName } from '../arguments/held-names.js'
import { keyOption } from '../arguments/keys.js'
import { readNodesFile } from '../arguments/nodes-file.js'
import { type Context, watchSignals } from '../render/context.js'
import { jsonText } from '../render/text.js'
import { rolledBackLine } from '../render/versions.js'
import { eachNode } from './each-node.js'
import type { RollbackCommand } from './rollback.js'

export async function runRollback(command: RollbackCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr rollback: ${text}\n`))
  const { rollback } = await import('../../api/client.js')
  const key = await keyOption(command.keyFile, context)
  const { name: said } = heldName(command.name)
  const bytes = typeof said === 'string' ? new TextEncoder().encode(said) : said
  const { name, ...version } = versionedName(bytes) ?? { name: bytes }
  const addresses =
    command.addresses ??
    (await readNodesFile(command.nodesFile ?? '')).map(({ address }) => address)
  return eachNode({ ...command, addresses }, context, async (node, tally) => {
    const done = await rollback(node, name, { ...key, ...version, signal })
    tally.good++
    context.stdout(`${command.json ? jsonText(done) : rolledBackLine(done)}\n`)
  })
}
