/**
 * `fr push`: reads the targets, starts the push, shows it, turns its result into an exit status.
 * The first SIGINT or SIGTERM cancels and waits until everything is closed.
 */
import { open } from 'node:fs/promises'
import type { LogLine, Plan, PushOptions, PushResult, PushTarget, Transfer } from '../api/types.js'
import { FrError } from '../errors.js'
import { nodesFileBytesMax, parseNodesFile } from './addresses.js'
import type { PushCommand } from './commands/push.js'
import { type Context, Interrupted, watchSignals } from './context.js'
import { asUsage, failureText } from './failures.js'
import { keyOption } from './keys.js'
import { BothViews, JsonView, LiveView, PlainView, type PushView, QuietView } from './push-views.js'
import { closingLines, planLines, pushExitStatus } from './render-push.js'
import { isLogged, jsonText, logText } from './render-text.js'
import { argumentBytes, type Source, withSource } from './sources.js'
import { UsageError } from './units.js'

type Push = (path: string, options: PushOptions) => Transfer

export async function runPush(command: PushCommand, context: Context): Promise<number> {
  const targets = command.to ?? (await readNodesFile(command.nodesFile ?? ''))
  return withSource(command.path, (source) => pushSource(command, context, targets, source))
}

async function pushSource(
  command: PushCommand,
  context: Context,
  targets: readonly PushTarget[],
  source: Source,
): Promise<number> {
  const api = await import('../api/index.js')
  const key = await keyOption(command.keyFile, context)
  const name = command.path.slice(command.path.lastIndexOf('/') + 1)
  const view = makeView(command, context, name)
  const logger = (line: LogLine): void => {
    // Outcomes are shown anyway.
    if (line.event === 'node-failed' && command.log.level !== 'debug') return
    if (!isLogged(line.level, command.log.level)) return
    view.say(logText(line, command.log.format, Date.now()))
  }
  const signal = watchSignals((text) => view.say(`fr push: ${text}`))
  const options: PushOptions = {
    ...pushOptions(command, source),
    ...key,
    to: targets,
    logger,
    signal,
  }
  const seen: { plan?: Plan } = {}
  let result: PushResult
  try {
    const transfer = startPush(api.push, source.path, options)
    transfer.on('plan', (made) => {
      seen.plan = made
      if (!command.dryRun || command.json) view.plan(made)
    })
    transfer.on('progress', (progress) => view.progress(progress))
    transfer.on('node', (outcome) => view.node(outcome))
    result = await transfer.result
  } catch (error) {
    view.end(null)
    if (command.json && !(error instanceof UsageError)) context.stdout(errorLine(error))
    throw error
  }
  if (command.dryRun) {
    view.end(null)
    if (seen.plan === undefined) return 1
    if (!command.json) {
      context.stdout(`${planLines(seen.plan, name, context.paintStdout).join('\n')}\n`)
    }
    return 0
  }
  view.end(result)
  if (!command.quiet) {
    context.stderr(`${closingLines(result, context.paintStderr).join('\n')}\n`)
  }
  return pushExitStatus(result)
}

/** JSON goes to stdout; people look at stderr, unless both are one and the same screen. */
function makeView(command: PushCommand, context: Context, name: string): PushView {
  if (command.json && context.stdoutIsTerminal) return new JsonView(context)
  const people = peopleView(command, context, name)
  return command.json ? new BothViews(new JsonView(context), people) : people
}

function peopleView(command: PushCommand, context: Context, name: string): PushView {
  if (command.quiet) return new QuietView(context)
  const isLive = command.progress && context.terminal() !== null
  return isLive
    ? new LiveView(context, name)
    : new PlainView(context, name, () => performance.now(), command.progress)
}

function pushOptions(command: PushCommand, source: Source): Omit<PushOptions, 'to'> {
  const options: Omit<PushOptions, 'to'> = {
    noClobber: command.noClobber,
    allowAdd: command.allowAdd,
    dryRun: command.dryRun,
  }
  const as = command.as === undefined ? source.nameBytes : (argumentBytes(command.as) ?? command.as)
  if (as !== undefined) options.as = as
  if (command.strategy !== undefined) options.strategy = command.strategy
  if (command.shape !== undefined) options.shape = command.shape
  if (command.groupSize !== undefined) options.groupSize = command.groupSize
  if (command.digest !== undefined) options.digest = command.digest
  if (command.engine !== undefined) options.engine = command.engine
  if (command.uplinkBytesPerSecond !== undefined)
    options.uplinkBytesPerSecond = command.uplinkBytesPerSecond
  if (command.trace !== undefined) options.trace = command.trace
  if (command.connectMs !== undefined) options.connectMs = command.connectMs
  if (command.silenceMs !== undefined) options.silenceMs = command.silenceMs
  return options
}

function startPush(push: Push, path: string, options: PushOptions): Transfer {
  try {
    return push(path, options)
  } catch (error) {
    throw asUsage(error)
  }
}

/** The last line of --json where there is no result. */
function errorLine(error: unknown): string {
  const code =
    error instanceof FrError ? error.code : error instanceof Interrupted ? 'ERR_FR_ABORTED' : null
  return `${jsonText({ event: 'error', code, text: failureText(error) })}\n`
}

async function readNodesFile(path: string): Promise<PushTarget[]> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    const file = await open(path)
    // A pipe has no size to ask for, so the bound is kept while reading.
    for await (const chunk of file.createReadStream() as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > nodesFileBytesMax)
        throw new UsageError(`${path}: larger than a nodes file can be (1 MiB)`)
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`--nodes: ${(error as Error).message}`)
  }
  return parseNodesFile(Buffer.concat(chunks).toString('utf8'), path)
}
