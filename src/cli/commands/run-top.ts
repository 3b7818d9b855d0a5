/** `fr top`. */

import { keyOption } from '../arguments/keys.js'
import { addressesNamed } from '../arguments/nodes-file.js'
import { type Context, watchSignals } from '../render/context.js'
import { UsageError } from '../render/units.js'
import type { TopCommand } from './top.js'

export async function runTop(command: TopCommand, context: Context): Promise<number> {
  const signal = watchSignals(() => {})
  const { stdin, stdout } = process
  if (!(stdin.isTTY && context.stdoutIsTerminal && context.env['TERM'] !== 'dumb')) {
    const instead = 'programs ask fr status --watch --json'
    throw new UsageError(`fr top is for people at a terminal; ${instead}`)
  }
  const asked = await keyOption(command, context)
  const addresses = await addressesNamed(command, signal)
  const { runScreen } = await import('../watch/run-watch.js')
  return runScreen({
    ...{ addresses, asked, everyMs: command.everyMs, signal },
    ...{ paint: context.paintStdout, input: stdin, output: stdout },
  })
}
