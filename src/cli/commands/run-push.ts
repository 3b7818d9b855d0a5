/** `fr push`: reads the targets, starts the push, shows it. */
import type { PushOptions, PushTarget } from '../../api/types.js'
import { keyOption } from '../arguments/keys.js'
import { targetsNamed } from '../arguments/nodes-file.js'
import { argumentBytes, type Source, withSource } from '../arguments/sources.js'
import type { Context } from '../render/context.js'
import { given } from './options.js'
import type { PushCommand } from './push.js'
import { showTransfer } from './show-transfer.js'
import { wishOptions } from './transfer-options.js'

export async function runPush(command: PushCommand, context: Context): Promise<number> {
  const targets = await targetsNamed(command)
  const [path] = command.paths
  if (path === '-' || areSeveral(command)) return pushSource(command, context, targets, { path })
  return withSource(path, (source) => pushSource(command, context, targets, source))
}

async function pushSource(
  command: PushCommand,
  context: Context,
  targets: readonly PushTarget[],
  source: Source,
): Promise<number> {
  const { push } = await import('../../api/push.js')
  const key = await keyOption(command, context)
  const [path] = command.paths
  const several = command.descriptors ? `${command.paths.length} descriptors` : '-'
  const isUnnamed = path === '-' || areSeveral(command)
  const shown = isUnnamed ? (command.as ?? several) : path.replace(/\/+$/, '')
  const name = shown.slice(shown.lastIndexOf('/') + 1)
  // A stream has an end of its own.
  const isFollowing = command.follow !== undefined && path !== '-'
  const wish = { ...command, isFollowing }
  return showTransfer({ label: 'fr push', name }, wish, context, (logger, signal) => {
    const options: PushOptions = {
      ...pushOptions(command, source),
      ...key,
      to: targets,
      logger,
      signal,
    }
    if (areSeveral(command)) return push(command.paths, options)
    return push(path === '-' ? process.stdin : source.path, options)
  })
}

/** The library is given all paths, and none is the name of what is pushed. */
function areSeveral({ paths, descriptors }: PushCommand): boolean {
  return paths.length > 1 || descriptors !== undefined
}

function pushOptions(command: PushCommand, source: Source): Omit<PushOptions, 'to'> {
  const { verify, dryRun, spareOrigin, mirrors, digest, engine, trace, tree, keep, coding } =
    command
  const { descriptors, commit, follow, noFollow, only } = command
  const isStream = command.paths[0] === '-' && !noFollow
  const as = command.as === undefined ? source.nameBytes : (argumentBytes(command.as) ?? command.as)
  return {
    ...{ verify, dryRun, spareOrigin, ...tree, ...coding },
    ...(descriptors && { descriptors: true, ...descriptors }),
    ...(follow ? { follow: true, ...follow } : isStream && { follow: 'auto' as const }),
    ...given({ as, digest, engine, trace, mirrors, keep, commit, only }),
    ...wishOptions(command),
  }
}
