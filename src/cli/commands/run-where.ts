/** `fr where`: prints the nodes that match, and how many were asked. */
import { keyOption } from '../arguments/keys.js'
import { type Context, watchSignals } from '../render/context.js'
import { asUsage } from '../render/failures.js'
import { jsonText, printable } from '../render/text.js'
import type { WhereCommand } from './where.js'

export async function runWhere(command: WhereCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr where: ${text}\n`))
  const { where } = await import('../../api/where.js')
  const key = await keyOption(command, context)
  const { criteria, via, json } = command
  const found = await where(criteria, { ...key, via, signal }).catch((error: unknown) => {
    throw asUsage(error)
  })
  const { nodes, asked, isWhole, ...rest } = found
  const lines = nodes.map((one) =>
    json ? jsonText(one) : printable(`${one.node} ${one.name ?? one.nodeId}`),
  )
  for (const line of lines) context.stdout(`${line}\n`)
  const count = nodes.length
  if (json) context.stdout(`${jsonText({ ...rest, count, asked, isWhole })}\n`)
  else {
    const some = isWhole ? '' : '; there may be more: somebody gave no answer'
    context.stderr(`${count} match, ${asked} asked${some}\n`)
  }
  return isWhole ? 0 : 3
}
