/**
 * One party of the engine bench in a process of its own: the origin or a node, with the native
 * engine and no other part of the product. No handshake, no control plane, no digests; it serves
 * loopback for seconds. Its parent commands it over the process channel:
 *
 *     node   { role: 'node', directory, size }       -> { listening: PORT }
 *            { mates: [PORT, ...] }                  -> { ready }, later { done, cpuSeconds }
 *     origin { role: 'origin', source, size }        -> { ready }
 *            { go: [PORT, ...] }                     sends subfile i to the i-th port
 *            { report: true }                        -> { cpuSeconds }
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { blockBytesFor } from '../dist/base/limits.js'
import { createNativeEngine } from '../dist/engine/native/engine.js'

const seed = 0n
let cpuAtStart = process.cpuUsage()

function cpuSinceStart() {
  const { user, system } = process.cpuUsage(cpuAtStart)
  return (user + system) / 1e6
}

function die(error) {
  process.stderr.write(`${error.stack ?? error}\n`)
  process.exit(1)
}

async function dial(port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return socket
}

async function runNode({ directory, size }) {
  let landed = 0
  const engine = await createNativeEngine((events) => {
    for (const event of events) {
      if (event.type === 'landed') landed += event.length
      else if (event.type === 'fileFailed' || event.code !== null) die(JSON.stringify(event))
    }
    if (landed === size) {
      landed = Number.NaN
      process.send({ done: true, cpuSeconds: cpuSinceStart() })
    }
  })
  const { storage } = engine
  const file = await storage.createPartial(await storage.openDataDir(directory), 'copy', size)
  const transfer = engine.openTransfer()
  engine.addStream(transfer, {
    stream: 0,
    file,
    size,
    blockBytes: blockBytesFor(size),
    complete: false,
  })
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    engine.adopt(socket, { transfer, direction: 'in', seed })
  })
  server.listen(0, '127.0.0.1', () => process.send({ listening: server.address().port }))
  const [{ mates }] = await once(process, 'message')
  const targets = []
  for (const port of mates) {
    const feed = engine.adopt(await dial(port), { transfer, direction: 'out', seed })
    targets.push({ feed, next: 0 })
  }
  engine.setRoute(transfer, 1, targets)
  cpuAtStart = process.cpuUsage()
  process.send({ ready: true })
}

async function runOrigin({ source, size }) {
  const engine = await createNativeEngine((events) => {
    for (const event of events) if (event.code) die(JSON.stringify(event))
  })
  const { file } = await engine.storage.openSource(source)
  const blockBytes = blockBytesFor(size)
  const transfer = engine.openTransfer()
  engine.addStream(transfer, { stream: 0, file, size, blockBytes, complete: true })
  process.send({ ready: true })
  cpuAtStart = process.cpuUsage()
  const [{ go: ports }] = await once(process, 'message')
  const blocks = Math.ceil(size / blockBytes)
  const start = (at) => Math.min(size, Math.floor((blocks * at) / ports.length) * blockBytes)
  const sockets = await Promise.all(ports.map(dial))
  sockets.forEach((socket, at) => {
    const feed = engine.adopt(socket, { transfer, direction: 'out', seed })
    const offset = start(at)
    const length = start(at + 1) - offset
    if (length > 0) engine.send(feed, { stream: 0, offset, length, route: 1 })
  })
  await once(process, 'message')
  process.send({ cpuSeconds: cpuSinceStart() })
}

process.once('disconnect', () => process.exit(0))
const [order] = await once(process, 'message')
await (order.role === 'node' ? runNode(order) : runOrigin(order)).catch(die)
