/** Where a round takes place: nodes in processes of their own, on loopback or in a lab. */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Lab } from '../../bench/lab/lab.mjs'
import { MIB, Workspace } from '../../bench/workspace.mjs'
import { Door } from './doors.mjs'

/** What `bytes` take at most when nothing goes wrong. */
export const plainSeconds = 4

const name = (node) => `node-${node}`

export class Ground {
  nodes = []
  doors = []
  /** Of nodes that have one of their own. */
  disks = new Map()
  /** The push, once it runs. */
  pushing
  #free
  #end
  isOver = new Promise((resolve) => {
    this.#end = resolve
  })
  #hasEnded = false

  constructor(kind, count, bytes) {
    this.kind = kind
    this.bytes = bytes
    this.#free = Array.from({ length: count }, (_, node) => node)
    this.count = count
    this.workspace = new Workspace((count + 1) * (bytes + 16 * MIB), 'any', { name: 'fr-chaos' })
    this.keyFile = this.workspace.keyFile()
    const mbit = Math.ceil((bytes * 8) / plainSeconds / 1e6) * 1.1
    const hosts = Array.from({ length: count + 1 }, () => ({ upMbit: mbit, downMbit: mbit }))
    if (kind === 'lab') this.lab = Lab.create({ hosts })
  }

  /** A node that no other fault of this round strikes. */
  victim(random) {
    if (this.#free.length === 0) throw new Error('more faults than nodes')
    return this.#free.splice(random.integer(0, this.#free.length - 1), 1)[0]
  }

  dataOf(node) {
    return this.workspace.path(name(node))
  }

  disk(node, disk) {
    this.disks.set(node, disk)
  }

  namespace(host) {
    return this.lab.prefix(host).at(-1)
  }

  async start() {
    const starting = Array.from({ length: this.count }, (_, node) => this.#start(node))
    this.nodes = await Promise.all(starting)
    if (this.kind === 'lab') return
    const opening = this.nodes.map(({ address }) => new Door(address).open())
    this.doors = await Promise.all(opening)
  }

  /** As the origin dials them. */
  get addresses() {
    return (this.lab === undefined ? this.doors : this.nodes).map(({ address }) => address)
  }

  #start(node, listen) {
    const { lab, keyFile } = this
    const any = lab === undefined ? '127.0.0.1:0' : `${lab.address(node + 1)}:7400`
    const prefix = lab === undefined ? [] : lab.prefix(node + 1)
    const where = { listen: listen ?? any, prefix, keyFile, args: [] }
    return this.workspace.startNode({ name: name(node), ...where })
  }

  async restart(node) {
    const { address, ended } = this.nodes[node]
    await ended
    this.nodes[node] = await this.#start(node, address)
  }

  push(args) {
    const prefix = this.lab === undefined ? [] : this.lab.prefix(0)
    this.pushing = this.workspace.fr(['push', ...args], { prefix })
    this.pushing.ended.then(() => this.end())
  }

  /** False once nothing is left to be disturbed; else after so long. */
  async lasts(ms) {
    await Promise.race([sleep(ms), this.isOver])
    return !this.#hasEnded
  }

  end() {
    this.#hasEnded = true
    this.#end()
  }

  copyOf(node, file) {
    return path.join(this.dataOf(node), file)
  }

  async close() {
    this.end()
    for (const door of this.doors) door.close()
    for (const running of [...this.nodes, this.pushing]) running?.kill('SIGKILL')
    await Promise.all(this.nodes.map(({ ended }) => ended))
    for (const disk of this.disks.values()) disk.unmount()
    this.lab?.close()
    await this.workspace.close()
  }
}
