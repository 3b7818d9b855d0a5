/**
 * What happens in a soak, an act at a time: each says what it did, or throws where something came
 * out otherwise than it should. Names and sizes are few and fixed, so that after a while nothing
 * takes more room than before.
 */
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KIB, MIB, sha256 } from '../../bench/workspace.mjs'
import { client, copy, get, push } from '../../dist/api/index.js'
import { setFiles } from './fleet.mjs'

const pushedNames = 6
const treeFiles = 24
/** Nodes that are neither killed nor full. */
const well = [0, 1, 2, 3]

/** A size of its own for each name. */
const sizeOf = (n) => 512 * KIB + n * 700 * KIB

/** Of the library's result: every node has it. */
function complete(result, what) {
  const failed = result.nodes.filter(({ status }) => status !== 'complete')
  if (failed.length > 0)
    throw new Error(`${what}: ${failed.map(({ reason }) => reason).join('; ')}`)
  return result
}

export class Acts {
  /** Delivered. */
  bytes = 0

  /**
   * @param {import('./fleet.mjs').Fleet} fleet
   * @param {import('../../dist/sim/random.js').Random} random
   */
  constructor(fleet, random) {
    this.fleet = fleet
    this.random = random
    this.source = fleet.workspace.makeDirectory('source')
  }

  get #key() {
    return { key: this.fleet.key }
  }

  async #file(name, size) {
    const file = path.join(this.source, name)
    mkdirSync(path.dirname(file), { recursive: true })
    rmSync(file, { force: true })
    return this.fleet.workspace.randomFile(path.join('source', name), size)
  }

  #push(source, numbers, options = {}) {
    return push(source, { to: this.fleet.addresses(...numbers), ...this.#key, ...options })
  }

  async #whole(source, numbers, options) {
    const result = complete(await this.#push(source, numbers, options).result, source)
    this.bytes += result.bytes * numbers.length
    return result
  }

  async #listed(n, name) {
    const [at] = this.fleet.addresses(n)
    for await (const held of client.list(at, { glob: name, ...this.#key }))
      return held.name === name
    return false
  }

  async push() {
    const n = this.random.integer(0, pushedNames - 1)
    const name = `push-${n}`
    const file = await this.#file(name, sizeOf(n))
    await this.#whole(file, well)
    const at = this.fleet.copyOf(this.random.pick(well), name)
    if ((await sha256(at)) !== (await sha256(file))) throw new Error(`${at} is another file`)
    return name
  }

  /** Most of it stays, some changes, some goes. */
  async #tree(name, options, numbers) {
    const top = path.join(this.source, name)
    const gone = this.random.integer(0, treeFiles - 1)
    for (let n = 0; n < treeFiles; n++) {
      const file = path.join(top, `d${n % 4}`, `file-${n}`)
      mkdirSync(path.dirname(file), { recursive: true })
      if (n === gone) rmSync(file, { force: true })
      else if (!existsSync(file) || this.random.integer(0, 3) === 0)
        writeFileSync(
          file,
          `${this.random.next()}`
            .slice(0, 16)
            .padEnd(16)
            .repeat(1_000 + 200 * n),
        )
    }
    await this.#whole(top, numbers, options)
    return name
  }

  tree() {
    return this.#tree('tree', { delete: true }, [0, 1, 2])
  }

  atomicTree() {
    return this.#tree('atomic', { atomic: true }, [1, 2, 3])
  }

  /** What is appended for some seconds, to its end, by the command. */
  async follow() {
    const name = `log-${this.random.integer(0, 2)}`
    const file = await this.#file(name, 64 * KIB)
    const to = ['--to', this.fleet.addresses(0, 1, 2).join(), '--follow']
    const running = this.fleet.fr('push', file, ...to, '--json')
    await running.until('plan', () => running.lines.some(({ event }) => event === 'plan'))
    for (let n = 0; n < 12; n++) {
      appendFileSync(file, Buffer.alloc(48 * KIB, `${this.random.next()}`))
      await sleep(200)
    }
    running.kill('SIGINT')
    await running.succeed('fr push --follow')
    this.bytes += 3 * 640 * KIB
    if ((await sha256(this.fleet.copyOf(2, name))) !== (await sha256(file)))
      throw new Error(`${name} is another file`)
    return name
  }

  /** A node copies what it holds to another one, which has it no more. */
  async copy() {
    const name = `push-${this.random.integer(0, pushedNames - 1)}`
    if (!(await this.#listed(0, name))) return `${name} is not there yet`
    const [from, to] = this.fleet.addresses(0, 3)
    if (await this.#listed(3, name)) await client.remove(to, name, this.#key)
    const result = complete(await copy(name, { from, to: [to], ...this.#key }).result, name)
    this.bytes += result.bytes
    return name
  }

  /** A new version of a file of the set comes to one node, and the master has it go to all. */
  async set() {
    const name = `set/file-${this.random.integer(0, setFiles - 1)}`
    const file = await this.#file(name, 600 * KIB)
    await this.#whole(file, [this.random.pick(well)], { as: name })
    await this.fleet.holds(well, name, await sha256(file))
    this.bytes += 600 * KIB * 5
    return name
  }

  /** Sent in, read, and removed through the door. */
  async door() {
    const { fleet } = this
    const at = `http://${fleet.door(1)}`
    const body = Buffer.alloc(900 * KIB, `${this.random.next()}`)
    const headers = { authorization: `Bearer ${fleet.token}` }
    const put = await fetch(`${at}/api/v1/holdings/door/file`, { method: 'PUT', headers, body })
    if (put.status !== 201) throw new Error(`PUT: ${put.status} ${await put.text()}`)
    await put.arrayBuffer()
    const got = Buffer.from(await (await fetch(`${at}/files/door/file`)).arrayBuffer())
    if (!got.equals(body)) throw new Error('GET: another file')
    const gone = await fetch(`${at}/api/v1/holdings/door/file`, { method: 'DELETE', headers })
    if (!gone.ok) throw new Error(`DELETE: ${gone.status} ${await gone.text()}`)
    await gone.arrayBuffer()
    this.bytes += 2 * body.length
    return 'door/file'
  }

  /** `n4` dies while it receives, comes back, and has the file after the next push. */
  async kill() {
    const { fleet, random } = this
    const file = await this.#file('killed', 6 * MIB)
    const slow = { limitUpBytesPerSecond: 3e6, rejoinMs: 0, connectMs: 1_000 }
    const transfer = this.#push(file, [0, 4], slow)
    await once(transfer, 'plan')
    await sleep(random.integer(0, 1_500))
    fleet.nodes[4].kill('SIGKILL')
    const { nodes } = await transfer.result
    if (nodes[0].status !== 'complete') throw new Error(`the other node: ${nodes[0].reason}`)
    await fleet.restart(4)
    await this.#whole(file, [0, 4])
    return `n4, ${nodes[1].status}`
  }

  /** The sender stops in the middle, or dies. */
  async cancel() {
    const { random } = this
    const file = await this.#file('cancelled', 6 * MIB)
    if (random.integer(0, 1) === 0) {
      const transfer = this.#push(file, well, { limitUpBytesPerSecond: 2e6 })
      await once(transfer, 'plan')
      await sleep(random.integer(100, 1_500))
      transfer.cancel()
      await transfer.result.catch(() => {})
      return 'cancelled'
    }
    const to = ['--to', this.fleet.addresses(...well).join(), '--limit-up', '16Mbit', '--json']
    const running = this.fleet.fr('push', file, ...to)
    await running.until('plan', () => running.lines.some(({ event }) => event === 'plan'))
    await sleep(random.integer(100, 1_500))
    running.kill('SIGKILL')
    await running.ended
    return 'killed'
  }

  /**
   * One disk is full: that node makes room of earlier versions, or says so, and the others have the
   * file all the same; then there is room again.
   */
  async fullDisk() {
    const { fleet } = this
    if (fleet.disk === undefined) return 'left out: needs root'
    const file = await this.#file('full', 3 * MIB)
    let came
    fleet.disk.fill()
    try {
      const { nodes } = await this.#push(file, [0, 5], { retries: 0 }).result
      const [one, other] = nodes
      if (one.status !== 'complete') throw new Error(`beside a full disk: ${one.reason}`)
      came = other.status === 'complete' ? 'made room' : other.code
      if (!['made room', 'ERR_FR_NO_SPACE'].includes(came))
        throw new Error(`a full disk: ${other.reason}`)
    } finally {
      rmSync(path.join(fleet.disk.directory, 'fill'), { force: true })
    }
    await this.#whole(file, [0, 5])
    return `n5: ${came}`
  }

  /** What people and scripts ask. */
  async ask() {
    const { fleet } = this
    const name = `push-${this.random.integer(0, pushedNames - 1)}`
    const [at] = fleet.addresses(this.random.pick(well))
    await fleet.fr('status', fleet.addresses(0, 1, 2, 3, 4, 5).join(), '--json').succeed('status')
    for await (const _ of client.sets(fleet.master.address, this.#key));
    for await (const _ of client.list(at, this.#key));
    if (
      !(await this.#listed(
        well.find((n) => fleet.nodes[n].address === at),
        name,
      ))
    )
      return 'sets'
    for await (const report of client.verify(at, { names: [name], ...this.#key }))
      if (report.code) throw new Error(`verify ${name}: ${report.reason}`)
    const output = path.join(this.source, 'got')
    await get(name, { from: [at], output, ...this.#key }).result
    rmSync(output, { recursive: true, force: true })
    return 'status, sets, ls, verify, get'
  }
}

/** How many are of each kind until it begins again. */
export const mixture = {
  push: 3,
  tree: 1,
  atomicTree: 1,
  follow: 1,
  copy: 1,
  set: 2,
  door: 1,
  kill: 1,
  cancel: 1,
  fullDisk: 1,
  ask: 1,
}

export const readersTold = { requests: 0, bytes: 0, cut: 0, failed: [] }

/** Readers of the doors, until the signal: files at a slow pace, pages, and streams of events. */
export function readers(fleet, signal) {
  const paced = async (n) => {
    while (!signal.aborted) {
      await read(`http://${fleet.door(n)}/files/push-0`, n === 0).catch(tell)
      await sleep(700, undefined, { signal }).catch(() => {})
    }
  }
  /** `isCut`: sometimes it goes in the middle. */
  const read = async (url, isCut) => {
    const answer = await fetch(url, { signal })
    readersTold.requests++
    if (answer.status === 404) return void (await answer.arrayBuffer())
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
    let got = 0
    for await (const chunk of answer.body) {
      got += chunk.length
      readersTold.bytes += chunk.length
      if (isCut && got > 256 * KIB && readersTold.requests % 3 === 0) return void readersTold.cut++
      await sleep(20)
    }
  }
  /** As a page in a browser does: the page, its events, and again after a while. */
  const page = async (address, events) => {
    while (!signal.aborted) {
      const whole = AbortSignal.any([signal, AbortSignal.timeout(45_000)])
      try {
        for (const name of ['/', '/page.js', '/page.css'])
          await (await fetch(`http://${address()}${name}`, { signal: whole })).arrayBuffer()
        const answer = await fetch(`http://${address()}${events}`, { signal: whole })
        readersTold.requests++
        if (!answer.ok) throw new Error(`${events}: ${answer.status}`)
        for await (const chunk of answer.body) readersTold.bytes += chunk.length
      } catch (error) {
        if (!whole.aborted) tell(error)
      }
    }
  }
  const tell = (error) => {
    if (!signal.aborted && readersTold.failed.length < 100) readersTold.failed.push(`${error}`)
  }
  const nodeEvents = '/api/v1/node/events?every=1000'
  return Promise.all([
    ...[0, 1, 0, 1].map(paced),
    ...[0, 0, 1].map((n) => page(() => fleet.door(n), nodeEvents)),
    page(() => fleet.master.http, '/api/v1/master/events'),
  ])
}
