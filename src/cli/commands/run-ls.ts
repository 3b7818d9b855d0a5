/** `fr ls`: prints what nodes hold, as one table or as JSON, one object a file. */
import type { HeldFile } from '../../api/types.js'
import { keyOption } from '../arguments/keys.js'
import { argumentBytes } from '../arguments/sources.js'
import { type Context, watchSignals } from '../render/context.js'
import { asUsage } from '../render/failures.js'
import { heldLines } from '../render/held.js'
import { jsonText } from '../render/text.js'
import { eachNode } from './each-node.js'
import type { LsCommand } from './ls.js'
import { given } from './options.js'

export async function runLs(command: LsCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr ls: ${text}\n`))
  const { list } = await import('../../api/client.js')
  const key = await keyOption(command.keyFile, context)
  const glob = command.glob && (argumentBytes(command.glob) ?? command.glob)
  const files = new Map<string, HeldFile[]>()
  const status = await eachNode(command, context, async (node, tally) => {
    const found: HeldFile[] = []
    for await (const file of begun(() => list(node, { ...key, ...given({ glob }), signal }))) {
      if (command.json) context.stdout(`${jsonText(file)}\n`)
      else found.push(file)
    }
    files.set(node, found)
    tally.good++
  })
  const all = command.addresses.flatMap((node) => files.get(node) ?? [])
  if (all.length === 0) return status
  const columns = context.stdoutIsTerminal ? context.terminal()?.columns : undefined
  const lines = heldLines(all, context.paintStdout, command.addresses.length > 1, columns)
  context.stdout(`${lines.join('\n')}\n`)
  return status
}

/** A pattern that is none is a wrong command line. */
function begun<T>(begin: () => T): T {
  try {
    return begin()
  } catch (error) {
    throw asUsage(error)
  }
}
