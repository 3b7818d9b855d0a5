/** `fr ls`: prints what nodes hold, as one table or as JSON, one object a file. */
import type { HeldFile } from '../../api/types.js'
import { heldGlob } from '../arguments/held-names.js'
import { keyOption } from '../arguments/keys.js'
import { addressesNamed } from '../arguments/nodes-file.js'
import { type Context, watchSignals } from '../render/context.js'
import { begun } from '../render/failures.js'
import { heldLines } from '../render/held.js'
import { jsonText } from '../render/text.js'
import { eachNode } from './each-node.js'
import type { LsCommand } from './ls.js'
import { given } from './options.js'

/** Of a table; what is longer goes on with other widths. */
const rowsAtOnce = 4_096

export async function runLs(command: LsCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr ls: ${text}\n`))
  const { list } = await import('../../api/client.js')
  const key = await keyOption(command, context)
  const addresses = await addressesNamed(command, signal)
  const glob = command.glob && heldGlob(command.glob)
  const isSeveral = addresses.length > 1
  const columns = context.stdoutIsTerminal ? context.terminal()?.columns : undefined
  let isFirst = true
  const show = (files: readonly HeldFile[]): void => {
    if (files.length === 0) return
    const [title = '', ...lines] = heldLines(files, context.paintStdout, isSeveral, columns)
    context.stdout(`${[...(isFirst ? [title] : []), ...lines].join('\n')}\n`)
    isFirst = false
  }
  const files = new Map<string, HeldFile[]>()
  const status = await eachNode({ ...command, addresses }, context, async (node, tally) => {
    let found: HeldFile[] = []
    for await (const file of begun(() => list(node, { ...key, ...given({ glob }), signal }))) {
      if (command.json) context.stdout(`${jsonText(file)}\n`)
      else found.push(file)
      if (found.length < rowsAtOnce) continue
      show(found)
      found = []
    }
    files.set(node, found)
    tally.good++
  })
  show(addresses.flatMap((node) => files.get(node) ?? []))
  return status
}
