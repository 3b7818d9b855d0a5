/**
 * A coordinator session of many nodes, without payload. Standard input: addresses in JSON on one
 * line. Arguments: key, transfer, seconds. Prints what the coordinator's event loop and memory did
 * while everybody took part, in JSON.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
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
import { block, bytes, content, LinksOnly, MIB, PretendedEngine } from './pretended-feeds.mjs'

const [keyText, transfer, seconds] = process.argv.slice(2)
const [addresses] = await new Promise((resolve) =>
  createInterface({ input: process.stdin }).on('line', (line) => resolve([JSON.parse(line)])),
)
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
  offer: (planned, mirror) => [
    { type: 'offer', ...about, planned, fileDigest: null, mirror, author, ...manifest.summary },
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
const isRunning = () => machine.peers.every(({ phase }) => phase === 'running' || phase === 'out')
while (!isRunning()) await new Promise((resolve) => setTimeout(resolve, 50))
const joinedSeconds = (performance.now() - startMs) / 1000
console.error(`all ${nodes.length} take part after ${joinedSeconds.toFixed(1)} s`)
await new Promise((resolve) => setTimeout(resolve, 1_000))
said.clear()
const delay = monitorEventLoopDelay({ resolution: 1 })
const cpu = process.cpuUsage()
delay.enable()
await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1_000))
delay.disable()
const { user, system } = process.cpuUsage(cpu)
const ms = (value) => Math.round(value / 1e4) / 100
console.log(
  JSON.stringify({
    nodes: nodes.length,
    running: machine.peers.filter(({ phase }) => phase === 'running').length,
    silent: machine.peers.filter(({ presence }) => presence !== 'alive').length,
    failures: Object.fromEntries(failures),
    joinedSeconds: Math.round(joinedSeconds * 10) / 10,
    delayMs: { p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max) },
    cpu: Math.round((user + system) / Number(seconds) / 1e4) / 100,
    rssMib: Math.round(process.memoryUsage.rss() / MIB),
    perSecond: Object.fromEntries(
      [...said].map(([type, count]) => [type, Math.round(count / Number(seconds))]),
    ),
    notes: Object.fromEntries(notes),
  }),
)
process.exit(0)
