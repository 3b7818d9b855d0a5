/**
 * A temporary directory and the processes started in it, among them real `fr node` and `fr push`
 * processes. Benches, tests, demo and load tests share it. Both are removed at the end: by `close`,
 * or else by the exit handler.
 */
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes, randomFillSync } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  availableMemoryBytes,
  busySeconds,
  endedChildrenCpuSeconds,
  mainThreadSeconds,
  roomAt,
} from './machine.mjs'
import { freeAddress } from './programs.mjs'
import { Running } from './running.mjs'

export const KIB = 2 ** 10
export const MIB = 2 ** 20
export const GIB = 2 ** 30

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
export const main = path.join(root, 'dist/cli/main.js')

const pieceBytes = 8 * MIB
const quiet = ['--log-level', 'error']
const nextTurn = promisify(setImmediate)

/** A bench lacks something that it needs; one line, exit status 2. */
export class Obstacle extends Error {}

/** The published package contains neither the lab nor the development dependencies. */
export function requireRepository() {
  if (existsSync(path.join(root, 'bench/lab'))) return
  throw new Obstacle('needs a clone of the repository; this is the published package')
}

/** @typedef {Running & { readonly address: string, readonly data: string }} NodeProcess */

const endings = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }

export class Workspace {
  #running = new Set()
  #onExit = () => this.#drop()
  #onSignal = (signal) => process.exit(endings[signal])
  directory

  /**
   * `bytes` is the most that will be written. `where` is 'memory' (tmpfs), 'disk', or 'any': memory
   * with enough room, else the disk; `at` is a directory for it instead. `env` is for every program
   * that is started.
   * @param {number} bytes
   * @param {'memory' | 'disk' | 'any'} where
   * @param {{ name?: string, env?: NodeJS.ProcessEnv, at?: string }} options
   */
  constructor(bytes, where = 'memory', { name = 'fr-bench', env = process.env, at } = {}) {
    const place = at ?? placeFor(bytes, where)
    if (!hasRoom(place, bytes)) {
      const text = (value) => `${(value / GIB).toFixed(2)} GiB`
      const room = text(roomAt(place))
      throw new Obstacle(`needs ${text(bytes)} in ${place}, which has room for ${room}`)
    }
    this.directory = mkdtempSync(path.join(place, `${name}-${process.pid}-`))
    // A source that was pushed before is read again, unless a bench is about that.
    /** @type {NodeJS.ProcessEnv} */
    this.env = { ...env, XDG_CACHE_HOME: path.join(this.directory, 'none/cache') }
    process.on('exit', this.#onExit)
    for (const signal of Object.keys(endings)) process.on(signal, this.#onSignal)
  }

  path(...parts) {
    return path.join(this.directory, ...parts)
  }

  makeDirectory(name) {
    const made = this.path(name)
    mkdirSync(made, { recursive: true })
    return made
  }

  remove(name) {
    rmSync(this.path(name), { recursive: true, force: true })
  }

  /** A file of random bytes. Writing yields regularly, so that signals are handled. */
  async randomFile(name, bytes) {
    const file = this.path(name)
    const piece = Buffer.allocUnsafe(Math.min(bytes, pieceBytes))
    const fd = openSync(file, 'wx', 0o600)
    for (let done = 0; done < bytes; ) {
      done += writeSync(fd, randomFillSync(piece), 0, Math.min(piece.length, bytes - done))
      await nextTurn()
    }
    closeSync(fd)
    return file
  }

  /** A file with a new key. */
  keyFile() {
    const file = this.path('key')
    writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
    return file
  }

  /**
   * Starts a program; `prefix` is put before it (a namespace), `env` is added to the workspace's.
   * @param {string} command
   * @param {readonly string[]} args
   * @param {import('node:child_process').SpawnOptions & { prefix?: readonly string[] }} options
   */
  start(command, args, { prefix = [], env, ...options } = {}) {
    const [program, ...rest] = [...prefix, command, ...args]
    const running = new Running(program, rest, { env: { ...this.env, ...env }, ...options })
    this.#running.add(running)
    running.ended.then(() => this.#running.delete(running))
    return running
  }

  /** `fr` with these arguments. */
  fr(args, options = {}) {
    return this.start(process.execPath, [main, ...args], options)
  }

  /** Runs a program to its end. `seconds` lasts from before its start until after its exit. */
  async collect(command, args, options = {}) {
    const cpuBefore = endedChildrenCpuSeconds()
    const start = performance.now()
    const running = this.start(command, args, options)
    const status = await running.ended
    const seconds = (performance.now() - start) / 1000
    const cpu = endedChildrenCpuSeconds() - cpuBefore
    const { stdout, stderr } = running
    return { status, stdout, stderr, seconds, cpuSeconds: cpu }
  }

  /**
   * One real `fr node`; resolves once it listens. `passes`: it stores nothing.
   * @param {{
   *   listen?: string,
   *   name: string,
   *   keyFile?: string | undefined,
   *   prefix?: readonly string[],
   *   env?: NodeJS.ProcessEnv,
   *   args?: readonly string[],
   *   passes?: boolean,
   * }} options
   * @returns {Promise<NodeProcess>}
   */
  async startNode(wanted) {
    const { listen = await freeAddress(), name, ...more } = wanted
    const { keyFile, args = quiet, passes, ...options } = more
    const data = this.makeDirectory(name)
    const kind = passes ? ['--relay-only'] : ['--data', data]
    const all = ['node', '--listen', listen, ...kind, '--json']
    if (keyFile !== undefined) all.push('--key-file', keyFile)
    const running = this.fr([...all, ...args], options)
    const { address } = await running.ready(name)
    return Object.assign(running, { address, data })
  }

  /**
   * Several nodes: node-1, node-2 and so on.
   * @returns {Promise<NodeProcess[]>}
   */
  startNodes(count, options = {}) {
    const each = (_, at) => this.startNode({ name: `node-${at + 1}`, ...options })
    return Promise.all(Array.from({ length: count }, each))
  }

  /** Stops programs of this workspace and waits until they are gone. */
  async stop(running) {
    await Promise.all(running.map((each) => each.stop()))
  }

  #drop() {
    for (const running of this.#running) running.child.kill('SIGKILL')
    // A process that is being killed may still create a file while its directory is removed.
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
  }

  async close() {
    const running = [...this.#running]
    for (const each of running) each.kill()
    await Promise.all(running.map((each) => each.ended))
    this.#drop()
    process.off('exit', this.#onExit)
    for (const signal of Object.keys(endings)) process.off(signal, this.#onSignal)
  }
}

const hasRoom = (place, bytes) => roomAt(place) >= bytes + 256 * MIB

function placeFor(bytes, where) {
  if (where === 'disk' || !existsSync('/dev/shm')) return tmpdir()
  return where === 'memory' || hasRoom('/dev/shm', bytes) ? '/dev/shm' : tmpdir()
}

export const listOf = (nodes) => nodes.map((node) => node.address).join(',')

/** Options of `fr push` for a strategy; undefined means its defaults. Unicast is a shape. */
export function strategyArguments(strategy) {
  if (strategy === undefined) return []
  return strategy === 'unicast' ? ['--shape', 'unicast'] : ['--strategy', strategy]
}

/**
 * The fields used here of the last line of `fr push --json`.
 * @typedef {{
 *   bytes: number,
 *   seconds: number,
 *   strategy: string,
 *   originBytesSent: number,
 *   shares: { node: string, relayedBytes: number }[],
 *   nodes: {
 *     node: string, status: string, seconds: number, bytes: number, reason: string | null,
 *     servedBy: string | null, reopened: number
 *   }[],
 * }} PushResult
 */

/**
 * One real `fr push`, with the CPU seconds of the push (`originCpuSeconds`), of it and all nodes
 * (`cpuSeconds`), of the whole machine meanwhile (`busySeconds`), and of the main thread of each
 * node (`mainThreadSeconds`; NaN of one that was killed). `onLine` sees every JSON line as it
 * comes. `others`: nodes that take part without being told to `fr push`; `nodesFile`: a file that
 * tells it of the nodes. A child that ends meanwhile and is no node counts as the origin's.
 * @param {Workspace} workspace
 * @param {{
 *   source: string,
 *   nodes: readonly NodeProcess[],
 *   others?: readonly NodeProcess[],
 *   nodesFile?: string | undefined,
 *   keyFile?: string,
 *   args?: readonly string[],
 *   onLine?: (line: any) => void,
 *   prefix?: readonly string[],
 *   stdio?: import('node:child_process').StdioOptions,
 * }} options
 */
export async function push(workspace, options) {
  const { source, nodes, others = [], nodesFile, keyFile, args = [], onLine, ...starting } = options
  const told = nodesFile === undefined ? ['--to', listOf(nodes)] : ['--nodes', nodesFile]
  const all = ['push', source, ...told, '--json']
  if (keyFile !== undefined) all.push('--key-file', keyFile)
  const members = [...nodes, ...others]
  const before = members.map((node) => node.cpuSeconds())
  const mainBefore = members.map((node) => mainThreadSeconds(node.child.pid))
  const cpuBefore = endedChildrenCpuSeconds()
  const busyBefore = busySeconds()
  const start = performance.now()
  const running = workspace.fr([...all, ...args], starting)
  if (onLine !== undefined) running.onLine(onLine)
  const exitStatus = await running.ended
  const wallSeconds = (performance.now() - start) / 1000
  const busy = busySeconds() - busyBefore
  const last = running.lines.at(-1)
  if (last?.event !== 'result') throw new Error(`fr push: ${exitStatus} ${running.stderr}`)
  const ended = endedChildrenCpuSeconds() - cpuBefore
  const killed = members.filter((node) => node.wasKilled)
  const originCpuSeconds = ended - killed.reduce((sum, node) => sum + node.cpuSeconds(), 0)
  const ofNodes = members.reduce((sum, node, at) => sum + node.cpuSeconds() - before[at], 0)
  return {
    result: /** @type {PushResult} */ (last),
    exitStatus,
    wallSeconds,
    cpuSeconds: originCpuSeconds + ofNodes,
    originCpuSeconds,
    busySeconds: busy,
    mainThreadSeconds: members.map(
      (node, at) => mainThreadSeconds(node.child.pid) - mainBefore[at],
    ),
    errorText: running.stderr.slice(-4096),
  }
}

/** Compares two files byte for byte. Do not call it while a clock runs. */
export function sameContent(one, other) {
  if (!existsSync(other) || statSync(one).size !== statSync(other).size) return false
  const files = [openSync(one), openSync(other)]
  const pieces = files.map(() => Buffer.allocUnsafe(pieceBytes))
  try {
    for (;;) {
      const [length, otherLength] = files.map((fd, at) => readSync(fd, pieces[at]))
      if (length !== otherLength) return false
      if (length === 0) return true
      if (!pieces[0].subarray(0, length).equals(pieces[1].subarray(0, length))) return false
    }
  } finally {
    files.forEach(closeSync)
  }
}

/** SHA-256 of a file, in hexadecimal. */
export async function sha256(file) {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 4 * MIB })) hash.update(chunk)
  return hash.digest('hex')
}

const programs = new Map()

/**
 * A C program of the benches, compiled into a cache directory under a name that its source decides:
 * `{ program }`, or `{ why }` without a C compiler or a directory for it.
 * @param {string} source its path below the repository
 * @returns {{ program?: string, why?: string }}
 */
export function compiled(source) {
  const known = programs.get(source) ?? built(path.join(root, source))
  programs.set(source, known)
  return known
}

export const limitProgram = () => compiled('bench/limit/fr-limit.c')

function built(source) {
  const name = path.basename(source, '.c')
  const version = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16)
  const home = process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache')
  const program = path.join(home, 'fastreplica', `${name}-${version}`)
  if (existsSync(program)) return { program }
  // Another bench may build it at the same time; whole programs take the name.
  const made = `${program}.${process.pid}`
  try {
    mkdirSync(path.dirname(program), { recursive: true })
    execFileSync('cc', ['-O2', '-o', made, source], { stdio: ['ignore', 'ignore', 'pipe'] })
    renameSync(made, program)
    return { program }
  } catch (error) {
    return { why: `${name} cannot be built (${error.message.split('\n')[0]})` }
  }
}

/**
 * Runs `act` while the limit program holds memory that has just been touched, and gives it back as
 * files in the workspace grow: their pages are then warm, and no program pays for the hypervisor's
 * first touch. What is left is given back afterwards. Without that program `act` runs all the same.
 * @template Result
 * @param {Workspace} workspace
 * @param {number} bytes by which the files will grow; at most half of the free memory is held
 * @param {() => Promise<Result>} act
 * @returns {Promise<Result>}
 */
export async function withWarmMemory(workspace, bytes, act) {
  const { program } = limitProgram()
  const held = Math.floor(Math.min(bytes, availableMemoryBytes() / 2))
  if (program === undefined || held === 0) return act()
  const args = ['--warm', String(held), '--output', workspace.directory]
  const warmer = workspace.start(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  await warmer.ready('the warmer')
  try {
    return await act()
  } finally {
    warmer.child.stdin.end()
    await warmer.ended
  }
}
