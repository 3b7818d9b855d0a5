/** Real nodes and commands for the tests of the command line, in a workspace of their own. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Running } from '../../bench/running.mjs'
import { type NodeProcess, Workspace } from '../../bench/workspace.mjs'

export type { Running }
export type ServingNode = NodeProcess
export { listOf, MIB, main, root } from '../../bench/workspace.mjs'

/** An array of N items where N is known, else of any number. */
export type Several<T, N extends number, Items extends T[] = []> = number extends N
  ? T[]
  : Items['length'] extends N
    ? Items
    : Several<T, N, [...Items, T]>

export class World extends Workspace {
  constructor() {
    const { NO_COLOR: _n, FORCE_COLOR: _f, ...env } = process.env
    env['FR_KEY'] = randomBytes(32).toString('hex')
    super(0, 'any', { name: 'fr-cli', env })
  }

  /** A file of random bytes. */
  file(name: string | Buffer, bytes: number): Buffer {
    const content = randomBytes(bytes)
    writeFileSync(Buffer.concat([Buffer.from(`${this.directory}/`), Buffer.from(name)]), content)
    return content
  }

  /** A program whose current directory is the workspace's. */
  override start(...[command, args, options]: Parameters<Workspace['start']>): Running {
    return super.start(command, args, { cwd: this.directory, ...options })
  }

  async run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const running = this.fr(args, { env })
    const status = await running.ended
    const { stdout, stderr } = running
    return { status, stdout, stderr, lines: args.includes('--json') ? running.lines : [] }
  }

  node(name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    return this.startNode({ name, args, env })
  }

  async nodes<N extends number>(count: N): Promise<Several<ServingNode, N>> {
    const nodes = Array.from({ length: count }, (_, index) => this.node(`n${index + 1}`))
    return (await Promise.all(nodes)) as Several<ServingNode, N>
  }
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

/** SHA-256 of a copy; null where there is none. */
export function copyDigest(node: ServingNode, name: string | Buffer): string | null {
  const path = Buffer.concat([Buffer.from(`${node.data}/`), Buffer.from(name)])
  return existsSync(path) ? sha256(readFileSync(path)) : null
}
