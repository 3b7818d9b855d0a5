/**
 * `fr status`: prints what a node or a master reports, for people or as one JSON object; of several
 * a line for each; with `--watch` again and again.
 */
import type { StatusOptions } from '../../api/types.js'
import { FrError } from '../../base/errors.js'
import { keyOption } from '../arguments/keys.js'
import { addressesNamed } from '../arguments/nodes-file.js'
import { type Context, watchSignals } from '../render/context.js'
import { statusLines } from '../render/status.js'
import { jsonText } from '../render/text.js'
import type { StatusCommand } from './status.js'

export async function runStatus(command: StatusCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr status: ${text}\n`))
  const key = await keyOption(command, context)
  const addresses = await addressesNamed(command, signal)
  const { json, watchMs } = command
  const [address] = addresses
  if (addresses.length === 1 && address !== undefined && watchMs === undefined)
    return statusOfOne({ address, json, asked: { ...key, signal } }, context)
  const { runStatuses } = await import('../watch/run-statuses.js')
  return runStatuses({ addresses, json, watchMs, key, signal }, context)
}

async function statusOfOne(
  { address, json, asked }: { address: string; json: boolean; asked: StatusOptions },
  context: Context,
): Promise<number> {
  // Loading engine and push would add a quarter to the start of a command that needs neither.
  const { fetchStatus } = await import('../../api/status.js')
  const status = await fetchStatus(address, asked).catch((error: unknown) => {
    if (error instanceof FrError && error.code === 'ERR_FR_UNSUPPORTED') return null
    throw error
  })
  if (status === null) {
    const { runMasterStatus } = await import('./run-asking-master.js')
    return runMasterStatus({ address, json, asked }, context)
  }
  if (json) {
    context.stdout(`${jsonText(status)}\n`)
    return 0
  }
  // Output to a pipe is neither cut nor wrapped.
  const columns = context.stdoutIsTerminal ? context.terminal()?.columns : undefined
  context.stdout(`${statusLines(status, context.paintStdout, columns).join('\n')}\n`)
  return 0
}
