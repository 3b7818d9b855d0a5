/**
 * What a command may touch of the process: its environment, its streams, its signals. The commands
 * get it handed in, so that they can be run in a test.
 */
import { type Paint, painter, wantsColours } from './text.js'

export interface Context {
  readonly env: NodeJS.ProcessEnv
  /** Data. Nothing but JSON with --json. */
  stdout(text: string): void
  /** Progress, logs, errors. */
  stderr(text: string): void
  /** Size of the terminal behind stderr; null where there is none that can move its cursor. */
  terminal(): { columns: number; rows: number } | null
  /** True where somebody looks at stdout, who would see two things mixed. */
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
 * The first SIGINT or SIGTERM aborts the returned signal with an Interrupted; any second one ends
 * the process at once, whatever it was doing. `say` is told of the first.
 */
export function watchSignals(say: (text: string) => void): AbortSignal {
  const controller = new AbortController()
  const onSignal = (signal: 'SIGINT' | 'SIGTERM') => (): void => {
    if (controller.signal.aborted) process.exit(signalStatus[signal])
    say(`${signal}: stopping; once more ends at once`)
    controller.abort(new Interrupted(signal))
  }
  process.on('SIGINT', onSignal('SIGINT'))
  process.on('SIGTERM', onSignal('SIGTERM'))
  return controller.signal
}

/**
 * Writes what can be written: a disk that is full or a terminal that was closed never ends what is
 * under way. `failed` says whether there is any use in trying again.
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
  // Of a log that finds its disk full lines are lost until there is room.
  const say = quietly(stderr, ({ code }) => code === 'ENOSPC')
  return {
    env,
    stdout: quietly(stdout, ({ code, message }) => {
      // A reader that went away (`fr status | head -1`) wants no more; else data are lost.
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
