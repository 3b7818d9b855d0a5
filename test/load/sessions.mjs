/**
 * `npm run sessions [-- --nodes 1000 --seconds 20]`: the control load of a push to many nodes.
 *
 * The coordinator's session runs in this process, those of the nodes in others, many in each. Links
 * are real, over loopback; payload is pretended (pretended-feeds.mjs). Prints in JSON what event
 * loop and memory of the coordinator did while everybody took part. Fails unless everybody does to
 * the end, nobody is found silent, the 99th percentile of the delay is under 20 ms and the process
 * stays under 300 MB; `--seconds 0` looks at who takes part alone.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { hexOf } from '../../dist/base/bytes.js'
import { limits } from '../../dist/base/limits.js'
import { awakeMs } from '../../dist/base/time/awake.js'
import { OriginMachine } from '../../dist/control/coordinator/machine.js'
import { dealerOf } from '../../dist/control/dealing/strategies.js'
import { originNumber } from '../../dist/control/messages/types.js'
import { freshSigner, nodePrimitives, selfOf } from '../../dist/net/crypto.js'
import { parseKey } from '../../dist/net/keys.js'
import { Resolver } from '../../dist/net/resolver.js'
import { paginate } from '../../dist/protocol/manifest.js'
import { edgeOf } from '../../dist/protocol/ticket.js'
import { Contents } from '../../dist/session/driver/contents.js'
import { CoordinatorSession } from '../../dist/session/driver/coordinator.js'
import { processClock } from '../../dist/session/sockets.js'
import { block, bytes, content, LinksOnly, PretendedEngine } from './pretended-feeds.mjs'

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '20' },
  },
})
const wanted = Number(values.nodes)
const seconds = Number(values.seconds)
const perProcess = 250
const most = { delayMs: 20, rssBytes: 300e6 }
const keyText = randomBytes(32).toString('base64url')
const transfer = randomBytes(16).toString('hex')

/** A process of so many nodes: their addresses. */
async function startNodes(count) {
  const program = new URL('sessions-nodes.mjs', import.meta.url).pathname
  const args = [program, keyText, transfer, String(count)]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  return new Promise((resolve) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)))
  })
}

const children = []
const counts = []
for (let left = wanted; left > 0; left -= perProcess) counts.push(Math.min(left, perProcess))
const addresses = (await Promise.all(counts.map(startNodes))).flat()
const nodes = addresses.map((address) => ({ address }))
const signer = freshSigner()
const self = selfOf(signer)
const dialler = { keys: [parseKey(keyText)], self, connectMs: 60_000, resolver: new Resolver() }
const engine = new PretendedEngine(false)
const seed = new Uint8Array(32).fill(3)
const edge = (...ends) => edgeOf(nodePrimitives, seed, ends)
const silenceMs = limits.silenceMs
const machine = new OriginMachine(
  {
    nodeId: self.nodeId,
    edgeOf: (member, other) => {
      const { id, secret } = edge(member, other)
      return { id, secret: hexOf(secret) }
    },
    bytes,
    blockBytes: block,
    digestBytes: 32,
    nodes,
    connectMs: 120_000,
    silenceMs,
    progressMs: limits.progressMs,
  },
  dealerOf('adaptive', 'chain', bytes, block, {}, [], {}),
  awakeMs(),
)
const author = hexOf(signer.publicKey)
const entry = {
  ...{ stream: 0, contentId: content.contentId, author, name: 'file', nameIsBase64: false },
  ...{ base: 0, span: bytes, size: bytes, dataBytes: bytes, mode: 0o644 },
  ...{ mtimeSeconds: 1, mtimeNanos: 0 },
}
const manifest = paginate([entry], signer)
const about = { transfer, digest: 'blake3', noClobber: false, strict: false, silenceMs }
const count = (of, key) => of.set(key, (of.get(key) ?? 0) + 1)
const failures = new Map()
const notes = new Map()
const said = new Map()
const handle = machine.handle.bind(machine)
machine.handle = (fact, nowMs) => {
  const type = fact.type === 'said' ? fact.frame.type : fact.type
  count(said, type)
  return handle(fact, nowMs)
}
const session = new CoordinatorSession(machine, 0, silenceMs, {
  clock: processClock,
  net: new LinksOnly(dialler, engine, { transfer, from: () => originNumber }),
  engine,
  edgeTo: (node) => edge(node, originNumber),
  author: signer,
  contents: new Contents([{ ...content, author }]),
  offer: (planned, role) => [
    { type: 'offer', ...about, planned, fileDigest: null, role, author, ...manifest.summary },
    ...manifest.pages,
  ],
  execute: (wish) => {
    if (wish.type === 'announceOutcome') count(failures, wish.outcome.reason)
    if (wish.type === 'note') count(notes, wish.event)
  },
  crashed: (error) => {
    console.error(error)
    process.exit(1)
  },
})
const startMs = performance.now()
session.start()
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const isRunning = () => machine.peers.every(({ phase }) => phase === 'running' || phase === 'out')
while (!isRunning()) await sleep(50)
const joinedSeconds = (performance.now() - startMs) / 1000
console.error(`all ${nodes.length} take part after ${joinedSeconds.toFixed(1)} s`)
await sleep(1_000)
said.clear()
const delay = monitorEventLoopDelay({ resolution: 1 })
const cpu = process.cpuUsage()
delay.enable()
await sleep(seconds * 1_000)
delay.disable()
const { user, system } = process.cpuUsage(cpu)
const rssBytes = process.memoryUsage.rss()
const running = machine.peers.filter(({ phase }) => phase === 'running').length
const silent = machine.peers.filter(({ presence }) => presence !== 'alive').length
const tenths = (value) => Math.round(value * 10) / 10
const ms = (nanos) => Math.round(nanos / 1e4) / 100
const delayMs = { p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max) }
const perSecond = ([type, count]) => [type, Math.round(count / seconds)]
console.log(
  JSON.stringify({
    ...{ nodes: nodes.length, running, silent, failures: Object.fromEntries(failures) },
    joinedSeconds: tenths(joinedSeconds),
    dataConnections: engine.opened,
    ...(seconds > 0 && {
      delayMs,
      cpu: Math.round((user + system) / seconds / 1e4) / 100,
      perSecond: Object.fromEntries([...said].map(perSecond)),
    }),
    rssMb: Math.round(rssBytes / 1e6),
    notes: Object.fromEntries(notes),
  }),
)
const gone = children.map((child) => once(child, 'exit'))
for (const { stdin } of children) stdin.end()
await Promise.all(gone)
const isWhole = running === wanted && failures.size === 0 && silent === 0
const isFast = seconds === 0 || delayMs.p99 < most.delayMs
process.exit(isWhole && isFast && rssBytes < most.rssBytes ? 0 : 1)
