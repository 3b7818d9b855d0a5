/** `fr node`: serves until a signal arrives. Logs go to stderr, one line per event. */
import type { LogLine, NodeOptions } from '../../api/types.js'
import { keyOption, readKey } from '../arguments/keys.js'
import { type Context, Interrupted, watchSignals } from '../render/context.js'
import { asUsage } from '../render/failures.js'
import { isLogged, jsonText, logText } from '../render/text.js'
import type { NodeCommand } from './node.js'
import { given } from './options.js'

export async function runNode(command: NodeCommand, context: Context): Promise<number> {
  const logger = (line: LogLine): void => {
    if (!isLogged(line.level, command.log.level)) return
    context.stderr(`${logText(line, command.log.format, Date.now())}\n`)
  }
  const log = (event: string, fields: LogLine['fields']): void =>
    logger({ level: 'info', event, fields })
  const signal = watchSignals((text) => log('stopping', { text }))
  const { startNode } = await import('../../api/index.js')
  const options = { ...(await nodeOptions(command, context)), logger }
  const node = await startNode(options).catch((error: unknown) => {
    throw asUsage(error)
  })
  if (command.json) {
    context.stdout(
      `${jsonText({ event: 'listening', address: node.address, nodeId: node.nodeId })}\n`,
    )
  } else {
    context.stderr(listeningLine(command, node.address))
  }
  const { notifyService } = await import('../../api/service.js')
  await notifyService(`READY=1\nSTATUS=serves ${node.address}`, logger)
  // Without a file to read again the signal ends the process, as ever.
  if (command.authorize !== undefined)
    process.on('SIGHUP', () => {
      log('reloading', { text: 'SIGHUP' })
      // The log says what was wrong.
      node.reload().catch(() => {})
    })
  try {
    await aborted(signal)
    await notifyService('STOPPING=1', logger)
  } finally {
    await node.close()
  }
  log('stopped', { address: node.address })
  return signal.reason instanceof Interrupted ? signal.reason.exitStatus : 0
}

/** Printed at every log level: people and scripts wait for it. */
function listeningLine(command: NodeCommand, address: string): string {
  const name = command.name === undefined ? {} : { name: command.name }
  const data = command.dataDir === undefined ? {} : { data: command.dataDir.join(', ') }
  const fields = { address, ...data, ...name }
  const line: LogLine = { level: 'info', event: 'listening', fields }
  return `${logText(line, command.log.format, Date.now())}\n`
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
  const { dataDir, placement, name, attributes, advertise, engine } = command
  const { minFreeBytes, keepPartialsSeconds, maxServes } = command
  const { limitUpBytesPerSecond, limitDownBytesPerSecond, maxFeeds, seal, requireSeal } = command
  const { authorize, dropPrivileges } = command
  const { keep, maxSpaceBytes, maxAgeSeconds, minVersions } = command
  return {
    ...options,
    ...given({ limitUpBytesPerSecond, limitDownBytesPerSecond, maxFeeds, seal, requireSeal }),
    ...given({ keep, maxSpaceBytes, maxAgeSeconds, minVersions }),
    ...given({ authorize, dropPrivileges }),
    ...given({ dataDir, placement, name, attributes, advertise, engine }),
    ...given({ minFreeBytes, keepPartialsSeconds, maxServes }),
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
