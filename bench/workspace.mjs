/**
 * A place for one suite: a temporary directory and the processes started for it. Both are gone when
 * the suite ends, however it ends: `close` in the ordinary case, the exit handler in every other.
 */
import { execFileSync, spawn } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cpuSeconds, endedChildrenCpuSeconds, roomAt } from './machine.mjs'

export const KIB = 2 ** 10
export const MIB = 2 ** 20
export const GIB = 2 ** 30

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
export const main = path.join(root, 'dist/cli/main.js')

const startMs = 30_000
const stopMs = 5_000
const pieceBytes = 8 * MIB

/** Something a bench needs is not there; one line, and exit status 2. */
export class Obstacle extends Error {}

/** The published package holds neither the lab nor the development dependencies. */
export function requireRepository() {
  if (existsSync(path.join(root, 'bench/lab'))) return
  throw new Obstacle('needs a clone of the repository; this is the published package')
}

class NodeProcess {
  /** CPU seconds of all its life, once it was killed on purpose. */
  #spent = null

  constructor(child, address, data) {
    Object.assign(this, { child, address, data })
  }

  get wasKilled() {
    return this.#spent !== null
  }

  cpuSeconds() {
    return this.#spent ?? cpuSeconds(this.child.pid)
  }

  kill() {
    this.#spent = cpuSeconds(this.child.pid)
    this.child.kill('SIGKILL')
  }
}

export class Workspace {
  #children = new Set()
  #onExit = () => this.#drop()
  #onSignal = (signal) => process.exit(signal === 'SIGINT' ? 130 : 143)
  directory

  /** `bytes`: what the suite will write at most. `where`: 'memory' (tmpfs) or 'disk'. */
  constructor(bytes, where = 'memory') {
    const place = where === 'memory' && existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
    const room = roomAt(place)
    if (room < bytes + 256 * MIB) {
      const text = (value) => `${(value / GIB).toFixed(2)} GiB`
      throw new Obstacle(`needs ${text(bytes)} in ${place}, which has room for ${text(room)}`)
    }
    this.directory = mkdtempSync(path.join(place, `fr-bench-${process.pid}-`))
    process.on('exit', this.#onExit)
    process.on('SIGINT', this.#onSignal)
    process.on('SIGTERM', this.#onSignal)
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

  /** A file of incompressible bytes: random up to 64 MiB, then the same again. */
  randomFile(name, bytes) {
    const file = this.path(name)
    const piece = Buffer.allocUnsafe(Math.min(bytes, 64 * MIB))
    randomFillSync(piece)
    const fd = openSync(file, 'wx', 0o600)
    for (let done = 0; done < bytes; ) {
      done += writeSync(fd, piece, 0, Math.min(piece.length, bytes - done))
    }
    closeSync(fd)
    return file
  }

  /** Starts a program; `prefix` is put before it (a namespace). Its output comes as text. */
  start(command, args, { prefix = [], ...options } = {}) {
    const [program, ...rest] = [...prefix, command, ...args]
    const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    this.#children.add(child)
    child.errorText = ''
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      child.errorText = (child.errorText + text).slice(-4096)
    })
    child.ended = new Promise((resolve) => {
      const end = (code, error) => {
        this.#children.delete(child)
        resolve({ code, error })
      }
      child.once('error', (error) => end(null, error))
      child.once('close', (code) => end(code))
    })
    return child
  }

  /** Runs a program to its end. `seconds` is from before its start to after its exit. */
  async collect(command, args, options = {}) {
    const cpuBefore = endedChildrenCpuSeconds()
    const start = performance.now()
    const child = this.start(command, args, options)
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (part) => {
      text += part
    })
    const { code, error } = await child.ended
    const seconds = (performance.now() - start) / 1000
    const cpu = endedChildrenCpuSeconds() - cpuBefore
    return { code, text, seconds, cpuSeconds: cpu, errorText: error?.message ?? child.errorText }
  }

  /** One real `fr node`. */
  async startNode({ listen, name, keyFile, prefix, args = [] }) {
    const data = this.makeDirectory(name)
    const all = [main, 'node', '--listen', listen, '--data', data, '--json', '--log-level', 'error']
    if (keyFile !== undefined) all.push('--key-file', keyFile)
    const child = this.start(process.execPath, [...all, ...args], { prefix })
    const { address } = JSON.parse(await this.#firstLine(child, name))
    return new NodeProcess(child, address, data)
  }

  #firstLine(child, what) {
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`${what} did not start: ${why}`))
      const timer = setTimeout(() => fail('no line in time'), startMs)
      createInterface({ input: child.stdout }).once('line', (line) => {
        clearTimeout(timer)
        resolve(line)
      })
      child.ended.then(({ code, error }) => {
        clearTimeout(timer)
        fail(error?.message ?? `exit status ${code} ${child.errorText}`)
      })
    })
  }

  /** Ends processes of this workspace and waits until they are gone. */
  async stop(children) {
    await Promise.all(
      children.map((child) => {
        child.kill('SIGTERM')
        const timer = setTimeout(() => child.kill('SIGKILL'), stopMs)
        return child.ended.then(() => clearTimeout(timer))
      }),
    )
  }

  #drop() {
    for (const child of this.#children) child.kill('SIGKILL')
    // A process that is being killed may still make a file while its directory is removed.
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
  }

  async close() {
    await this.stop([...this.#children])
    this.#drop()
    process.off('exit', this.#onExit)
    process.off('SIGINT', this.#onSignal)
    process.off('SIGTERM', this.#onSignal)
  }
}

/** Of `fr push`; undefined: what it does by itself. Unicast is a shape, the others strategies. */
export function strategyArguments(strategy) {
  if (strategy === undefined) return []
  return strategy === 'unicast' ? ['--shape', 'unicast'] : ['--strategy', strategy]
}

/**
 * One real `fr push`, with the CPU seconds of the push (`originCpuSeconds`) and of it and all nodes
 * (`cpuSeconds`). `onLine` sees every JSON line as it comes. `others`: nodes that take part without
 * being told to `fr push`. A child that ends meanwhile and is no node counts as the origin's.
 */
export async function push(workspace, options) {
  const { source, nodes, others = [], keyFile, prefix, args = [], onLine } = options
  const all = [main, 'push', source, '--to', nodes.map((node) => node.address).join(','), '--json']
  if (keyFile !== undefined) all.push('--key-file', keyFile)
  const members = [...nodes, ...others]
  const before = members.map((node) => node.cpuSeconds())
  const cpuBefore = endedChildrenCpuSeconds()
  const start = performance.now()
  const child = workspace.start(process.execPath, [...all, ...args], { prefix })
  let result = null
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text)
    if (line.event === 'result') result = line
    onLine?.(line)
  })
  const { code } = await child.ended
  const wallSeconds = (performance.now() - start) / 1000
  if (result === null) throw new Error(`fr push: exit status ${code} ${child.errorText}`)
  const ended = endedChildrenCpuSeconds() - cpuBefore
  const killed = members.filter((node) => node.wasKilled)
  const originCpuSeconds = ended - killed.reduce((sum, node) => sum + node.cpuSeconds(), 0)
  const ofNodes = members.reduce((sum, node, at) => sum + node.cpuSeconds() - before[at], 0)
  return {
    result,
    exitStatus: code,
    wallSeconds,
    cpuSeconds: originCpuSeconds + ofNodes,
    originCpuSeconds,
    errorText: child.errorText,
  }
}

/** Byte for byte, read from the files, with no clock running. */
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

let limit

/**
 * The limit program, compiled once into a cache directory, again when its source is newer:
 * `{ program }`, or `{ why }` without a C compiler or a place to put it.
 */
export function limitProgram() {
  limit ??= builtLimitProgram()
  return limit
}

function builtLimitProgram() {
  const source = path.join(root, 'bench/limit/fr-limit.c')
  const cache = path.join(
    process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'),
    'fastreplica',
  )
  const program = path.join(cache, 'fr-limit')
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) {
    return { program }
  }
  try {
    mkdirSync(cache, { recursive: true })
    execFileSync('cc', ['-O2', '-o', program, source], { stdio: ['ignore', 'ignore', 'pipe'] })
    return { program }
  } catch (error) {
    return { why: `the limit program cannot be built (${error.message.split('\n')[0]})` }
  }
}

/**
 * Touches memory and gives it back, so that the next one to take it does not pay for the
 * hypervisor's first touch. The limit program has the code for it; its own run here is tiny.
 * Does nothing where that cannot be built.
 */
export async function warmMemory(workspace, source, bytes) {
  const { program } = limitProgram()
  if (program === undefined) return
  const output = workspace.makeDirectory('warm')
  const size = ['--nodes', 2, '--size', '8K', '--warm', bytes]
  const args = [...size, '--source', source, '--output', output]
  const { code, errorText } = await workspace.collect(program, args.map(String))
  if (code !== 0) throw new Error(errorText)
}
