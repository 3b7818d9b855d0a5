/** `fr push`: reads the targets, starts the push, shows it. */
import type { PushOptions, PushTarget } from '../../api/types.js'
import { keyOption } from '../arguments/keys.js'
import { readNodesFile } from '../arguments/nodes-file.js'
import { argumentBytes, type Source, withSource } from '../arguments/sources.js'
import type { Context } from '../render/context.js'
import { given } from './options.js'
import type { PushCommand } from './push.js'
import { showTransfer } from './show-transfer.js'
import { wishOptions } from './transfer-options.js'

export async function runPush(command: PushCommand, context: Context): Promise<number> {
  const targets = command.to ?? (await readNodesFile(command.nodesFile ?? ''))
  const [path, ...more] = command.paths
  if (path === '-' || more.length > 0) return pushSource(command, context, targets, { path })
  return withSource(path, (source) => pushSource(command, context, targets, source))
}

async function pushSource(
  command: PushCommand,
  context: Context,
  targets: readonly PushTarget[],
  source: Source,
): Promise<number> {
  const { push } = await import('../../api/push.js')
  const key = await keyOption(command.keyFile, context)
  const [path, ...more] = command.paths
  const shown = path === '-' || more.length > 0 ? (command.as ?? '-') : path.replace(/\/+$/, '')
  const name = shown.slice(shown.lastIndexOf('/') + 1)
  return showTransfer({ label: 'fr push', name }, command, context, (logger, signal) => {
    const options: PushOptions = {
      ...pushOptions(command, source),
      ...key,
      to: targets,
      logger,
      signal,
    }
    if (more.length > 0) return push(command.paths, options)
    return push(path === '-' ? process.stdin : source.path, options)
  })
}

function pushOptions(command: PushCommand, source: Source): Omit<PushOptions, 'to'> {
  const { verify, dryRun, spareOrigin, mirrors, digest, engine, trace, tree, keep, coding } =
    command
  const as = command.as === undefined ? source.nameBytes : (argumentBytes(command.as) ?? command.as)
  return {
    ...{ verify, dryRun, spareOrigin, ...tree, ...coding },
    ...given({ as, digest, engine, trace, mirrors, keep }),
    ...wishOptions(command),
  }
}
