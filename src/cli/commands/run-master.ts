/** `fr master`: serves until a signal arrives. */
import { keyOption, readKey } from '../arguments/keys.js'
import type { Context } from '../render/context.js'
import type { MasterCommand } from './master.js'
import { given } from './options.js'
import { withDoor } from './run-door.js'
import { serveUntilStopped } from './serving.js'

export async function runMaster(command: MasterCommand, context: Context): Promise<number> {
  const { listen, dataDir, topology, sets, authorize, previousKeyFile, log, json } = command
  const { state, stateFile, advertise } = command
  const isDoorListed = command.door?.tokens !== undefined
  const isReloading = sets !== undefined || authorize !== undefined || isDoorListed
  const wish = { log, json, isReloading, fields: { data: dataDir } }
  return serveUntilStopped(wish, context, async (logger) => {
    const { createMaster } = await import('../../api/index.js')
    const key = await keyOption(command, context)
    const previousKey =
      previousKeyFile === undefined ? undefined : await readKey(previousKeyFile, context)
    const optional = given({
      ...{ topology, sets, authorize, previousKey },
      ...{ state, stateFile, advertise },
    })
    const master = await createMaster({ listen, dataDir, ...key, ...optional, logger })
    return withDoor(command.door, { master }, { ...key, logger })
  })
}
