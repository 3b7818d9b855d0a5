/**
 * Shows a transfer from its start to its result, which becomes an exit status: for `fr push` and
 * what else is a push. The first SIGINT or SIGTERM cancels and waits until everything is closed; of
 * a file that is followed it ends the content, and the second one cancels.
 */
import type { LogLine, Plan, PushResult, Transfer } from '../../api/types.js'
import { FrError } from '../../base/errors.js'
import { changeLines } from '../render/changes.js'
import { closingLines, pushExitStatus, warningLines, warningsOf } from '../render/closing.js'
import { type Context, Interrupted, watchSignals } from '../render/context.js'
import { asUsage, failureText } from '../render/failures.js'
import { planLines } from '../render/plan.js'
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
import { jsonText, type LogWish } from '../render/text.js'
import { UsageError } from '../render/units.js'

/** What the options of a command say about what is shown. */
export interface ShowWish {
  readonly json: boolean
  /** Errors only. */
  readonly quiet: boolean
  readonly progress: boolean
  readonly log: LogWish
  readonly dryRun?: boolean
  /** A file is followed for as long as nobody says that it is final. */
  readonly isFollowing?: boolean
}

/** `label` is the command, `name` what is transferred. */
export async function showTransfer(
  { label, name }: { readonly label: string; readonly name: string },
  command: ShowWish,
  context: Context,
  start: (logger: (line: LogLine) => void, signal: AbortSignal) => Transfer,
): Promise<number> {
  const log: PushLog = new PushLog(command.log, (line) => view.say(line))
  const view = makeView(command, context, name, () => log.held)
  const shown: { transfer?: Transfer } = {}
  const signal = watchSignals(
    (text) => view.say(`${label}: ${text}`),
    command.isFollowing ? () => shown.transfer?.finish() : undefined,
  )
  const seen: { plan?: Plan } = {}
  let result: PushResult
  try {
    const transfer = started(() => start((line) => log.take(line), signal))
    shown.transfer = transfer
    transfer.on('plan', (made) => {
      seen.plan = made
      if (command.dryRun !== true || command.json) view.plan(made)
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
  if (command.dryRun === true && result.tree?.dry === undefined) {
    view.end(null)
    if (seen.plan === undefined) return 1
    if (!command.json) {
      context.stdout(`${planLines(seen.plan, name, context.paintStdout).join('\n')}\n`)
    }
    return 0
  }
  view.end(result)
  const changes = changeLines(result)
  if (changes.length > 0 && !command.json) {
    context.stdout(`${changes.join('\n')}\n`)
    sayLines(context, warningLines(warningsOf(result), columnsOf(context), context.paintStderr))
  } else if (!command.quiet) {
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
  command: ShowWish,
  context: Context,
  name: string,
  warnings: () => number,
): PushView {
  if (command.json && context.stdoutIsTerminal) return new JsonView(context)
  const people = peopleView(command, context, name, warnings)
  return command.json ? new BothViews(new JsonView(context), people) : people
}

function peopleView(
  command: ShowWish,
  context: Context,
  name: string,
  warnings: () => number,
): PushView {
  // Nothing arrives in a dry run.
  if (command.quiet || command.dryRun === true) return new QuietView(context)
  if (!command.progress) return new OutcomeView(context, name)
  const View = context.terminal() === null ? PlainView : LiveView
  return new View(context, name, warnings)
}

function started(start: () => Transfer): Transfer {
  try {
    return start()
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
