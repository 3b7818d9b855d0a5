/** `fr status`: prints what a node reports about itself, for people or as one JSON object. */
import { keyOption } from '../arguments/keys.js'
import { type Context, watchSignals } from '../render/context.js'
import { statusLines } from '../render/status.js'
import { jsonText } from '../render/text.js'
import type { StatusCommand } from './status.js'

export async function runStatus(command: StatusCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr status: ${text}\n`))
  // Loading engine and push would add a quarter to the start of a command that needs neither.
  const { fetchStatus } = await import('../../api/status.js')
  const key = await keyOption(command, context)
  const status = await fetchStatus(command.address, { ...key, signal })
  if (command.json) {
    context.stdout(`${jsonText(status)}\n`)
    return 0
  }
  // Output to a pipe is neither cut nor wrapped.
  const columns = context.stdoutIsTerminal ? context.terminal()?.columns : undefined
  context.stdout(`${statusLines(status, context.paintStdout, columns).join('\n')}\n`)
  return 0
}
