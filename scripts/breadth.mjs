/**
 * `npm run breadth [-- nodes|sparse|large ...]`: what takes too long or too much room for
 * `npm test`; the rest is in test/e2e/breadth.test.ts. Real `fr node` and `fr push` on loopback:
 *
 * - 64 nodes (or FR_BREADTH_NODES) in 8 processes get a file of 8 MiB in one group;
 * - a sparse file of 10 GiB keeps its holes at a node;
 * - a file of 8 GiB passes through node and push in flat memory.
 *
 * A step for which there is no room says so and does not count.
 */
import { spawn } from 'node:child_process'
import { createHash, randomBytes, randomFillSync } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { conclude, report } from './steps.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const main = join(root, 'dist/cli/main.js')
const api = new URL('../dist/api/index.js', import.meta.url).href
const MIB = 1024 * 1024
const GIB = 1024 * MIB
/** Of the first part; a slow machine of two cores greets fewer in time. */
const nodesWanted = Number(process.env.FR_BREADTH_NODES ?? 64)
const rssAnonMax = 120 * MIB
const env = { ...process.env, FR_KEY: randomBytes(32).toString('base64url') }

const wanted = process.argv.slice(2)

const children = new Set()
const directories = new Set()

function start(args) {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  child.errorText = ''
  child.stderr.on('data', (chunk) => {
    child.errorText = (child.errorText + chunk).slice(-4096)
  })
  child.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  child.rssAnon = 0
  const sampling = setInterval(() => {
    child.rssAnon = Math.max(child.rssAnon, rssAnonOf(child.pid))
  }, 50)
  child.ended = new Promise((resolve) => {
    child.once('close', (status) => {
      clearInterval(sampling)
      children.delete(child)
      resolve(status)
    })
  })
  return child
}

function rssAnonOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/^RssAnon:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

async function firstLine(child) {
  const { value, done } = await child.lines.next()
  if (done) throw new Error(`a node did not start: ${child.errorText}`)
  return JSON.parse(value)
}

async function startNode(dataDir) {
  const args = ['node', '--listen', '127.0.0.1:0', '--data', dataDir, '--json']
  const child = start([main, ...args, '--log-level', 'warn'])
  return { child, dataDir, address: (await firstLine(child)).address }
}

/** Several nodes in one process; `addresses` in the order of the directories. */
async function startNodes(dataDirs) {
  const code = `
    const { startNode } = await import(${JSON.stringify(api)})
    const dirs = process.argv.slice(1)
    const key = process.env.FR_KEY
    const nodes = await Promise.all(
      dirs.map((dataDir) => startNode({ listen: '127.0.0.1:0', dataDir, key })),
    )
    console.log(JSON.stringify(nodes.map((node) => node.address)))
    process.on('SIGTERM', () => Promise.all(nodes.map((node) => node.close())))`
  const child = start(['--input-type=module', '-e', code, ...dataDirs])
  return { child, addresses: await firstLine(child) }
}

/** Runs `fr push --json`; its exit status, its last line, and its largest RssAnon. */
async function push(source, addresses) {
  const child = start([main, 'push', source, '--to', addresses.join(','), '--json'])
  let last = {}
  for await (const line of child.lines) last = JSON.parse(line)
  const status = await child.ended
  const failed = (last.nodes ?? []).filter((node) => node.status !== 'complete')
  const problem =
    status === 0 ? null : `exit ${status} ${JSON.stringify(failed)} ${child.errorText}`
  return { problem, result: last, rssAnon: child.rssAnon }
}

async function stop(child) {
  child.kill('SIGTERM')
  return await child.ended
}

/** A directory where so many bytes fit beside 1 GiB, in memory only if that has twice the room. */
function roomFor(bytes) {
  const places = [tmpdir()]
  if (existsSync('/dev/shm') && freeMemory() > 2 * bytes) places.unshift('/dev/shm')
  for (const place of places) {
    const { bavail, bsize } = statfsSync(place)
    if (bavail * bsize < bytes + GIB) continue
    const directory = mkdtempSync(join(place, 'fastreplica-breadth-'))
    directories.add(directory)
    return directory
  }
  return null
}

function freeMemory() {
  const line = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))
  return Number(line?.[1] ?? 0) * 1024
}

function forget(directory) {
  rmSync(directory, { recursive: true, force: true })
  directories.delete(directory)
}

function writeRandomFile(path, bytes) {
  const chunk = Buffer.allocUnsafe(8 * MIB)
  const file = openSync(path, 'wx')
  for (let at = 0; at < bytes; at += chunk.length) writeSync(file, randomFillSync(chunk))
  closeSync(file)
}

async function sha256(path) {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 4 * MIB })) hash.update(chunk)
  return hash.digest('hex')
}

async function sixtyFourNodes(directory) {
  const startedMs = performance.now()
  const source = join(directory, 'source.bin')
  writeRandomFile(source, 8 * MIB)
  const dataDirs = Array.from({ length: nodesWanted }, (_, i) => join(directory, `node${i}`))
  for (const dataDir of dataDirs) mkdirSync(dataDir)
  const each = Math.ceil(nodesWanted / 8)
  const processes = await Promise.all(
    Array.from({ length: 8 }, (_, i) => startNodes(dataDirs.slice(i * each, (i + 1) * each))),
  )
  const pushed = await push(
    source,
    processes.flatMap((started) => started.addresses),
  )
  report(`${nodesWanted} nodes in 8 processes: the push completes`, pushed.problem, startedMs)
  const expected = await sha256(source)
  const wrong = []
  for (const dataDir of dataDirs) {
    const copy = join(dataDir, 'source.bin')
    if (!existsSync(copy) || (await sha256(copy)) !== expected) wrong.push(dataDir)
  }
  report(`${nodesWanted} nodes: every copy is right`, wrong.length === 0 ? null : wrong.join(' '))
  await Promise.all(processes.map(({ child }) => stop(child)))
}

async function sparse(directory) {
  const startedMs = performance.now()
  const bytes = 10 * GIB
  const source = join(directory, 'sparse.bin')
  const chunk = randomBytes(MIB)
  const file = openSync(source, 'wx')
  ftruncateSync(file, bytes)
  // Data at the start, here and there, off the borders of blocks, and at the end.
  const places = [0, 200 * MIB, 3 * GIB + 5_000, 3 * GIB + 64 * MIB, 7 * GIB - 4_096, bytes - MIB]
  for (const at of places) writeSync(file, chunk, 0, chunk.length, at)
  closeSync(file)
  const node = await startNode(join(directory, 'node'))
  const pushed = await push(source, [node.address])
  report('a sparse file of 10 GiB: the push completes', pushed.problem, startedMs)
  const copy = join(node.dataDir, 'sparse.bin')
  const [had, has] = [source, copy].map((path) => statSync(path).blocks * 512)
  report(
    `sparse: ${(had / MIB).toFixed(1)} MiB allocated at the source, ${(has / MIB).toFixed(1)} here`,
    has < had + MIB ? null : 'holes were filled',
  )
  const sent = pushed.result.originBytesSent
  report('sparse: only data was sent', sent < 2 * places.length * MIB ? null : `${sent} bytes`)
  const isSame = (await sha256(source)) === (await sha256(copy))
  report('sparse: the copy is right', isSame ? null : 'SHA-256 differs')
  await stop(node.child)
}

async function large(directory) {
  const startedMs = performance.now()
  const source = join(directory, 'large.bin')
  writeRandomFile(source, 8 * GIB)
  const node = await startNode(join(directory, 'node'))
  const pushed = await push(source, [node.address])
  report('a file of 8 GiB: the push completes', pushed.problem, startedMs)
  const sizes = { push: pushed.rssAnon, node: node.child.rssAnon }
  for (const [name, rssAnon] of Object.entries(sizes)) {
    report(
      `8 GiB: RssAnon of the ${name} stays below 120 MiB (${(rssAnon / MIB).toFixed(0)} MiB)`,
      rssAnon > 0 && rssAnon < rssAnonMax ? null : `${(rssAnon / MIB).toFixed(1)} MiB`,
    )
  }
  const isSame = (await sha256(source)) === (await sha256(join(node.dataDir, 'large.bin')))
  report('8 GiB: the copy is right', isSame ? null : 'SHA-256 differs')
  await stop(node.child)
}

/** `space`: bytes on disk, with the room a node wants for the whole of a sparse file. */
async function part(name, space, body) {
  if (wanted.length > 0 && !wanted.includes(name)) return
  const directory = roomFor(space)
  if (directory === null) {
    console.log(`skip ${name}: no place has ${(space / GIB).toFixed(1)} GiB and 1 GiB to spare`)
    return
  }
  try {
    await body(directory)
  } catch (error) {
    report(name, error.stack)
  } finally {
    for (const child of [...children]) {
      child.kill('SIGKILL')
      await child.ended
    }
    forget(directory)
    await sleep(0)
  }
}

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

await part('nodes', 65 * 8 * MIB, sixtyFourNodes)
await part('sparse', 10 * GIB, sparse)
await part('large', 16 * GIB, large)
conclude()
