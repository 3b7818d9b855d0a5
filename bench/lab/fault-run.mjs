/**
 * One run of a scenario of faults (fault-scenarios.mjs): real `fr node` processes and one real `fr
 * push` in a network of their own, of which some are killed or stopped by their process id. What
 * came of it is read from the logs of the nodes, which tell the same with and without an origin,
 * and from the files that they published, compared byte for byte.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../report.mjs'
import { listOf, push, sameContent, Workspace, withWarmMemory } from '../workspace.mjs'
import { faultBoundSeconds } from './fault-scenarios.mjs'
import { Lab, wireFactor } from './lab.mjs'
import { nodeOf, port } from './runs.mjs'

/** How long survivors have, in floors and in seconds, before a run counts as not ended. */
const patience = { floors: 6, seconds: 30 }
const lookMs = 5
const logs = ['--log-level', 'info', '--log-format', 'json']
const missing = /nobody holds (\d+) bytes of the file: (.*)/
/** What is dealt to one node or to all, in a line of a timeline. */
const dealing = /"name":"(?:deal|direct)",.*"offset":(\d+),"length":(\d+)/
/** Port of all nodes, as the kernel writes it. */
const portHex = port.toString(16).toUpperCase()

/** Bytes of the wire at the device of a process's namespace: `{ received, sent }`; null: gone. */
export function wireOf(pid) {
  try {
    const line = /^\s*eth0:(.*)$/m.exec(readFileSync(`/proc/${pid}/net/dev`, 'utf8'))
    const fields = line[1].trim().split(/\s+/).map(Number)
    return { received: fields[0], sent: fields[8] }
  } catch {
    return null
  }
}

/** Bytes that wait in the sockets of the origin to nodes, what is not acknowledged included. */
function waitingBytes(pid) {
  const text = readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[2]?.endsWith(`:${portHex}`))
    .reduce((sum, fields) => sum + Number.parseInt(fields[4].split(':')[0], 16), 0)
}

/** What an origin has dealt, by the timeline that it writes (`--trace`). */
class Dealt {
  #file
  #bytes
  #read = 0
  #rest = ''
  /** Lengths by offset, the longest of each, and their sum. */
  #lengths = new Map()
  #sum = 0

  constructor(file, bytes) {
    this.#file = file
    this.#bytes = bytes
  }

  #more() {
    const piece = Buffer.allocUnsafe(1 << 20)
    const fd = openSync(this.#file)
    const length = readSync(fd, piece, 0, piece.length, this.#read)
    closeSync(fd)
    this.#read += length
    const lines = (this.#rest + piece.toString('latin1', 0, length)).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines
  }

  /** All of the file; what is dealt twice counts once. */
  get isAll() {
    for (const line of this.#more()) {
      const [, offset, length] = dealing.exec(line)?.map(Number) ?? []
      const before = this.#lengths.get(offset) ?? 0
      if (length === undefined || length <= before) continue
      this.#lengths.set(offset, length)
      this.#sum += length - before
    }
    if (this.#sum < this.#bytes) return false
    let end = 0
    for (const [offset, length] of [...this.#lengths].sort(([a], [b]) => a - b)) {
      if (offset > end) return false
      end = Math.max(end, offset + length)
    }
    return end === this.#bytes
  }
}

/** A started node and what its log says; a node that is started again goes on in the same. */
class Watched {
  /** Lines of its log. */
  said = []

  constructor(host, node) {
    this.host = host
    this.follow(node)
  }

  follow(node) {
    this.node = node
    createInterface({ input: node.child.stderr }).on('line', (text) => {
      if (text.startsWith('{')) this.said.push(JSON.parse(text))
    })
  }

  /** Milliseconds since 1970 of its last line of this event; undefined: there is none. */
  at(event) {
    const line = this.said.findLast((each) => each.event === event)
    return line && Date.parse(line.time)
  }

  /** Why its last attempt failed; undefined where none did after the last that was published. */
  get failure() {
    const line = this.said.findLast(({ event }) => event === 'failed' || event === 'published')
    return line?.event === 'failed' ? line.text : undefined
  }
}

class FaultRun {
  victims = new Set()
  /** Sentences: what was done, once which fact was so. */
  injected = []
  /** Milliseconds since 1970: the first contact by the origin's clock, the last injection. */
  beganMs = Infinity
  struckMs = Infinity
  #isOver = false
  #wasEmpty = false

  constructor(scenario, { workspace, lab, watched, origin, dealt }) {
    Object.assign(this, { scenario, workspace, lab, watched, origin, dealt })
    this.ofHost = new Map(watched.map((each) => [each.host, each]))
  }

  over() {
    this.#isOver = true
  }

  /** Whoever an injection hits, the one to look at first. */
  #hit({ host, group }, { groups }) {
    if (group === undefined) return [host]
    const addresses = groups[group] ?? []
    return addresses.map((each) => this.watched.find(({ node }) => node.address === each).host)
  }

  /** Follows the injections one after the other, each as soon as its fact is so. */
  async inject(plan) {
    const { injections, bytes } = this.scenario
    const pidOf = (host) => (host === 0 ? this.origin : this.ofHost.get(host).node).child.pid
    const plans = injections.map((injection) => {
      const hosts = this.#hit(injection, plan)
      return { injection, hosts, before: wireOf(pidOf(hosts[0])) }
    })
    for (const { injection, hosts, before } of plans) {
      const [first] = hosts
      const moved = () => {
        const way = first === 0 ? 'sent' : 'received'
        const now = wireOf(pidOf(first))
        return now === null ? 0 : (now[way] - before[way]) / bytes
      }
      const isSo = () =>
        injection.at === 'first copy' ? this.#hasLeft(pidOf(0)) : moved() >= injection.at
      while (!isSo()) {
        if (this.#isOver || this.isDecided)
          throw new Error(`all was over before ${injection.what} of host ${hosts}`)
        await sleep(lookMs)
      }
      const share = moved()
      await this.#strike(injection, hosts)
      this.injected.push(this.#sentence(injection, hosts, share))
    }
  }

  /** All is dealt, and nothing waits in a socket, twice in a row: a lane may have had no turn. */
  #hasLeft(pid) {
    const isEmpty = this.dealt.isAll && waitingBytes(pid) === 0
    const wasEmpty = this.#wasEmpty
    this.#wasEmpty = isEmpty
    return isEmpty && wasEmpty
  }

  #sentence({ what, cuts, at }, hosts, share) {
    const who = hosts[0] === 0 ? 'the origin' : `host ${hosts.join(', ')}`
    const did = { kill: 'SIGKILL', stop: 'SIGSTOP', restart: 'SIGKILL and started again' }[what]
    const when = at === 'first copy' ? 'when one copy had left' : `at ${(100 * share).toFixed(0)} %`
    const seconds = ((this.struckMs - this.beganMs) / 1000).toFixed(2)
    return `${who}: ${did}${cuts ? ', cable cut' : ''} ${when} (${seconds} s)`
  }

  async #strike({ what, cuts }, hosts) {
    this.struckMs = Date.now()
    for (const host of hosts) {
      if (cuts) this.lab.cut(host)
      if (host === 0) this.origin.kill()
      else if (what === 'stop') this.ofHost.get(host).node.kill('SIGSTOP')
      else this.ofHost.get(host).node.kill()
      if (what !== 'restart') this.victims.add(host)
    }
    if (what === 'restart') await Promise.all(hosts.map((host) => this.#restart(host)))
  }

  async #restart(host) {
    const watched = this.ofHost.get(host)
    await watched.node.ended
    watched.follow(await nodeOf(this.workspace, this.lab, host, { args: logs }))
  }

  get isOriginDead() {
    return this.victims.has(0)
  }

  get survivors() {
    return this.watched.filter(({ host }) => !this.victims.has(host))
  }

  /** Whether all that is to come has come: of a dead origin, or of one that has ended. */
  get isDecided() {
    return this.survivors.every(
      (each) =>
        each.at('published') !== undefined || (this.isOriginDead && each.failure !== undefined),
    )
  }
}

const secondsOf = (ms, run) => (ms - run.beganMs) / 1000

/** What came of it: `{ verdict, isGood, seconds, lastOfMedian, untilNamed }`. */
function judged(run, source) {
  const { scenario, survivors } = run
  const copyOf = ({ node }) => path.join(node.data, path.basename(source))
  const isPublished = (each) => each.at('published') !== undefined
  const wrong = survivors.filter((each) => isPublished(each) && !sameContent(source, copyOf(each)))
  if (wrong.length > 0) throw new Error(`host ${wrong[0].host}: the content differs`)
  const whole = survivors.filter(isPublished)
  const ends = whole.map((each) => secondsOf(each.at('published'), run))
  const none = { seconds: null, lastOfMedian: null, untilNamed: null }
  const open = survivors.filter((each) => !isPublished(each))
  const reasons = open.map(({ host, failure }) => `host ${host}: ${failure ?? 'says nothing'}`)
  const some = `${whole.length} of ${survivors.length} complete`
  if (scenario.outcome === 'missing') {
    const named = survivors.map(({ failure }) =>
      missing
        .exec(failure ?? '')
        ?.slice(1)
        .join(': '),
    )
    const [first] = named
    const isGood = first !== undefined && named.every((each) => each === first)
    if (!isGood) return { ...none, isGood, verdict: [some, ...reasons].join('; ') }
    const last = Math.max(...survivors.map((each) => each.at('failed')))
    const [, count, ranges] = missing.exec(survivors[0].failure)
    const verdict = `all ${survivors.length} name the same ${count} bytes: ${ranges}`
    return { ...none, isGood, verdict, untilNamed: (last - run.struckMs) / 1000 }
  }
  if (open.length > 0) return { ...none, isGood: false, verdict: [some, ...reasons].join('; ') }
  return {
    verdict: `all ${survivors.length} complete`,
    isGood: true,
    seconds: Math.max(...ends),
    lastOfMedian: Math.max(...ends) / median(ends),
    untilNamed: null,
  }
}

/** What the origin that lives must say: survivors complete, the others failed, exit status 3. */
function originsWord(run) {
  if (run.isOriginDead) return null
  const last = run.origin.lines.findLast(({ event }) => event === 'result')
  if (last === undefined) return `fr push has no result: ${run.origin.stderr.slice(-300)}`
  const said = run.watched.flatMap(({ host, node }) => {
    const status = last.nodes.find((each) => each.node === node.address)?.status
    const due = run.victims.has(host) ? 'failed' : 'complete'
    return host === run.scenario.mirror || status === due ? [] : [`host ${host}: ${status}`]
  })
  return said.length === 0 ? null : `fr push says ${said.join(', ')}`
}

/** Copies the source to the mirror before the clock starts. */
async function serveMirror(workspace, lab, { source, node, keyFile }) {
  const prefix = lab.prefix(0)
  const { exitStatus, errorText } = await push(workspace, {
    source,
    nodes: [node],
    keyFile,
    prefix,
  })
  if (exitStatus !== 0) throw new Error(`to the mirror: exit status ${exitStatus} ${errorText}`)
}

/**
 * Starts all nodes and a push in a new network, and hands `{ run, source, lab }` to `act` once the
 * plan is there; everything is gone when that has ended.
 */
export async function withPush(scenario, { congestion, queue = 'fifo' }, act) {
  const count = scenario.hosts.length - 1
  const workspace = new Workspace(scenario.bytes * (count + 1))
  const lab = Lab.create({ hosts: scenario.hosts, queue, congestion })
  try {
    const keyFile = workspace.keyFile()
    const source = await workspace.randomFile('source', scenario.bytes)
    const hosts = Array.from({ length: count }, (_, at) => at + 1)
    const start = async (host) =>
      new Watched(host, await nodeOf(workspace, lab, host, { args: logs }))
    const all = await Promise.all(hosts.map(start))
    const mirror = all.find(({ host }) => host === scenario.mirror)
    const watched = all.filter((each) => each !== mirror)
    if (mirror) await serveMirror(workspace, lab, { source, node: mirror.node, keyFile })
    return await withWarmMemory(workspace, scenario.bytes * count, async () => {
      const trace = workspace.path('trace')
      const to = ['--to', listOf(watched.map(({ node }) => node)), '--key-file', keyFile]
      // Who is gone for good is not waited for at the end.
      const isGone = scenario.injections.every(({ what }) => what !== 'restart')
      const more = [
        ...(scenario.args ?? []),
        ...(isGone ? ['--rejoin', '0s'] : []),
        ...(mirror ? ['--mirror', mirror.node.address] : []),
      ]
      const args = ['push', source, ...to, '--json', '--trace', trace, ...more]
      const origin = workspace.fr(args, { prefix: lab.prefix(0) })
      const dealt = new Dealt(trace, scenario.bytes)
      const run = new FaultRun(scenario, { workspace, lab, watched, origin, dealt })
      const plan = new Promise((resolve, reject) => {
        origin.onLine((line) => {
          if (line.seconds) run.beganMs = Math.min(run.beganMs, Date.now() - line.seconds * 1000)
          if (line.event === 'plan') resolve(line)
        })
        origin.ended.then(() => reject(new Error(`no plan: ${origin.stderr}`)))
      })
      return await act({ run, source, plan: await plan })
    })
  } finally {
    await workspace.close()
    lab.close()
  }
}

/** One run; rejects where a published file is wrong or nothing could be injected. */
export function faultRun(scenario, network) {
  return withPush(scenario, network, async ({ run, source, plan }) => {
    const floor = faultBoundSeconds(scenario) * wireFactor
    const endMs = performance.now() + (patience.floors * floor + patience.seconds) * 1000
    run.origin.ended.then(() => run.over())
    await run.inject(plan)
    const isOver = () => run.isDecided && (run.isOriginDead || run.origin.child.exitCode !== null)
    const hasGivenUp = () => !run.isOriginDead && run.origin.child.exitCode !== null
    while (!isOver() && !hasGivenUp() && performance.now() < endMs) await sleep(lookMs)
    const { isGood, verdict, ...figures } = judged(run, source)
    const word = originsWord(run)
    return {
      ...figures,
      isGood: isGood && word === null,
      verdict: word === null ? verdict : `${verdict}; ${word}`,
      injected: run.injected,
    }
  })
}
