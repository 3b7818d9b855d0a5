/**
 * The processes of a soak: a master, six nodes that it hears of, and one that does nothing, whose
 * delay is that of the machine. This process is the sender. `n4` is killed again and again, `n5`
 * has a disk that fills up.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { anonymousBytes, cpuSeconds } from '../../bench/machine.mjs'
import { until } from '../../bench/running.mjs'
import { MIB, sha256, Workspace } from '../../bench/workspace.mjs'
import { MemoryDisk } from '../chaos/disks.mjs'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0
const preload = pathToFileURL(path.join(import.meta.dirname, 'preload.mjs')).href
const warn = ['--log-level', 'warn']
/** More than what names with their versions take, so that it is full only when it is filled. */
const diskSize = '160m'
const nodeCount = 6
export const setFiles = 6

/** Unfinished files go soon, so that what is there does not depend on how long the soak has run. */
const lasting = ['--keep', '2', '--keep-partials', '2m', '--min-free', '1MiB']

export class Fleet {
  nodes = []
  /** Of the node with a small disk; undefined: this machine does not let it be made. */
  disk
  #unmount = () => this.disk?.unmount()

  constructor() {
    // Before that of the workspace, which removes the directory.
    process.on('exit', this.#unmount)
    this.workspace = new Workspace(2_000 * MIB, 'disk', { name: 'fr-soak' })
    this.told = path.join(this.workspace.makeDirectory('told'), 'process')
    this.keyFile = this.workspace.keyFile()
    this.key = readFileSync(this.keyFile, 'utf8').trim()
    this.env = { NODE_OPTIONS: `--import=${preload}`, FR_SOAK_TOLD: this.told }
  }

  async start() {
    const { workspace } = this
    process.env.FR_SOAK_TOLD = this.told
    await import('./preload.mjs')
    mkdirSync(workspace.path('sets'))
    const files = Array.from({ length: setFiles }, (_, n) => `set/file-${n}`).join(', ')
    const head = 'apiVersion: fastreplica/v1\nkind: FileSet\nmetadata: {name: soak}'
    writeFileSync(
      workspace.path('sets/soak.yaml'),
      `${head}\nspec: {where: soak, files: [${files}]}\n`,
    )
    const where = ['--data', workspace.path('master'), '--sets', workspace.path('sets')]
    const door = ['--http', '127.0.0.1:0', '--json', '--key-file', this.keyFile, ...warn]
    const listen = ['--listen', '127.0.0.1:0']
    this.master = workspace.fr(['master', ...listen, ...where, ...door], { env: this.env })
    Object.assign(this.master, await this.master.ready('master'))
    if (isRoot) this.disk = new MemoryDisk(workspace.path('n5'), diskSize)
    const starting = Array.from({ length: nodeCount }, (_, n) => this.#startNode(n))
    this.nodes = await Promise.all(starting)
    const idle = 'setInterval(() => {}, 1_000)'
    this.idle = workspace.start(process.execPath, ['-e', idle], { env: this.env })
    const asked = this.fr('token')
    await asked.succeed('fr token')
    this.token = asked.stdout.trim()
  }

  #startNode(n, listen) {
    const door = n < 2 ? ['--http', '127.0.0.1:0'] : []
    const args = ['--master', this.master.address, '--name', `n${n}`, '--attr', 'soak']
    const options = { keyFile: this.keyFile, env: this.env, ...(listen && { listen }) }
    const all = [...args, ...door, ...lasting, ...warn]
    return this.workspace.startNode({ name: `n${n}`, ...options, args: all })
  }

  async restart(n) {
    const { address, ended } = this.nodes[n]
    await ended
    this.nodes[n] = await this.#startNode(n, address)
  }

  addresses(...numbers) {
    return numbers.map((n) => this.nodes[n].address)
  }

  door(n) {
    return this.nodes[n].lines[0].http
  }

  fr(...args) {
    return this.workspace.fr([...args, '--key-file', this.keyFile])
  }

  copyOf(n, name) {
    return path.join(this.nodes[n].data, name)
  }

  /** What lives from the first to the last minute, by name. */
  get living() {
    const nodes = this.nodes
      .map((running, n) => [`n${n}`, running])
      .filter(([name]) => name !== 'n4')
    const own = { child: process }
    return new Map([['master', this.master], ...nodes, ['sender', own], ['idle', this.idle]])
  }

  /** One sample of each. */
  sample() {
    const samples = {}
    for (const [name, { child, data }] of this.living) {
      const proc = `/proc/${child.pid}`
      if (!existsSync(proc)) throw new Error(`${name} has ended: ${this.living.get(name).stderr}`)
      const told = toldIn(`${this.told}.${child.pid}`)
      const stored = name === 'master' ? this.workspace.path('master') : data
      samples[name] = {
        anonymous: anonymousBytes(child.pid),
        files: readdirSync(`${proc}/fd`).length,
        threads: readdirSync(`${proc}/task`).length,
        disk: stored === undefined ? 0 : bytesBelow(stored),
        entries: stored === undefined ? 0 : entriesBelow(stored),
        cpu: cpuSeconds(child.pid),
        heap: told?.heapUsed ?? null,
        external: told?.external ?? null,
        lag: told?.lag ?? null,
      }
    }
    return samples
  }

  async close() {
    for (const running of [...this.nodes, this.master, this.idle]) running?.kill('SIGKILL')
    await Promise.all([...this.nodes, this.master, this.idle].map((each) => each?.ended))
    this.#unmount()
    process.off('exit', this.#unmount)
    await this.workspace.close()
  }

  /** Resolves once these nodes have this content of the name. */
  holds(numbers, name, digest) {
    const isThere = async (n) =>
      existsSync(this.copyOf(n, name)) && (await sha256(this.copyOf(n, name))) === digest
    const all = async () => (await Promise.all(numbers.map(isThere))).every(Boolean)
    return until(all, `${name} at ${numbers.map((n) => `n${n}`).join(', ')}`, 300_000, 500)
  }
}

/** Undefined: nothing yet, or it is just being written. */
function toldIn(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** Files come and go while it looks. */
function* walk(directory) {
  let names = []
  try {
    names = readdirSync(directory)
  } catch {
    return
  }
  for (const name of names) {
    const file = path.join(directory, name)
    const found = lstatSync(file, { throwIfNoEntry: false })
    if (found === undefined) continue
    yield found
    if (found.isDirectory()) yield* walk(file)
  }
}

/** On the disk; what has several names counts once. */
function bytesBelow(directory) {
  const seen = new Map()
  for (const { ino, blocks } of walk(directory)) seen.set(ino, blocks * 512)
  return [...seen.values()].reduce((sum, bytes) => sum + bytes, 0)
}

const entriesBelow = (directory) => [...walk(directory)].length
