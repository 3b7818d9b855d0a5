/**
 * `npm run flood [-- --short]`: shouts at the port of a node while it receives a file.
 *
 * A real `fr node`, a real `fr push` limited by nothing but the machine, and from this process
 * connections that have no key: random bytes, half a hello, a byte now and then, or nothing. The
 * push must complete with the right content and never stand still for a second, the node must
 * accept nothing else, stay small, answer who holds the key, and keep no descriptor afterwards.
 *
 * Flood and transfer share the machine, so what is measured here is the worst case, not the cost.
 */
import { spawn } from 'node:child_process'
import { createHash, randomBytes, randomFillSync } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as tlsConnect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { conclude, report } from './steps.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const main = join(root, 'dist/cli/main.js')
const MIB = 1024 * 1024
const isShort = process.argv.includes('--short')
const fileBytes = (isShort ? 256 : 1024) * MIB
const connections = isShort ? 2_000 : 10_000
/** More than a node holds of strangers (limits.unauthenticatedConnections). */
const atOnce = 400
const rssAnonMax = 150 * MIB
const stillMsMax = 1_000
const settleMs = 10_000
/** Large enough to be hashed by the workers. */
const smallBytes = 64 * MIB
/** What one stranger does before it gives up, if the node has not closed it by then. */
const strangerMs = 1_500

const children = new Set()
const started = performance.now()

function start(args, env) {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  child.errorText = ''
  child.stderr.on('data', (chunk) => {
    child.errorText = (child.errorText + chunk).slice(-4096)
  })
  child.ended = new Promise((resolve) => {
    child.once('close', (status) => {
      children.delete(child)
      resolve(status)
    })
  })
  return child
}

async function startNode(dataDir, env) {
  const args = ['node', '--listen', '127.0.0.1:0', '--data', dataDir, '--json']
  const child = start([...args, '--log-level', 'warn'], env)
  const lines = createInterface({ input: child.stdout })
  for await (const line of lines) return { child, address: JSON.parse(line).address }
  throw new Error(`the node did not start: ${child.errorText}`)
}

/** Runs `fr push`; every line it prints goes to `onLine`, with the time it came. */
async function push(source, address, env, onLine = () => {}) {
  const child = start(['push', source, '--to', address, '--json'], env)
  let last
  for await (const line of createInterface({ input: child.stdout })) {
    last = JSON.parse(line)
    onLine(last)
  }
  return { status: await child.ended, last, errorText: child.errorText }
}

function rssAnonOf(pid) {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024
}

/** What each descriptor of a process is, as the kernel names it. */
function descriptorsOf(pid) {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return [] // closed meanwhile
    }
  })
}

// --- strangers ---

const kinds = {
  random: (socket) => void socket.write(randomBytes(64 + Math.floor(Math.random() * 8192))),
  'half a frame': (socket) => {
    const message = Buffer.alloc(64, '{"fr":1,"type":"hello","chan')
    message.writeUInt32LE(200, 0)
    socket.write(message)
  },
  'half a ClientHello': (socket) => void socket.write(Buffer.from('16030100fa010000f6', 'hex')),
  'TLS of its own': (socket) => {
    const tls = tlsConnect({ socket, rejectUnauthorized: false })
    tls.on('error', () => {})
  },
  'a byte now and then': (socket) => {
    socket.write(Buffer.of(0x10))
    const timer = setInterval(() => socket.write(Buffer.of(0)), 1_000)
    socket.once('close', () => clearInterval(timer))
  },
  nothing: () => {},
}
const kindNames = Object.keys(kinds)

const seen = { opened: 0, failed: 0, welcomed: 0, answeredBytes: 0 }

/** One connection without the key; resolves when it is over. */
function stranger(port, number) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const timer = setTimeout(() => socket.destroy(), strangerMs)
    socket.on('connect', () => {
      seen.opened += 1
      kinds[kindNames[number % kindNames.length]](socket)
    })
    socket.on('data', (chunk) => {
      seen.answeredBytes += chunk.length
      if (chunk.includes('"type":"go"') || chunk.includes('"type":"prove"')) seen.welcomed += 1
    })
    socket.on('error', () => {
      if (socket.connecting) seen.failed += 1
    })
    socket.on('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** `connections` strangers, `atOnce` of them at a time, again and again while `isNeeded()`. */
async function flood(port, isNeeded) {
  let next = 0
  const worker = async () => {
    while (next < connections || isNeeded()) await stranger(port, next++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return next
}

// --- the run ---

function writeRandomFile(path, bytes) {
  const chunk = Buffer.allocUnsafe(8 * MIB)
  const fd = openSync(path, 'wx')
  for (let at = 0; at < bytes; at += chunk.length) writeSync(fd, randomFillSync(chunk))
  closeSync(fd)
}

async function sha256(path) {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 4 * MIB })) hash.update(chunk)
  return hash.digest('hex')
}

function place() {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm')
    if (bavail * bsize > 3 * fileBytes) return '/dev/shm'
  } catch {
    // No memory file system: the disk will do.
  }
  return tmpdir()
}

async function run(directory) {
  const { fetchStatus } = await import('../dist/api/index.js')
  const { awakeMs, watch } = await import('../dist/base/time/awake.js')
  // Time in which this process had no turn itself says nothing of the node.
  watch()
  const key = randomBytes(32).toString('base64url')
  const env = { FR_KEY: key }
  const source = join(directory, 'source.bin')
  const small = join(directory, 'small.bin')
  writeRandomFile(source, fileBytes)
  writeRandomFile(small, smallBytes)
  const dataDir = join(directory, 'node')
  const node = await startNode(dataDir, env)
  const { pid } = node.child
  const port = Number(node.address.split(':').at(-1))

  // What is opened at the first use (a pipe on each lane, workers) is no leak.
  const { lanes } = (await fetchStatus(node.address, { key })).counters
  for (let i = 0; i < 2 * lanes; i++) {
    const warm = await push(small, node.address, env)
    report('a push before the flood', warm.status === 0 ? null : warm.errorText)
  }
  await sleep(1_500)
  const before = { fds: descriptorsOf(pid), status: await fetchStatus(node.address, { key }) }

  let rssAnon = 0
  let longestStill = 0
  let landedBytes = 0
  let landedAtMs = 0
  const asked = { answered: 0, unanswered: 0, worstMs: 0 }
  let isOver = false
  let isFlooding = true

  const landed = (bytes) => {
    if (landedAtMs > 0) longestStill = Math.max(longestStill, awakeMs() - landedAtMs)
    landedBytes = bytes
    landedAtMs = awakeMs()
  }
  const sample = async () => {
    while (!isOver || isFlooding) {
      rssAnon = Math.max(rssAnon, rssAnonOf(pid))
      await sleep(50)
    }
  }
  /** Whoever holds the key is served during the flood. */
  const ask = async () => {
    while (!isOver) {
      const atMs = performance.now()
      try {
        const status = await fetchStatus(node.address, { key, timeoutMs: 10_000 })
        asked.answered += 1
        asked.worstMs = Math.max(asked.worstMs, performance.now() - atMs)
        const [transfer] = status.transfers
        if (transfer?.landedBytes > landedBytes) landed(transfer.landedBytes)
      } catch {
        asked.unanswered += 1
      }
      await sleep(50)
    }
  }
  const onLine = (line) => {
    if (line.event === 'progress' && line.landedBytes > landedBytes) landed(line.landedBytes)
  }

  const floodMs = performance.now()
  const flooding = flood(port, () => !isOver).finally(() => {
    isFlooding = false
  })
  const sampling = sample()
  const asking = ask()
  // The strangers are there first.
  await sleep(300)
  const pushMs = performance.now()
  const pushed = await push(source, node.address, env, onLine)
  if (landedBytes < fileBytes) landed(fileBytes)
  const pushSeconds = (performance.now() - pushMs) / 1000
  isOver = true
  const count = await flooding
  await Promise.all([sampling, asking])
  const floodSeconds = ((performance.now() - floodMs) / 1000).toFixed(1)
  console.log(
    `${count} strangers in ${floodSeconds} s, ${seen.opened} connected;` +
      ` the push took ${pushSeconds.toFixed(2)} s;` +
      ` ${asked.answered} questions answered, the slowest in ${asked.worstMs.toFixed(0)} ms,` +
      ` ${asked.unanswered} not`,
  )

  report('the push completes', pushed.status === 0 ? null : JSON.stringify(pushed))
  const isSame = (await sha256(source)) === (await sha256(join(dataDir, 'source.bin')))
  report('the content is right', isSame ? null : 'SHA-256 differs')
  report(
    `bytes land at least every ${stillMsMax} ms`,
    longestStill <= stillMsMax ? null : `none for ${longestStill.toFixed(0)} ms`,
  )
  report(
    `RssAnon of the node stays below ${rssAnonMax / MIB} MiB (${(rssAnon / MIB).toFixed(0)} MiB)`,
    rssAnon > 0 && rssAnon < rssAnonMax ? null : `${(rssAnon / MIB).toFixed(1)} MiB`,
  )
  const isTried = count >= connections && seen.opened >= connections * 0.9
  report(`${connections} strangers have called`, isTried ? null : JSON.stringify(seen))
  report('no stranger is let in', seen.welcomed === 0 ? null : JSON.stringify(seen))
  report(
    'who holds the key is answered during the flood',
    asked.answered > 0 && asked.unanswered <= asked.answered / 10 ? null : JSON.stringify(asked),
  )
  await settled(node, before, key)
  const after = await push(small, node.address, env)
  report('a push after the flood', after.status === 0 ? null : after.errorText)
  node.child.kill('SIGTERM')
  const status = await node.child.ended
  report('the node ends cleanly', status === 143 ? null : `exit ${status}: ${node.child.errorText}`)
}

/** After the flood: the descriptors of before, one transfer more, and nothing in the directory. */
async function settled(node, before, key) {
  const { fetchStatus } = await import('../dist/api/index.js')
  const endMs = performance.now() + settleMs
  let left = []
  do {
    await sleep(250)
    left = descriptorsOf(node.child.pid).filter((name) => !before.fds.includes(name))
  } while (left.length > 0 && performance.now() < endMs)
  report('no descriptor is left', left.length === 0 ? null : left.join(' '))
  const { counters, transfers, dataDir } = await fetchStatus(node.address, { key })
  const started = counters.transfersStarted - before.status.counters.transfersStarted
  const open = counters.openFeeds + counters.openFiles + transfers.length
  const partials = readdirSync(join(dataDir, '.fastreplica', 'partials'))
  const isClean = started === 1 && open === 0 && partials.length === 0
  const found = { started, open, partials, refused: counters.refusedConnections }
  report('nothing else was accepted', isClean ? null : JSON.stringify(found))
}

const directory = mkdtempSync(join(place(), 'fastreplica-flood-'))
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

try {
  await run(directory)
} catch (error) {
  report('the flood', error.stack)
}
console.log(`${((performance.now() - started) / 1000).toFixed(0)} s in all`)
conclude()
