/**
 * `fr push`: reads the targets, starts the push, shows it, turns its result into an exit status.
 * The first SIGINT or SIGTERM cancels and waits until everything is closed.
 */
import { open } from 'node:fs/promises'
import type {
  Plan,
  PushOptions,
  PushResult,
  PushSource,
  PushTarget,
  Transfer,
} from '../../api/types.js'
import { FrError } from '../../base/errors.js'
import { nodesFileBytesMax, parseNodesFile } from '../arguments/addresses.js'
import { keyOption } from '../arguments/keys.js'
import { argumentBytes, type Source, withSource } from '../arguments/sources.js'
import { closingLines, pushExitStatus, warningLines } from '../render/closing.js'
import { type Context, Interrupted, watchSignals } from '../render/context.js'
import { asUsage, failureText } from '../render/failures.js'
import { planLines } from '../render/push.js'
import { PushLog } from '../render/push-log.js'
import {
  BothViews,
  JsonView,
  LiveView,
  OutcomeView,
  PlainView,
  type PushView,
  QuietView,
} from '../render/push-views.js'
import { jsonText } from '../render/text.js'
import { UsageError } from '../render/units.js'
import { given } from './options.js'
import type { PushCommand } from './push.js'

type Push = (source: PushSource, options: PushOptions) => Transfer

export async function runPush(command: PushCommand, context: Context): Promise<number> {
  const targets = command.to ?? (await readNodesFile(command.nodesFile ?? ''))
  if (command.path === '-') return pushSource(command, context, targets, { path: '-' })
  return withSource(command.path, (source) => pushSource(command, context, targets, source))
}

async function pushSource(
  command: PushCommand,
  context: Context,
  targets: readonly PushTarget[],
  source: Source,
): Promise<number> {
  const { push } = await import('../../api/push.js')
  const key = await keyOption(command.keyFile, context)
  const shown = command.path === '-' ? (command.as ?? '-') : command.path
  const name = shown.slice(shown.lastIndexOf('/') + 1)
  const log: PushLog = new PushLog(command.log, (line) => view.say(line))
  const view = makeView(command, context, name, () => log.held)
  const signal = watchSignals((text) => view.say(`fr push: ${text}`))
  const options: PushOptions = {
    ...pushOptions(command, source),
    ...key,
    to: targets,
    logger: (line) => log.take(line),
    signal,
  }
  const seen: { plan?: Plan } = {}
  let result: PushResult
  try {
    const transfer = startPush(push, command.path === '-' ? process.stdin : source.path, options)
    transfer.on('plan', (made) => {
      seen.plan = made
      if (!command.dryRun || command.json) view.plan(made)
    })
    transfer.on('progress', (progress) => view.progress(progress))
    transfer.on('node', (outcome) => view.node(outcome))
    result = await transfer.result
  } catch (error) {
    view.end(null)
    sayLines(context, warningLines(log.summary(), columnsOf(context), context.paintStderr))
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
    const columns = columnsOf(context)
    sayLines(context, closingLines(result, log.summary(), columns, context.paintStderr))
  }
  return pushExitStatus(result)
}

/**
 * The last column stays free because some terminals wrap a line that fills it. Without a terminal
 * nothing is cut or wrapped: logs are searched.
 */
function columnsOf(context: Context): number {
  return (context.terminal()?.columns ?? Number.POSITIVE_INFINITY) - 1
}

function sayLines(context: Context, lines: readonly string[]): void {
  if (lines.length > 0) context.stderr(`${lines.join('\n')}\n`)
}

/** JSON goes to stdout. People look at stderr, unless stdout is the same screen. */
function makeView(
  command: PushCommand,
  context: Context,
  name: string,
  warnings: () => number,
): PushView {
  if (command.json && context.stdoutIsTerminal) return new JsonView(context)
  const people = peopleView(command, context, name, warnings)
  return command.json ? new BothViews(new JsonView(context), people) : people
}

function peopleView(
  command: PushCommand,
  context: Context,
  name: string,
  warnings: () => number,
): PushView {
  if (command.quiet) return new QuietView(context)
  if (!command.progress) return new OutcomeView(context, name)
  const View = context.terminal() === null ? PlainView : LiveView
  return new View(context, name, warnings)
}

function pushOptions(command: PushCommand, source: Source): Omit<PushOptions, 'to'> {
  const { noClobber, strict, verify, allowAdd, wait, dryRun } = command
  const { strategy, shape, groupSize, digest, engine, uplinkBytesPerSecond, trace } = command
  const { connectMs, silenceMs, retries, timeoutMs, minRateBytesPerSecond } = command
  const as = command.as === undefined ? source.nameBytes : (argumentBytes(command.as) ?? command.as)
  return {
    ...{ noClobber, strict, verify, allowAdd, wait, dryRun },
    ...given({ as, strategy, shape, groupSize, digest, engine, uplinkBytesPerSecond, trace }),
    ...given({ connectMs, silenceMs, retries, timeoutMs, minRateBytesPerSecond }),
  }
}

function startPush(push: Push, source: PushSource, options: PushOptions): Transfer {
  try {
    return push(source, options)
  } catch (error) {
    throw asUsage(error)
  }
}

/** Last line of --json when there is no result. */
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
    // A pipe has no size, so the bound applies while reading.
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
