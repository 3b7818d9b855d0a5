/** `fr disks`: prints the data directories of nodes, as one table or as JSON, one object each. */
import type { DiskStatus } from '../../api/types.js'
import { keyOption } from '../arguments/keys.js'
import { addressesNamed } from '../arguments/nodes-file.js'
import { type Context, watchSignals } from '../render/context.js'
import { diskLines } from '../render/disks.js'
import { jsonText } from '../render/text.js'
import type { DisksCommand } from './disks.js'
import { eachNode } from './each-node.js'

export async function runDisks(command: DisksCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr disks: ${text}\n`))
  const { disks } = await import('../../api/client.js')
  const key = await keyOption(command, context)
  const addresses = await addressesNamed(command, signal)
  const columns = context.stdoutIsTerminal ? context.terminal()?.columns : undefined
  const found = new Map<string, readonly DiskStatus[]>()
  const status = await eachNode({ ...command, addresses }, context, async (node, tally) => {
    const ofNode = await disks(node, { ...key, signal })
    if (command.json) for (const disk of ofNode) context.stdout(`${jsonText(disk)}\n`)
    found.set(node, ofNode)
    tally.good++
  })
  const all = addresses.flatMap((node) => found.get(node) ?? [])
  if (command.json || all.length === 0) return status
  const lines = diskLines(all, context.paintStdout, addresses.length > 1, columns)
  context.stdout(`${lines.join('\n')}\n`)
  return status
}
