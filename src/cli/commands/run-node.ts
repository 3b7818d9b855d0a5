/** `fr node`: serves until a signal arrives. */
import type { NodeOptions } from '../../api/types.js'
import { keyOption, readKey } from '../arguments/keys.js'
import type { Context } from '../render/context.js'
import type { NodeCommand } from './node.js'
import { given } from './options.js'
import { withDoor } from './run-door.js'
import { withFtp } from './run-ftp.js'
import { serveUntilStopped } from './serving.js'

export async function runNode(command: NodeCommand, context: Context): Promise<number> {
  const name = command.name === undefined ? {} : { name: command.name }
  const data = command.dataDir === undefined ? {} : { data: command.dataDir.join(', ') }
  const { log, json, authorize, door, ftp } = command
  const isReloading = [authorize, door?.tokens, ftp?.tokens].some((one) => one !== undefined)
  const wish = { log, json, isReloading, fields: { ...data, ...name } }
  return serveUntilStopped(wish, context, async (logger) => {
    const { startNode } = await import('../../api/index.js')
    const options = await nodeOptions(command, context)
    const node = await startNode({ ...options, logger })
    const { key, tls } = options
    const common = { ...given({ key, tls }), logger }
    return withFtp(ftp, node, await withDoor(door, { node }, common), common)
  })
}

async function nodeOptions(command: NodeCommand, context: Context): Promise<NodeOptions> {
  const options: NodeOptions = {
    listen: command.listen,
    adopt: command.adopt,
    mirror: command.mirror,
    readOnly: command.readOnly,
    relayOnly: command.relayOnly,
    ...(await keyOption(command, context)),
  }
  if (command.previousKeyFile !== undefined) {
    options.previousKey = await readKey(command.previousKeyFile, context)
  }
  const { dataDir, placement, roles, name, attributes, advertise, engine } = command
  const { minFreeBytes, keepPartialsSeconds, maxServes } = command
  const { limitUpBytesPerSecond, limitDownBytesPerSecond, maxFeeds, seal, requireSeal } = command
  const { authorize, dropPrivileges, master, parent, maxChildren, deputy } = command
  const { want, wantBytes, wantAgeSeconds } = command
  const { keep, maxSpaceBytes, maxAgeSeconds, minVersions } = command
  return {
    ...options,
    ...given({ limitUpBytesPerSecond, limitDownBytesPerSecond, maxFeeds, seal, requireSeal }),
    ...given({ want, wantBytes, wantAgeSeconds }),
    ...given({ keep, maxSpaceBytes, maxAgeSeconds, minVersions }),
    ...given({ authorize, dropPrivileges, master, parent, maxChildren, deputy }),
    ...given({ dataDir, placement, roles, name, attributes, advertise, engine }),
    ...given({ minFreeBytes, keepPartialsSeconds, maxServes }),
  }
}
