/**
 * A network on one machine: N namespaces, each with an `eth0` that is one end of a veth pair; the
 * other ends are ports of one bridge. The bridge has a namespace of its own, so nothing is added to
 * the host's network, and deleting the namespaces removes everything.
 *
 *     lab = Lab.create({ hosts: [{ upMbit: 200, downMbit: 200 }, ...], queue: 'fifo' })
 *     lab.start(0, 'node', ['dist/cli/main.js', 'node', ...])
 *     lab.close()
 *
 * Shaping (shaping.mjs): tbf on `eth0` is the uplink and tbf on the bridge port the downlink, each
 * with `rate R burst max(4 ms at R, 32 KiB) latency 25ms`. R counts Ethernet frames, so TCP payload
 * gets R / `wireFactor`. `queue: 'fair'` makes the uplink an HTB with one class per destination. A
 * speed of Infinity is a link without a queue. With `sharedMbit` every byte of everybody goes
 * through one tbf more: hosts know only the way to a router, in a namespace of its own. With `line`
 * the ports belong to a router instead of a bridge, and every packet passes a delay line
 * (delay-line.c) on its way from one to another, once. Hosts may stand in sites: each site has a
 * bridge, and from site to site, in a line in the order in which hosts name them, there is one link
 * with a tbf each way (`siteMbit`).
 *
 * A lab never outlives its process: it is removed on exit and on signals, and `cleanUp` finds what
 * a killed process left by the process id in its names. Needs root.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Running } from '../running.mjs'
import { compiled } from '../workspace.mjs'
import { batch, cleanUp, ip, letForward, namespaces, removeNamespaces } from './namespaces.mjs'
import {
  fairPackets,
  fairQueue,
  fairQueueChange,
  hostLines,
  lineDevices,
  lineLines,
  linePortLines,
  routerLines,
  siteLinkDevices,
  siteLinkLines,
  sitesOf,
  tbf,
} from './shaping.mjs'

export { cleanUp } from './namespaces.mjs'
export { wireFactor } from './shaping.mjs'

export const maxHosts = 100

/** What a delay line holds each way: 200 ms of 1 Gbit/s. */
const linePackets = 16_384
/** How long the program of a delay line may take until it has its devices. */
const attachMs = 5_000

const allowedPath = '/proc/sys/net/ipv4/tcp_allowed_congestion_control'

/** The reason why no lab is possible here, in one line; null when it is. */
export function labObstacle() {
  if (process.platform !== 'linux') return 'network namespaces need Linux'
  if (process.getuid() !== 0) return 'network namespaces need root'
  for (const tool of ['ip', 'tc']) {
    if (spawnSync(tool, ['-V']).error) return `${tool} (iproute2) is not installed`
  }
  return null
}

const open = new Set()
let labs = 0

function closeOpen() {
  for (const lab of [...open]) lab.close()
}

function onSignal(signal) {
  closeOpen()
  process.exit(signal === 'SIGINT' ? 130 : 143)
}

function guard(lab) {
  if (open.size === 0) {
    process.on('exit', closeOpen)
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
  }
  open.add(lab)
}

function unguard(lab) {
  if (!open.delete(lab) || open.size > 0) return
  process.off('exit', closeOpen)
  process.off('SIGINT', onSignal)
  process.off('SIGTERM', onSignal)
}

/**
 * Only the first namespace may use any algorithm; others need one from a list, which is widened
 * while the algorithm is set.
 */
function setCongestion(names, congestion) {
  const allowed = readFileSync(allowedPath, 'utf8').trim()
  const widen = !allowed.split(' ').includes(congestion)
  if (widen) writeFileSync(allowedPath, `${allowed} ${congestion}`)
  try {
    for (const name of names) {
      ip(
        'netns',
        'exec',
        name,
        'sh',
        '-c',
        `echo ${congestion} >/proc/sys/net/ipv4/tcp_congestion_control`,
      )
    }
  } finally {
    if (widen) writeFileSync(allowedPath, allowed)
  }
}

export class Lab {
  #switch
  /** Namespace of the router; null when hosts reach one another directly. */
  #router
  #sharedMbit
  #line
  #lineProgram
  /** Names of the sites in their order; one where hosts name none. */
  #sites
  #siteMbit
  #hostSites
  #names
  #speeds
  #queue
  #running = new Set()

  /**
   * queue: 'fifo' or 'fair'; congestion: the default of the namespaces ('cubic'), or null for the
   * machine's. `line`: what packets of host 0 go through (`forth`), and all others (`back`), by
   * default the same. `siteMbit`: of the links between sites, where hosts have a `site`. At most
   * one of `sharedMbit`, `line` and `siteMbit`.
   * @param {{
   *   hosts: readonly import('./scenarios.mjs').HostSpeeds[],
   *   queue?: 'fifo' | 'fair',
   *   congestion?: string | null,
   *   sharedMbit?: number,
   *   line?: import('./scenarios.mjs').Line,
   *   siteMbit?: number,
   * }} options
   */
  static create({ hosts, queue = 'fifo', congestion = 'cubic', sharedMbit, line, siteMbit }) {
    const obstacle = labObstacle()
    if (obstacle !== null) throw new Error(obstacle)
    if (hosts.length < 1 || hosts.length > maxHosts) throw new TypeError(`hosts: 1 to ${maxHosts}`)
    if (queue !== 'fifo' && queue !== 'fair') throw new TypeError('queue: fifo or fair')
    if ([sharedMbit, line, siteMbit].filter((each) => each !== undefined).length > 1)
      throw new TypeError('sharedMbit, line or siteMbit')
    const lab = new Lab(hosts, queue, { sharedMbit, line, siteMbit })
    try {
      lab.#build()
      if (congestion !== null) setCongestion(lab.#names, congestion)
    } catch (error) {
      lab.close()
      throw error
    }
    return lab
  }

  constructor(hosts, queue, { sharedMbit, line, siteMbit }) {
    const tag = `frl-${process.pid.toString(36)}.${(labs++).toString(36)}`
    this.#switch = `${tag}-sw`
    this.#router = sharedMbit === undefined ? null : `${tag}-rt`
    this.#sharedMbit = sharedMbit
    this.#line = line
    this.#sites = siteMbit === undefined ? [''] : sitesOf(hosts)
    this.#siteMbit = siteMbit
    this.#hostSites = hosts.map(({ site }) => Math.max(0, this.#sites.indexOf(site)))
    this.#names = hosts.map((_, host) => `${tag}-${host}`)
    this.#speeds = hosts.map(({ upMbit, downMbit }) => ({ upMbit, downMbit }))
    this.#queue = queue
    guard(this)
  }

  get size() {
    return this.#names.length
  }

  /** All namespaces of this lab, the bridge's first. */
  get namespaces() {
    return [this.#switch, ...(this.#router === null ? [] : [this.#router]), ...this.#names]
  }

  address(host) {
    this.#check(host)
    return `10.99.0.${host + 1}`
  }

  #check(host) {
    if (!Number.isInteger(host) || host < 0 || host >= this.size)
      throw new TypeError(`host: ${host}`)
  }

  #build() {
    batch(
      'ip',
      null,
      this.namespaces.map((name) => `netns add ${name}`),
    )
    if (this.#line !== undefined) this.#lengthen(this.#line)
    else this.#bridge()
    for (const [host, name] of this.#names.entries()) this.#plug(name, host)
  }

  #bridge() {
    const links = this.#siteLinks()
    batch('ip', this.#switch, [
      'link set lo up',
      ...this.#sites.flatMap((_, site) => [
        // Without a querier, snooping would drop the multicast packets of uftp.
        `link add br${site} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
        `link set br${site} up`,
      ]),
      ...links.flatMap((_, link) => siteLinkLines(link)),
    ])
    batch(
      'tc',
      this.#switch,
      links.flatMap(({ devices }) => devices.flatMap((device) => tbf(device, this.#siteMbit))),
    )
    if (this.#router !== null) this.#route(this.#router)
  }

  /** The one queue: what hosts send one another leaves the router again by this device. */
  #route(name) {
    this.#connect(name, 'router')
    batch('ip', name, routerLines)
    batch('tc', name, tbf('eth0', this.#sharedMbit))
    letForward(name)
  }

  /** A long way between all hosts. */
  #lengthen({ forth, back = forth, seed = 1, queue = linePackets, reorders = false }) {
    const { program, why } = compiled('bench/lab/delay-line.c')
    if (program === undefined) throw new Error(why)
    const name = this.#switch
    letForward(name)
    batch('ip', name, lineLines(this.address(0)))
    const figures = [forth, back].flatMap(({ delayMs, jitterMs = 0, lossPercent = 0 }) => [
      delayMs,
      jitterMs,
      lossPercent,
    ])
    const args = [
      '--seed',
      seed,
      '--queue',
      queue,
      ...(reorders ? ['--reorder'] : []),
      ...lineDevices,
      ...figures,
    ]
    this.#lineProgram = this.#startIn(name, program, args.map(String))
    const isAttached = (device) => ip('-n', name, 'link', 'show', device).includes('LOWER_UP')
    // Packets that came earlier would be lost.
    for (const end = Date.now() + attachMs; !lineDevices.every(isAttached); ) {
      if (Date.now() > end) throw new Error(`${program} does not attach`)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }

  /**
   * Ends the delay line. Resolves to what came out of it and what did not, and the time it took:
   * `{ forth, back, cpuSeconds }`, of each way `{ packets, bytes, lost, dropped }`.
   */
  async endLine() {
    await this.#lineProgram.stop()
    return this.#lineProgram.lines.at(-1)
  }

  #connect(name, port, site = 0) {
    batch('ip', this.#switch, [
      `link add ${port} type veth peer name eth0 netns ${name}`,
      `link set ${port}${this.#line === undefined ? ` master br${site}` : ''} up`,
    ])
  }

  /** From each site to the next. */
  #siteLinks() {
    return this.#sites.slice(1).map((to, link) => {
      return { from: this.#sites[link], to, devices: siteLinkDevices(link) }
    })
  }

  #plug(name, host) {
    const { upMbit, downMbit } = this.#speeds[host]
    this.#connect(name, `p${host}`, this.#hostSites[host])
    const isRouted = this.#router !== null || this.#line !== undefined
    batch('ip', name, hostLines(this.address(host), isRouted))
    if (this.#queue === 'fair') batch('ip', name, fairPackets(upMbit))
    this.#wayTo(host)
    batch('tc', this.#switch, tbf(`p${host}`, downMbit))
    const fair = () => fairQueue(upMbit, this.#mates(host), (mate) => this.address(mate))
    batch('tc', name, this.#queue === 'fifo' ? tbf('eth0', upMbit) : fair())
  }

  #wayTo(host) {
    if (this.#line === undefined) return
    batch('ip', this.#switch, linePortLines(`p${host}`, this.address(host)))
  }

  #mates(host) {
    return [...this.#names.keys()].filter((mate) => mate !== host)
  }

  /**
   * Changes a link's speed while it is in use; a missing speed stays as it is.
   * @param {number} host
   * @param {Partial<import('./scenarios.mjs').HostSpeeds>} speeds
   */
  setSpeed(host, { upMbit, downMbit }) {
    this.#check(host)
    if (downMbit !== undefined) batch('tc', this.#switch, tbf(`p${host}`, downMbit, 'change'))
    if (upMbit !== undefined) {
      batch('tc', this.#names[host], this.#uplinkChange(host, upMbit))
      if (this.#queue === 'fair') batch('ip', this.#names[host], fairPackets(upMbit))
    }
    Object.assign(this.#speeds[host], upMbit === undefined ? {} : { upMbit })
    Object.assign(this.#speeds[host], downMbit === undefined ? {} : { downMbit })
  }

  #uplinkChange(host, mbit) {
    if (this.#queue === 'fifo') return tbf('eth0', mbit, 'change')
    return fairQueueChange(mbit, this.#mates(host))
  }

  /** Unplugs the cable without notifying either side, or plugs it in again. */
  cut(host) {
    this.#check(host)
    ip('-n', this.#switch, 'link', 'set', `p${host}`, 'down')
  }

  mend(host) {
    this.#check(host)
    ip('-n', this.#switch, 'link', 'set', `p${host}`, 'up')
    if (this.#line !== undefined)
      ip('-n', this.#switch, 'route', 'replace', this.address(host), 'dev', `p${host}`)
  }

  /** argv prefix that runs a program on a host. It execs, so the pid is the program's own. */
  prefix(host) {
    this.#check(host)
    return ['ip', 'netns', 'exec', this.#names[host]]
  }

  /** Starts a program on a host; closing the lab kills it. */
  start(host, command, args) {
    this.#check(host)
    return this.#startIn(this.#names[host], command, args)
  }

  #startIn(name, command, args) {
    const running = new Running('ip', ['netns', 'exec', name, command, ...args])
    this.#running.add(running)
    running.ended.then(() => this.#running.delete(running))
    return running
  }

  #stats() {
    const devices = JSON.parse(ip('-n', this.#switch, '-s', '-j', 'link'))
    return new Map(devices.map((device) => [device.ifname, device.stats64]))
  }

  /** The same per link between sites: `{ from, to, forth, back }`. */
  siteCounters() {
    const byName = this.#stats()
    return this.#siteLinks().map(({ from, to, devices }) => {
      const [forth, back] = devices.map((device) => byName.get(device).tx.bytes)
      return { from, to, forth, back }
    })
  }

  /** Bytes on the wire since the lab was made, per host: `{ sent, received }`. */
  counters() {
    const byName = this.#stats()
    return this.#names.map((_, host) => {
      const stats = byName.get(`p${host}`)
      return { sent: stats.rx.bytes, received: stats.tx.bytes }
    })
  }

  /** Idempotent and synchronous, so that it works during exit. */
  close() {
    for (const running of this.#running) running.kill()
    const there = this.namespaces.filter((name) => existsSync(`/run/netns/${name}`))
    removeNamespaces(there)
    unguard(this)
  }

  [Symbol.dispose]() {
    this.close()
  }
}

/** Waits until the kernel lists none of these deleted namespaces any more. */
export async function gone(names, timeoutMs = 20_000) {
  const end = Date.now() + timeoutMs
  while (namespaces().some((name) => names.includes(name))) {
    if (Date.now() > end) return false
    await sleep(20)
  }
  return true
}

if (process.argv[1] === import.meta.filename) {
  if (process.argv[2] !== 'cleanup') {
    process.stderr.write('usage: node bench/lab/lab.mjs cleanup\n')
    process.exitCode = 2
  } else {
    const obstacle = labObstacle()
    const names = obstacle === null ? cleanUp() : []
    process.stdout.write(
      obstacle === null ? `removed ${names.length} namespaces\n` : `${obstacle}\n`,
    )
    process.exitCode = obstacle === null ? 0 : 2
  }
}
