/**
 * Real processes for the tests of the command line: nodes that serve and commands that run to their
 * end, in a directory of their own. `close` ends what still runs, by pid, and removes the files.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))
export const main = join(root, 'dist/cli/main.js')

type Child = ChildProcessByStdio<null, Readable, Readable>
type Json = Record<string, unknown>

/** A command under way or ended; its output so far. */
export class Running {
  readonly child: Child
  stdout = ''
  stderr = ''
  /** Exit status, or the signal that ended it. */
  readonly ended: Promise<number | string | null>

  constructor(child: Child) {
    this.child = child
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  }

  get lines(): Json[] {
    const whole = this.stdout.slice(0, this.stdout.lastIndexOf('\n') + 1)
    return whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Resolves as soon as `isSo`; fails with all output at the process's end, or in 20 seconds. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    let over = false
    void this.ended.then(() => {
      over = true
    })
    const started = performance.now()
    while (!isSo()) {
      over ||= performance.now() - started > 20_000
      if (over) throw new Error(`no ${what}:\n${this.stdout}\n${this.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
}

export interface ServingNode extends Running {
  readonly address: string
  readonly data: string
}

export class World {
  readonly directory: string
  readonly env: NodeJS.ProcessEnv
  readonly #running: Running[] = []

  constructor() {
    const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
    this.directory = mkdtempSync(join(parent, 'fr-cli-'))
    const { NO_COLOR: _n, FORCE_COLOR: _f, FR_KEY: _k, ...env } = process.env
    this.env = { ...env, FR_KEY: randomBytes(32).toString('hex') }
  }

  path(...parts: string[]): string {
    return join(this.directory, ...parts)
  }

  /** A file of random bytes. */
  file(name: string | Buffer, bytes: number): Buffer {
    const content = randomBytes(bytes)
    const path = Buffer.concat([Buffer.from(`${this.directory}/`), Buffer.from(name)])
    writeFileSync(path, content)
    return content
  }

  start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const options = { cwd: this.directory, env: { ...this.env, ...env } }
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    const running = new Running(child)
    this.#running.push(running)
    return running
  }

  fr(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    return this.start(process.execPath, [main, ...args], env)
  }

  /** Runs a command to its end. */
  async run(
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ status: number | string | null; stdout: string; stderr: string; lines: Json[] }> {
    const running = this.fr(args, env)
    const status = await running.ended
    const { stdout, stderr } = running
    const lines = args.includes('--json') ? running.lines : []
    return { status, stdout, stderr, lines }
  }

  /** A node on a free loopback port, serving. */
  async node(
    name: string,
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<ServingNode> {
    const data = this.path(name)
    mkdirSync(data, { recursive: true })
    const listen = ['--listen', '127.0.0.1:0', '--data', data, '--json']
    const running = this.fr(['node', ...listen, ...args], env)
    await running.until('listening line', () => running.lines.length > 0)
    return Object.assign(running, { address: String(running.lines[0]?.['address']), data })
  }

  nodes(count: number): Promise<ServingNode[]> {
    return Promise.all(Array.from({ length: count }, (_, index) => this.node(`n${index + 1}`)))
  }

  async close(): Promise<void> {
    for (const running of this.#running) {
      if (running.child.exitCode === null && running.child.signalCode === null) {
        running.kill('SIGKILL')
      }
    }
    await Promise.all(this.#running.map((running) => running.ended))
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export function listOf(nodes: readonly ServingNode[]): string {
  return nodes.map((node) => node.address).join(',')
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

/** SHA-256 of a copy; null where there is none. */
export function copyDigest(node: ServingNode, name: string | Buffer): string | null {
  const path = Buffer.concat([Buffer.from(`${node.data}/`), Buffer.from(name)])
  return existsSync(path) ? sha256(readFileSync(path)) : null
}
