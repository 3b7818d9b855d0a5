/** Commands on another machine, over the user's own ssh. */
import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'

/** Of what a command prints. */
const outputCharsMax = 64 * 1024

export interface Ran {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface RemoteOptions {
  /** `ssh`, and options of it. */
  readonly ssh: readonly string[]
  /** As ssh takes it: `host`, `user@host`, a name in its configuration. */
  readonly destination: string
  readonly signal: AbortSignal
}

export class Remote {
  readonly #options: RemoteOptions

  constructor(options: RemoteOptions) {
    this.#options = options
  }

  /**
   * Runs a shell script there; `input` is a file or bytes for its standard input. Never asks for a
   * password. Rejects where ssh cannot be started, and with the reason of the signal.
   */
  run(script: string, input?: { path: string } | { bytes: Uint8Array }): Promise<Ran> {
    const { ssh, destination } = this.#options
    return this.#start([...ssh, '-o', 'BatchMode=yes', '--', destination, script], input)
  }

  /** The name or address that ssh connects to. */
  async hostName(): Promise<string> {
    const { ssh, destination } = this.#options
    const { stdout } = await this.#start([...ssh, '-G', '--', destination])
    const host = /^hostname (.+)$/m.exec(stdout)?.[1]
    return host ?? destination.replace(/^.*@/, '')
  }

  #start(
    [program = 'ssh', ...args]: readonly string[],
    input?: { path: string } | { bytes: Uint8Array },
  ): Promise<Ran> {
    const { signal } = this.#options
    signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], signal })
      const said = { stdout: '', stderr: '' }
      for (const name of ['stdout', 'stderr'] as const)
        child[name].setEncoding('utf8').on('data', (text: string) => {
          said[name] = (said[name] + text).slice(-outputCharsMax)
        })
      child.once('error', (error) => reject(signal.aborted ? signal.reason : error))
      child.once('close', (code) => resolve({ status: code ?? 255, ...said }))
      // A command that ends early reads no more; its status says why.
      child.stdin.on('error', () => {})
      if (input === undefined) child.stdin.end()
      else if ('bytes' in input) child.stdin.end(input.bytes)
      else createReadStream(input.path).pipe(child.stdin)
    })
  }
}
