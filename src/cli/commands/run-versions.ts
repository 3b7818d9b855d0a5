/** `fr versions`: prints the versions of files, as one table or as JSON, one object a version. */
import type { FileVersion } from '../../api/types.js'
import { heldGlob } from '../arguments/held-names.js'
import { keyOption } from '../arguments/keys.js'
import { addressesNamed } from '../arguments/nodes-file.js'
import { type Context, watchSignals } from '../render/context.js'
import { begun } from '../render/failures.js'
import { jsonText } from '../render/text.js'
import { versionLines } from '../render/versions.js'
import { eachNode } from './each-node.js'
import { given } from './options.js'
import type { VersionsCommand } from './versions.js'

export async function runVersions(command: VersionsCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr versions: ${text}\n`))
  const { versions } = await import('../../api/client.js')
  const key = await keyOption(command, context)
  const addresses = await addressesNamed(command, signal)
  const glob = command.glob && heldGlob(command.glob)
  const columns = context.stdoutIsTerminal ? context.terminal()?.columns : undefined
  const found = new Map<string, FileVersion[]>()
  const status = await eachNode({ ...command, addresses }, context, async (node, tally) => {
    const ofNode: FileVersion[] = []
    for await (const version of begun(() =>
      versions(node, { ...key, ...given({ glob }), signal }),
    )) {
      if (command.json) context.stdout(`${jsonText(version)}\n`)
      else ofNode.push(version)
    }
    found.set(node, ofNode)
    tally.good++
  })
  const all = addresses.flatMap((node) => found.get(node) ?? [])
  if (all.length === 0) return status
  const lines = versionLines(all, context.paintStdout, addresses.length > 1, columns)
  context.stdout(`${lines.join('\n')}\n`)
  return status
}
