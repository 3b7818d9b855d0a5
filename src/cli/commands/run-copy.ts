/** `fr copy`: has a node push a file that it holds, and shows it. */
import type { CopyOptions } from '../../api/types.js'
import { keyOption } from '../arguments/keys.js'
import { targetsNamed } from '../arguments/nodes-file.js'
import { argumentBytes } from '../arguments/sources.js'
import { type Context, watchSignals } from '../render/context.js'
import { asUsage } from '../render/failures.js'
import { jsonText } from '../render/text.js'
import type { CopyCommand } from './copy.js'
import { given } from './options.js'
import { showTransfer } from './show-transfer.js'
import { wishOptions } from './transfer-options.js'

export async function runCopy(command: CopyCommand, context: Context): Promise<number> {
  const { from } = command
  const to = await targetsNamed(command)
  const { copy, startCopy } = await import('../../api/copy.js')
  const key = await keyOption(command, context)
  const name = argumentBytes(command.name) ?? command.name
  const as = command.as === undefined ? undefined : (argumentBytes(command.as) ?? command.as)
  const options: CopyOptions = {
    ...{ from, to, ...key },
    ...given({ as }),
    ...wishOptions(command),
  }
  if (!command.detach)
    return showTransfer({ label: 'fr copy', name: command.name }, command, context, (_, signal) =>
      copy(name, { ...options, signal }),
    )
  const signal = watchSignals((text) => context.stderr(`fr copy: ${text}\n`))
  const transfer = await startCopy(name, { ...options, signal }).catch((error: unknown) => {
    throw asUsage(error)
  })
  context.stdout(`${command.json ? jsonText({ event: 'copying', transfer }) : transfer}\n`)
  return 0
}
