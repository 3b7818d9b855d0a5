/**
 * The parts of the process that a command may touch: environment, streams, signals. Commands
 * receive it as an argument, so that tests can run them.
 */
import { type Paint, painter, wantsColours } from './text.js'

export interface Context {
  readonly env: NodeJS.ProcessEnv
  /** For data; with --json nothing but JSON. */
  stdout(text: string): void
  /** For progress, logs, errors. */
  stderr(text: string): void
  /** Size of the terminal behind stderr; null unless it can move its cursor. */
  terminal(): { columns: number; rows: number } | null
  /** True when stdout is a terminal, where data and progress would mix. */
  readonly stdoutIsTerminal: boolean
  readonly paintStdout: Paint
  readonly paintStderr: Paint
}

/** Aborted by the first SIGINT or SIGTERM; the exit status follows from the signal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly exitStatus: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`stopped by ${signal}`)
    this.exitStatus = signalStatus[signal]
  }
}

const signalStatus = { SIGINT: 130, SIGTERM: 143 } as const

/**
 * The first SIGINT or SIGTERM aborts the returned signal with an Interrupted and calls `say`; a
 * second one ends the process immediately. With `finish` the very first one is given to that
 * instead: what goes on for as long as somebody wants it ends well.
 */
export function watchSignals(say: (text: string) => void, finish?: () => void): AbortSignal {
  const controller = new AbortController()
  let isFinishing = finish === undefined
  const onSignal = (signal: 'SIGINT' | 'SIGTERM') => (): void => {
    if (!isFinishing) {
      isFinishing = true
      say(`${signal}: the content ends here; repeat to stop before every node has it`)
      return finish?.()
    }
    if (controller.signal.aborted) process.exit(signalStatus[signal])
    say(`${signal}: stopping; repeat to end at once`)
    controller.abort(new Interrupted(signal))
  }
  process.on('SIGINT', onSignal('SIGINT'))
  process.on('SIGTERM', onSignal('SIGTERM'))
  return controller.signal
}

/**
 * Writes what it can: a full disk or a closed terminal never ends the command. `failed` decides
 * whether to try again after an error.
 */
function quietly(
  stream: NodeJS.WriteStream,
  failed: (error: NodeJS.ErrnoException) => boolean,
): (text: string) => void {
  let isGone = false
  const onError = (error: NodeJS.ErrnoException) => {
    if (!isGone) isGone = !failed(error)
  }
  stream.on('error', onError)
  return (text) => {
    if (isGone || text === '') return
    try {
      stream.write(text)
    } catch (error) {
      onError(error as NodeJS.ErrnoException)
    }
  }
}

export function processContext(): Context {
  const { env, stdout, stderr } = process
  // While the disk is full, lines of the log are lost.
  const say = quietly(stderr, ({ code }) => code === 'ENOSPC')
  return {
    env,
    stdout: quietly(stdout, ({ code, message }) => {
      // EPIPE: a reader that left (`status | head -1`) wants no more. Other errors lose data.
      if (code === 'EPIPE') return false
      say(`fr: stdout: ${message}\n`)
      process.once('exit', () => {
        process.exitCode ||= 1
      })
      return false
    }),
    stderr: say,
    terminal: () =>
      stderr.isTTY && env['TERM'] !== 'dumb'
        ? { columns: stderr.columns || 80, rows: stderr.rows || 24 }
        : null,
    stdoutIsTerminal: stdout.isTTY === true,
    paintStdout: painter(wantsColours(env, stdout.isTTY === true)),
    paintStderr: painter(wantsColours(env, stderr.isTTY === true)),
  }
}
