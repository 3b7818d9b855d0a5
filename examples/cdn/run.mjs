/**
 * An origin and edge nodes, each of several processes over one directory: two that distribute, two
 * that serve over HTTP, of which one controls. Files are pushed to all edges while readers fetch
 * them; a process of each kind is killed at the first edge, and one is added.
 *
 *   node examples/cdn/run.mjs [EDGES]
 *
 * By default there are four edges, so sixteen processes on this machine. Uplinks are slowed down,
 * so that there is something to kill.
 */
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { fetchStatus, generateKey, push } from 'fastreplica'

const edgeCount = Number(process.argv[2] ?? 4)
const directory = mkdtempSync(join(tmpdir(), 'fr-cdn-'))
const key = generateKey()
const keyFile = join(directory, 'fr.key')
writeFileSync(keyFile, key, { mode: 0o600 })
const fr = fileURLToPath(new URL('../cli/main.js', import.meta.resolve('fastreplica')))
const running = new Set()
const published = new Map()

/** A process of a node; resolves once it listens. */
async function start(edge, name, roles, http) {
  const where = ['--listen', '127.0.0.1:0', '--data', `shared:${join(directory, edge)}`]
  const door = http ? ['--http', '127.0.0.1:0'] : []
  const rest = ['--name', name, '--key-file', keyFile, '--json', '--log-level', 'error']
  const args = [fr, 'node', ...where, '--role', roles, ...door, ...rest]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(child)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.once('exit', () => running.delete(child))
  for await (const line of createInterface({ input: child.stdout })) {
    const { address, http: at } = JSON.parse(line)
    const kill = () => {
      child.kill('SIGKILL')
      return ended
    }
    return { name, address, door: at && `http://${at}`, kill }
  }
  throw new Error(`${name} did not start`)
}

async function startEdge(edge) {
  mkdirSync(join(directory, edge))
  // The first controller that is there acts, the other stands by.
  const first = await start(edge, `${edge}-serve-1`, 'control,serve', true)
  const others = await Promise.all([
    start(edge, `${edge}-serve-2`, 'control,serve', true),
    start(edge, `${edge}-distribute-1`, 'distribute', false),
    start(edge, `${edge}-distribute-2`, 'distribute', false),
  ])
  return { edge, serving: [first, others[0]], distributing: others.slice(1) }
}

/** Pushes new bytes to all edges, each by a controller that answers. */
async function publish(name, bytes, edges, wishes = {}) {
  const content = randomBytes(bytes)
  const path = join(directory, name)
  writeFileSync(path, content)
  const to = edges.map(({ serving }) => serving[0].address)
  const transfer = push(path, { to, key, ...wishes })
  const result = transfer.result.then(({ nodes }) => {
    const complete = nodes.filter(({ status }) => status === 'complete').length
    const again = nodes.filter(({ attempts, rejoined }) => attempts > 1 || rejoined).length
    published.set(name, createHash('sha256').update(content).digest('hex'))
    console.log(`${name}: complete at ${complete} of ${nodes.length} edges, ${again} begun again`)
    if (complete < nodes.length) throw new Error(JSON.stringify(nodes))
  })
  result.catch(() => {})
  return { result }
}

const counts = { read: 0, retried: 0, wrong: 0, lost: 0 }

async function readFrom({ door }, name) {
  const answer = await fetch(`${door}/files/${name}`)
  if (answer.status !== 200) throw new Error(`${name}: ${answer.status}`)
  const hash = createHash('sha256')
    .update(Buffer.from(await answer.arrayBuffer()))
    .digest('hex')
  if (hash !== published.get(name)) counts.wrong++
  counts.read++
}

/** Reads one file after the other from one of the serving processes, else from the next. */
async function read(edge, isOver) {
  for (let turn = 0; !isOver(); turn++) {
    const names = [...published.keys()]
    const { serving } = edge
    const [first, ...others] = serving.map((_, at) => serving[(turn + at) % serving.length])
    const name = names[turn % names.length]
    try {
      await readFrom(first, name)
    } catch {
      counts.retried++
      const found = others.map((other) => readFrom(other, name))
      await Promise.any(found).catch(() => counts.lost++)
    }
    await pause(20)
  }
}

/** The distributing process that receives at this moment; null: the push was over before. */
async function receiving({ distributing }, result) {
  let isOver = false
  const over = () => {
    isOver = true
  }
  result.then(over, over)
  while (!isOver) {
    for (const one of distributing) {
      const { transfers } = await fetchStatus(one.address, { key })
      if (transfers.some(({ verifiedBytes }) => verifiedBytes > 0)) return one
    }
    await pause(20)
  }
  return null
}

try {
  const names = Array.from({ length: edgeCount }, (_, at) => `edge${at + 1}`)
  const edges = await Promise.all(names.map(startEdge))
  console.log(`${edges.length} edges, ${running.size} processes`)
  await (await publish('one.bin', 1_000_000, edges)).result
  let isOver = false
  const readers = edges.map((edge) => read(edge, () => isOver))
  const [edge] = edges

  const slow = { limitUpBytesPerSecond: 1_500_000 }
  const { result } = await publish('two.bin', 6_000_000, edges, slow)
  const victim = (await receiving(edge, result)) ?? edge.distributing[0]
  await victim.kill()
  console.log(`killed ${victim.name}, which distributes`)
  await result

  const acting = edge.serving[0]
  await acting.kill()
  console.log(`killed ${acting.name}, which served and controlled`)
  const readBefore = counts.read
  while (counts.read < readBefore + 10) await pause(20)
  edge.serving.shift()
  await (await publish('three.bin', 1_000_000, edges)).result

  const added = await start(edge.edge, `${edge.edge}-serve-3`, 'serve', true)
  for (const name of published.keys()) await readFrom(added, name)
  console.log(`added ${added.name}, which serves all ${published.size} files at once`)
  isOver = true
  await Promise.all(readers)
  const { read: all, retried, wrong, lost } = counts
  const ok = wrong === 0 && lost === 0
  console.log(`${ok ? 'all' : 'NOT ALL'} reads were right: ${wrong} wrong, ${lost} without answer`)
  console.log(`${all} reads, ${retried} at another process after the first did not answer`)
  if (!ok) process.exitCode = 1
} finally {
  for (const child of running) child.kill('SIGTERM')
  while (running.size > 0) await pause(20)
  rmSync(directory, { recursive: true, force: true })
}
