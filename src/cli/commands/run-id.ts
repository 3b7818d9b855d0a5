/** `fr id`: prints a fingerprint. */
import type { Context } from '../render/context.js'
import { jsonText } from '../render/text.js'
import type { IdCommand } from './id.js'
import { given } from './options.js'

export async function runId({ dataDir, json }: IdCommand, context: Context): Promise<number> {
  const { identity } = await import('../../api/identity.js')
  const nodeId = await identity(given({ dataDir }))
  const of = dataDir === undefined ? 'client' : 'node'
  context.stdout(json ? `${jsonText({ event: 'id', of, nodeId })}\n` : `${nodeId}\n`)
  return 0
}
