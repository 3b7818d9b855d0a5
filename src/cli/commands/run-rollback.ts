/** `fr rollback`: gives names to earlier versions; a line for each node. */
import type { TogetherResult } from '../../api/types.js'
import { versionedName } from '../../base/versions.js'
import { heldName } from '../arguments/held-names.js'
import { keyOption } from '../arguments/keys.js'
import { addressesNamed } from '../arguments/nodes-file.js'
import { type Context, watchSignals } from '../render/context.js'
import { jsonText } from '../render/text.js'
import { forcedLine, rolledBackLine, togetherLines } from '../render/versions.js'
import { eachNode } from './each-node.js'
import type { RollbackCommand } from './rollback.js'

export async function runRollback(command: RollbackCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr rollback: ${text}\n`))
  const { forceCommit, rollback, rollbackTogether } = await import('../../api/client.js')
  const key = await keyOption(command, context)
  const { name: said } = heldName(command.name)
  const bytes = typeof said === 'string' ? new TextEncoder().encode(said) : said
  const { name, ...version } = versionedName(bytes) ?? { name: bytes }
  const { commit, timeoutMs, force: verdict, json } = command
  const addresses = await addressesNamed(command, signal)
  if (commit !== undefined) {
    const within = timeoutMs === undefined ? {} : { timeoutMs }
    const how = { ...key, ...version, ...within, commit, signal }
    const result = await rollbackTogether(addresses, name, how)
    context.stdout(json ? `${jsonText(result)}\n` : `${togetherLines(result).join('\n')}\n`)
    return statusOf(result)
  }
  return eachNode({ ...command, addresses }, context, async (node, tally) => {
    if (verdict !== undefined) {
      const forced = await forceCommit(node, name, { ...key, verdict, signal })
      tally.good++
      context.stdout(`${json ? jsonText(forced) : forcedLine(forced)}\n`)
      return
    }
    const done = await rollback(node, name, { ...key, ...version, signal })
    tally.good++
    context.stdout(`${json ? jsonText(done) : rolledBackLine(done)}\n`)
  })
}

/** 0 all nodes have the version, 3 some, 1 none. */
function statusOf({ nodes }: TogetherResult): number {
  const complete = nodes.filter(({ status }) => status === 'complete').length
  return complete === nodes.length ? 0 : complete > 0 ? 3 : 1
}
