/**
 * `npm run demo [-- --size 1GiB --nodes 4]`: shows the product on one machine, with nothing faked.
 *
 * A file of random bytes, N real `fr node` processes on loopback, one real `fr push` process. Then,
 * with the clock stopped, SHA-256 of the source and of every copy, read again from the files. What
 * it delivers is compared with bench/limit, a C program that does the bare data movement on this
 * machine: without it (no C compiler) that line is empty. This is no efficiency: that word is kept
 * for a push against the bound of its links.
 *
 * It always removes what it made and ends what it started. Exit status: 0 every copy is right, 1
 * not, 2 usage, 130 or 143 when stopped by a signal.
 */
import { spawn } from 'node:child_process'
import { createHash, randomFillSync } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const main = path.join(root, 'dist/cli/main.js')
const MIB = 1024 * 1024
/** Clock ticks of /proc/PID/stat in a second; Linux has used 100 for all user-visible times. */
const ticksPerSecond = 100
const startMs = 30_000

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set()
let directory = ''
let stoppedBy = 0

const say = (text) => process.stderr.write(`${text}\n`)

class DemoError extends Error {
  constructor(text, exitStatus = 1) {
    super(text)
    this.exitStatus = exitStatus
  }
}

function start(command, args, options) {
  if (stoppedBy !== 0) throw new DemoError('stopped', stoppedBy)
  const child = spawn(command, args, options)
  children.add(child)
  child.ended = new Promise((resolve) => {
    child.once('error', (error) => {
      children.delete(child)
      resolve({ code: null, error })
    })
    child.once('close', (code) => {
      children.delete(child)
      resolve({ code })
    })
  })
  return child
}

async function readOptions() {
  const { parseCount, parseSize, formatBytes, formatRate } = await import(
    '../dist/cli/render/units.js'
  )
  let values
  try {
    values = parseArgs({
      options: {
        size: { type: 'string', default: '1GiB' },
        nodes: { type: 'string', default: '4' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
    if (values.help) return { help: true }
    return {
      bytes: parseSize(values.size),
      nodes: parseCount(values.nodes, 1, 64),
      formatBytes,
      formatRate,
    }
  } catch (error) {
    throw new DemoError(`demo: ${error.message}\nusage: npm run demo [-- --size 1GiB --nodes 4]`, 2)
  }
}

/** Bytes that may be filled at a place: not all of it, and on tmpfs not more than memory holds. */
function roomAt(place) {
  try {
    const { bavail, bsize } = statfsSync(place)
    const free = bavail * bsize
    const memory = place === '/dev/shm' ? availableMemory() : Number.POSITIVE_INFINITY
    return Math.max(0, 0.8 * Math.min(free, memory))
  } catch {
    return 0
  }
}

function availableMemory() {
  const line = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))
  return line === null ? 0 : Number(line[1]) * 1024
}

/** Where the files go and how large the file can be: memory if it has room, else a disk. */
function choosePlace(bytes, nodes, formatBytes) {
  // Source and copies, and what a node keeps free.
  const needed = (size) => size * (nodes + 1) + 128 * MIB
  const places = ['/dev/shm', tmpdir()].map((at) => ({ at, room: roomAt(at) }))
  const roomy = places.find(({ room }) => room >= needed(bytes))
  if (roomy !== undefined) return { at: roomy.at, bytes }
  const [best] = places.sort((a, b) => b.room - a.room)
  const fitting = Math.floor((best.room - 128 * MIB) / (nodes + 1) / MIB) * MIB
  const wish = `${formatBytes(bytes)} to ${nodes} nodes needs ${formatBytes(needed(bytes))}`
  const spare = `${best.at} has ${formatBytes(best.room)} to spare`
  if (fitting < MIB) {
    throw new DemoError(`demo: ${wish}; ${spare}`)
  }
  say(`${wish}; ${spare}: scaled down to ${formatBytes(fitting)}`)
  return { at: best.at, bytes: fitting }
}

async function writeRandomFile(file, bytes) {
  const chunk = Buffer.allocUnsafe(8 * MIB)
  const fd = openSync(file, 'wx')
  try {
    for (let written = 0; written < bytes; ) {
      if (stoppedBy !== 0) throw new DemoError('stopped', stoppedBy)
      const part = chunk.subarray(0, Math.min(chunk.length, bytes - written))
      randomFillSync(part)
      written += writeSync(fd, part)
      await new Promise((resolve) => setImmediate(resolve))
    }
  } finally {
    closeSync(fd)
  }
}

/** CPU seconds, user and system, of a running process; null where the system does not tell. */
function cpuSeconds(pid) {
  const fields = statFields(pid)
  return fields === null ? null : (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** CPU seconds of the children of this process that have ended. */
function endedChildrenCpuSeconds() {
  const fields = statFields('self')
  return fields === null ? null : (Number(fields[13]) + Number(fields[14])) / ticksPerSecond
}

function statFields(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

function firstLine(child, what) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new DemoError(`demo: ${what} did not start in time`)),
      startMs,
    )
    createInterface({ input: child.stdout }).once('line', (line) => {
      clearTimeout(timer)
      resolve(line)
    })
    child.ended.then(({ code, error }) => {
      clearTimeout(timer)
      const why = error?.message ?? `exit status ${code}`
      reject(new DemoError(`demo: ${what} ended: ${why}\n${child.errorText}`))
    })
  })
}

async function startNode(index, env) {
  const data = path.join(directory, `node-${index}`)
  const args = [
    main,
    'node',
    '--listen',
    '127.0.0.1:0',
    '--data',
    data,
    '--json',
    '--log-level',
    'warn',
  ]
  const child = start(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  child.errorText = ''
  child.stderr.on('data', (chunk) => {
    child.errorText = (child.errorText + chunk).slice(-4096)
  })
  const { address } = JSON.parse(await firstLine(child, `node ${index}`))
  return { child, address, data }
}

/** Runs a program to its end; its standard output as text. */
async function collect(command, args, options = {}) {
  const child = start(command, args, { stdio: ['ignore', 'pipe', 'ignore'], ...options })
  let text = ''
  child.stdout?.on('data', (chunk) => {
    text += chunk
  })
  return { ...(await child.ended), text }
}

/** What this machine does without protocol, hashing and fsync; null where it cannot be measured. */
async function measureLimit(source, bytes, nodes) {
  const program = path.join(directory, 'fr-limit')
  const code = path.join(root, 'bench/limit/fr-limit.c')
  if (!existsSync(code) || nodes < 2 || nodes > 16 || bytes < nodes * 4096) return null
  const built = await collect('cc', ['-O2', '-o', program, code])
  if (built.code !== 0) return null
  const output = mkdtempSync(path.join(directory, 'limit-'))
  // `--size` takes whole numbers; two runs, because the first one touches fresh memory.
  const args = [
    '--nodes',
    nodes,
    '--size',
    bytes,
    '--source',
    source,
    '--output',
    output,
    '--runs',
    2,
  ]
  const run = await collect(program, args.map(String))
  rmSync(output, { recursive: true, force: true })
  return run.code === 0 ? JSON.parse(run.text).runs.at(-1) : null
}

async function sha256(file) {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 4 * MIB })) {
    if (stoppedBy !== 0) throw new DemoError('stopped', stoppedBy)
    hash.update(chunk)
  }
  return hash.digest('hex')
}

async function push(source, nodes, env) {
  const before = {
    push: endedChildrenCpuSeconds(),
    nodes: nodes.map((node) => cpuSeconds(node.child.pid)),
  }
  const args = [main, 'push', source, '--json', '--to', nodes.map((node) => node.address).join(',')]
  // The display of the push goes to this terminal, its JSON comes here.
  const run = await collect(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = run.text.split('\n').filter((line) => line !== '')
  const last = lines.length === 0 ? null : JSON.parse(lines.at(-1))
  if (last?.event !== 'result')
    throw new DemoError(`demo: the push ended with exit status ${run.code}`)
  const spent = nodes.map((node, index) =>
    difference(cpuSeconds(node.child.pid), before.nodes[index]),
  )
  const cpu = [...spent, difference(endedChildrenCpuSeconds(), before.push)]
  return {
    exitStatus: run.code,
    result: last,
    cpuSeconds: cpu.includes(null) ? null : cpu.reduce((sum, seconds) => sum + seconds, 0),
  }
}

function difference(after, before) {
  return after === null || before === null ? null : after - before
}

async function demo() {
  if (!existsSync(main)) throw new DemoError('demo: dist/ is not built; run: npm ci')
  const options = await readOptions()
  if (options.help) {
    process.stdout.write('usage: npm run demo [-- --size 1GiB --nodes 4]\n')
    return 0
  }
  const { formatBytes, formatRate } = options
  const place = choosePlace(options.bytes, options.nodes, formatBytes)
  directory = mkdtempSync(path.join(place.at, 'fastreplica-demo-'))
  const source = path.join(directory, 'random.bin')
  say(`${formatBytes(place.bytes)} of random bytes in ${directory}`)
  await writeRandomFile(source, place.bytes)

  const limit = await measureLimit(source, place.bytes, options.nodes)
  const keygen = await collect(process.execPath, [main, 'keygen'])
  if (keygen.code !== 0) throw new DemoError('demo: fr keygen failed')
  const env = { ...process.env, FR_KEY: keygen.text.trim() }
  const starting = Array.from({ length: options.nodes }, (_, index) => startNode(index + 1, env))
  const nodes = await Promise.all(starting)
  say(`${nodes.length} nodes serve: ${nodes.map((node) => node.address).join(' ')}`)

  const { exitStatus, result, cpuSeconds: cpu } = await push(source, nodes, env)
  say('comparing SHA-256 of the source and every copy, read from the files ...')
  const expected = await sha256(source)
  const { tableLines, painter, wantsColours } = await import('../dist/cli/render/text.js')
  const rows = []
  let allRight = exitStatus === 0
  for (const node of nodes) {
    const outcome = result.nodes.find((each) => each.node === node.address)
    const copy = path.join(node.data, path.basename(source))
    const digest = existsSync(copy) ? await sha256(copy) : null
    const right = outcome?.status === 'complete' && digest === expected
    allRight &&= right
    rows.push([
      { text: node.address },
      { text: outcome?.status ?? 'unknown', tone: right ? 'green' : 'red' },
      { text: outcome === undefined ? '-' : outcome.seconds.toFixed(3) },
      { text: outcome === undefined ? '-' : formatRate(outcome.bytes / outcome.seconds) },
      {
        text: digest === null ? 'no copy' : digest === expected ? 'equal' : 'DIFFERS',
        tone: right ? 'green' : 'red',
      },
      { text: outcome?.reason ?? '' },
    ])
  }
  const paint = painter(wantsColours(process.env, process.stdout.isTTY === true))
  const columns = [
    { title: 'node' },
    { title: 'status' },
    { title: 'seconds', right: true },
    { title: 'rate', right: true },
    { title: 'SHA-256' },
    { title: 'reason' },
  ]
  const summary = summaryLines({ result, nodes, limit, cpu, expected, formatBytes })
  process.stdout.write(`\n${[...tableLines(columns, rows, paint), ...summary].join('\n')}\n`)
  return allRight ? 0 : 1
}

function summaryLines({ result, nodes, limit, cpu, expected, formatBytes }) {
  const complete = result.nodes.filter((outcome) => outcome.status === 'complete')
  const deliveredGB = complete.reduce((sum, outcome) => sum + outcome.bytes, 0) / 1e9
  const rate = deliveredGB / result.seconds
  const bare = limit?.deliveredGBPerSecond
  const ofLimit =
    limit === null
      ? '- (the limit of this machine is measured for 2 to 16 nodes, with a C compiler)'
      : `${(rate / bare).toFixed(3)} of the bare data movement here, ${bare.toFixed(2)} GB/s`
  const bareSpent =
    limit === null ? '' : ` (bare data movement: ${limit.cpuSecondsPerDeliveredGB.toFixed(2)})`
  const spent =
    cpu === null || deliveredGB === 0 ? '-' : `${(cpu / deliveredGB).toFixed(2)}${bareSpent}`
  return [
    '',
    `source        ${formatBytes(result.bytes)}, SHA-256 ${expected}`,
    `complete      ${complete.length} of ${nodes.length} nodes in ${result.seconds.toFixed(3)} s`,
    `delivered     ${rate.toFixed(2)} GB/s`,
    `of the limit  ${ofLimit}`,
    `CPU-s per GB  ${spent}`,
  ]
}

async function cleanUp() {
  const ended = [...children].map((child) => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
    return child.ended.then(() => clearTimeout(timer))
  })
  await Promise.all(ended)
  if (directory !== '') rmSync(directory, { recursive: true, force: true })
}

for (const [signal, exitStatus] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]) {
  process.on(signal, () => {
    if (stoppedBy !== 0) return
    stoppedBy = exitStatus
    // What waits for a child goes on when the child is gone.
    for (const child of children) child.kill('SIGTERM')
  })
}
// The last resort, should anything throw past the rest.
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  if (directory !== '') rmSync(directory, { recursive: true, force: true })
})

try {
  process.exitCode = await demo()
} catch (error) {
  if (stoppedBy === 0) say(error instanceof DemoError ? error.message : error.stack)
  process.exitCode = error instanceof DemoError ? error.exitStatus : 1
} finally {
  await cleanUp()
  if (stoppedBy !== 0) process.exitCode = stoppedBy
}
