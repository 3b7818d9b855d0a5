/**
 * `fr get`: fetches a file or a tree, shows how far it is, tells where it came from. The first
 * SIGINT or SIGTERM stops it; what was fetched stays, and the next one goes on.
 */
import type { GetOptions } from '../../api/types.js'
import { FrError } from '../../base/errors.js'
import { heldName } from '../arguments/held-names.js'
import { keyOption } from '../arguments/keys.js'
import { addressesNamed } from '../arguments/nodes-file.js'
import { type Context, Interrupted, watchSignals } from '../render/context.js'
import { begun, failureText } from '../render/failures.js'
import { GetView, getLines } from '../render/get.js'
import { isLogged, jsonText, logText } from '../render/text.js'
import type { GetCommand } from './get.js'
import { given } from './options.js'

export async function runGet(command: GetCommand, context: Context): Promise<number> {
  if (command.set !== undefined) {
    const { runGetSet } = await import('./run-get-set.js')
    return runGetSet(command, context)
  }
  const { get } = await import('../../api/get.js')
  const { json } = command
  const view = new GetView(command, context)
  const signal = watchSignals((text) => view.say(`fr get: ${text}`))
  const { range, force, follow, engine, timeoutMs, flows, seal, output, log } = command
  const { attributes } = command
  const from = await addressesNamed({ addresses: command.from }, signal)
  const options: GetOptions = {
    ...{ from, force, follow, signal },
    ...given({ range, attributes, engine, timeoutMs, flows, seal }),
    ...given({ output: output === '-' ? process.stdout : output }),
    ...(await keyOption(command, context)),
    logger: (line) => {
      if (isLogged(line.level, log.level)) view.say(logText(line, log.format, Date.now()))
    },
  }
  try {
    const { name, isPattern } = heldName(command.name)
    const isMany = range === undefined && command.output !== '-' && !follow
    const glob = isPattern && isMany
    const fetching = begun(() => get(name, { ...options, glob }))
    for await (const progress of fetching) view.progress(progress)
    const result = await fetching.result
    view.end()
    if (json) context.stdout(`${jsonText(result)}\n`)
    const columns = (context.terminal()?.columns ?? Number.POSITIVE_INFINITY) - 1
    const lines = getLines(result, columns, context.paintStderr)
    if (!json || !context.stdoutIsTerminal) context.stderr(`${lines.join('\n')}\n`)
    return (result.tree?.failedCount ?? 0) === 0 ? 0 : 3
  } catch (error) {
    view.end()
    if (json && !(error instanceof TypeError)) context.stdout(errorLine(error))
    throw error
  }
}

/** Last line of --json when there is no result. */
function errorLine(error: unknown): string {
  const code =
    error instanceof FrError ? error.code : error instanceof Interrupted ? 'ERR_FR_ABORTED' : null
  return `${jsonText({ event: 'error', code, text: failureText(error) })}\n`
}
