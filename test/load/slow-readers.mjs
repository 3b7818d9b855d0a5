/**
 * `npm run readers [-- --readers 10000 --seconds 45]`: a node whose door is asked for a file by
 * many clients that read nothing of it.
 *
 * Clients live in processes of their own. While they hold on, an ordinary client reads the file
 * again and again, and a push to the node goes on. Prints in JSON what became of the clients, how
 * long the ordinary ones took, and what the node used; `dropped` are those beyond the connections
 * that are even told that there are too many. Fails where an ordinary client or the push
 * fails, where the node takes more than 400 MB, or where clients that read nothing are not cut off.
 */
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { MIB, Workspace } from '../../bench/workspace.mjs'
import { push } from '../../dist/api/index.js'

const perProcess = 2_500
const self = fileURLToPath(import.meta.url)

if (process.send !== undefined) readNothing(process.argv[2], Number(process.argv[3]))
else await main()

/** One process of clients: tells its parent how many were answered how, and how many are left. */
function readNothing(address, count) {
  const { hostname, port } = new URL(`http://${address}`)
  const seen = { asked: count, served: 0, refused: 0, closed: 0, open: 0 }
  const tell = setInterval(() => process.send(seen), 500)
  let begun = 0
  const more = setInterval(() => {
    for (let n = 0; n < 50 && begun < count; n++, begun++) one()
    if (begun === count) clearInterval(more)
  }, 20)
  function one() {
    const socket = connect({ host: hostname, port: Number(port) })
    seen.open++
    socket.on('connect', () => socket.write('GET /files/file HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    // The head of the answer, and then nothing more.
    socket.once('data', (chunk) => {
      if (chunk.toString('latin1', 0, 12) === 'HTTP/1.1 200') seen.served++
      else seen.refused++
      socket.pause()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      seen.closed++
      seen.open--
    })
    // A paused socket does not see its end: writing shows it.
    const probe = setInterval(() => socket.write('\r\n'), 5_000)
    socket.on('close', () => clearInterval(probe))
  }
  process.on('disconnect', () => {
    clearInterval(tell)
    process.exit(0)
  })
}

async function main() {
  const { values } = parseArgs({
    options: {
      readers: { type: 'string', default: '10000' },
      seconds: { type: 'string', default: '45' },
    },
  })
  const readers = Number(values.readers)
  const world = new Workspace(0, 'disk', { name: 'fr-readers' })
  const children = []
  try {
    const node = await world.startNode({ name: 'node', args: ['--http', '127.0.0.1:0'] })
    const http = node.lines[0].http
    const content = Buffer.alloc(64 * MIB, 'slow')
    await push(content, { to: [node.address], as: 'file' }).result
    const told = new Map()
    const files = () => readdirSync(`/proc/${node.child.pid}/fd`).length
    const filesBefore = files()
    for (let left = readers; left > 0; left -= perProcess) {
      const child = fork(self, [http, String(Math.min(left, perProcess))])
      child.on('message', (seen) => told.set(child, seen))
      children.push(child)
    }
    const sum = (name) => [...told.values()].reduce((all, seen) => all + seen[name], 0)
    const ordinary = { reads: 0, refused: 0, dropped: 0, failed: 0, worstSeconds: 0 }
    const endMs = performance.now() + Number(values.seconds) * 1_000
    let mostOpen = 0
    let mostBytes = 0
    while (performance.now() < endMs) {
      const startedMs = performance.now()
      const digest = await readAll(http).catch(() => 'dropped')
      if (digest === 'refused') ordinary.refused++
      else if (digest === 'dropped') ordinary.dropped++
      else if (digest !== createHash('sha256').update(content).digest('hex')) ordinary.failed++
      else ordinary.reads++
      const seconds = (performance.now() - startedMs) / 1_000
      ordinary.worstSeconds = Math.max(ordinary.worstSeconds, seconds)
      mostOpen = Math.max(mostOpen, sum('open'))
      mostBytes = Math.max(mostBytes, residentBytes(node.child.pid))
      await sleep(200)
    }
    // What lies in the buffers of both ends is taken first. Not all clients see that they are cut
    // off, because they read nothing: the node has no more files open than before.
    for (let n = 0; n < 120 && files() > filesBefore + 8; n++) await sleep(500)
    const pushed = await push(Buffer.alloc(MIB), { to: [node.address], as: 'other' }).result
    const result = {
      ...{ readers, served: sum('served'), refused: sum('refused'), closed: sum('closed') },
      ...{ mostOpen, left: files() - filesBefore, ordinary, nodeBytes: mostBytes },
      pushed: pushed.nodes[0].status,
    }
    console.log(JSON.stringify(result, null, 2))
    const isRight =
      ordinary.failed === 0 &&
      ordinary.reads > 0 &&
      result.pushed === 'complete' &&
      result.left <= 8 &&
      mostBytes < 400e6
    process.exitCode = isRight ? 0 : 1
  } finally {
    for (const child of children) child.kill()
    world.close()
  }
}

/** The SHA-256 of the file; `refused`: there are too many connections. */
function readAll(address) {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: false })
    const request = get(`http://${address}/files/file`, { agent }, (answer) => {
      const hash = createHash('sha256')
      answer.on('data', (chunk) => hash.update(chunk))
      answer.on('error', reject)
      answer.on('end', () => resolve(answer.statusCode === 200 ? hash.digest('hex') : 'refused'))
    })
    request.on('error', reject)
  })
}

function residentBytes(pid) {
  const [, kib = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * 1024
}
