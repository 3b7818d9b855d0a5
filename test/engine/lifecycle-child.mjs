/**
 * One life of an engine, in a process of its own: lifecycle.test.ts starts it, this gets a stream
 * going and ends in the way it was told. Uses the built engine, as a user's process does.
 *
 *   node --expose-gc test/engine/lifecycle-child.mjs native|portable MODE DIR
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createNativeEngine } from '../../dist/engine/native.js'
import { createPortableEngine } from '../../dist/engine/portable.js'

const size = 1 << 20
const blockBytes = 1 << 16
const seed = 7n
const workers = 15
const restarts = 50

const [kind, mode, root] = isMainThread ? process.argv.slice(2) : workerData
const create = kind === 'native' ? createNativeEngine : createPortableEngine

/** Two ends of a loopback connection, neither of them reading. */
async function pair() {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const accepted = new Promise((resolve) => server.once('connection', resolve))
  const dialled = connect(server.address().port, '127.0.0.1').pause()
  await new Promise((resolve) => dialled.once('connect', resolve))
  server.close()
  return [dialled, await accepted]
}

/**
 * Two engines with a feed between them on which bytes and digests never cease: the same bytes over
 * and over, drained where they landed before. `onBatch` hears both; `busy` resolves in mid-stream.
 */
async function stream(name, onBatch = () => {}) {
  const dir = join(root, name)
  mkdirSync(join(dir, 'data'), { recursive: true })
  writeFileSync(join(dir, 'source'), Buffer.alloc(size, 1))
  let digests = 0
  let becomeBusy = () => {}
  const busy = new Promise((resolve) => {
    becomeBusy = resolve
  })
  const listener = (events) => {
    digests += events.filter((event) => event.type === 'digests').length
    if (digests > 20) becomeBusy()
    onBatch(events)
  }
  const [sender, receiver] = [await create(listener), await create(listener)]
  const spec = { stream: 1, size, blockBytes }
  const source = await sender.storage.openSource(join(dir, 'source'))
  const from = sender.openTransfer()
  sender.addStream(from, { ...spec, file: source.file, complete: true })
  const data = await receiver.storage.openDataDir(join(dir, 'data'))
  const partial = await receiver.storage.createPartial(data, 'partial', size)
  const to = receiver.openTransfer()
  receiver.addStream(to, { ...spec, file: partial, complete: false })
  const [a, b] = await pair()
  const out = sender.adopt(a, { transfer: from, direction: 'out', seed })
  receiver.adopt(b, { transfer: to, direction: 'in', seed })
  const whole = { stream: 1, offset: 0, length: size }
  const pump = setInterval(() => {
    if ((sender.stats(from).feeds[0]?.queuedBytes ?? 0) > 8 * size) return
    for (let i = 0; i < 8; i += 1) {
      sender.send(out, whole)
      sender.sendDigests(out, { ...whole, payload: Buffer.alloc(64) })
    }
    // An operation that is under way whatever happens next.
    receiver.storage.freeBytes(data).catch(() => {})
  }, 1)
  return {
    busy,
    still: () => clearInterval(pump),
    close: async () => {
      clearInterval(pump)
      await Promise.all([sender.shutdown(), receiver.shutdown()])
    },
  }
}

/** Native threads of the engine, and descriptors, that this process has now. */
function held() {
  const threads = readdirSync('/proc/self/task').map((task) =>
    readFileSync(`/proc/self/task/${task}/comm`, 'latin1'),
  )
  return {
    threads: threads.filter((name) => name.startsWith('fr-')).length,
    descriptors: readdirSync('/proc/self/fd').length,
  }
}

/** Sockets close a turn or two later; what is still there after five seconds is a leak. */
async function nothingLeft(before) {
  for (let tries = 0; tries < 500; tries += 1) {
    globalThis.gc()
    const now = held()
    if (now.threads === 0 && now.descriptors <= before.descriptors) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`left: ${JSON.stringify({ before, now: held() })}`)
}

/** What is held once a worker has been: the first one leaves a descriptor of Node itself. */
async function heldAfterWorker() {
  await workerEnds(startWorker('closed in a callback', 'first'))
  return held()
}

function workerEnds(worker) {
  return new Promise((resolve) => worker.on('error', () => {}).once('exit', resolve))
}

function startWorker(life, index) {
  return new Worker(new URL(import.meta.url), { workerData: [kind, life, join(root, `w${index}`)] })
}

const lives = {
  async 'natural end'() {
    const life = await stream('a')
    await life.busy
    life.still()
  },
  async closed() {
    const life = await stream('a')
    await life.busy
    await life.close()
  },
  async 'closed in a callback'() {
    let isBusy = false
    const life = await stream('a', () => {
      if (isBusy) void life.close()
    })
    await life.busy
    isBusy = true
  },
  async 'process.exit in a callback'() {
    const life = await stream('a', (events) => {
      if (events.some((event) => event.type === 'digests')) process.exit(7)
    })
    await life.busy
  },
  async 'throw in a callback'() {
    const life = await stream('a', (events) => {
      if (events.some((event) => event.type === 'digests')) throw new Error('thrown by a listener')
    })
    await life.busy
  },
  async 'throw in a callback, caught by the process'() {
    let caught = 0
    process.on('uncaughtException', () => {
      caught += 1
    })
    const life = await stream('a', () => {
      if (caught < 3) throw new Error('thrown by a listener')
    })
    await life.busy
    await life.close()
    if (caught !== 3) throw new Error(`caught ${caught}`)
  },
  async 'forgotten engines'() {
    for (let i = 0; i < 5; i += 1) await create(() => {})
    for (let i = 0; i < 5; i += 1) {
      globalThis.gc()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  },
  async SIGTERM() {
    const life = await stream('a')
    await life.busy
    console.log('busy')
  },
  async 'SIGTERM, handled'() {
    const life = await stream('a')
    process.once('SIGTERM', () => void life.close())
    await life.busy
    console.log('busy')
  },
  async restarts() {
    await (await stream('first')).close()
    const before = held()
    for (let i = 0; i < restarts; i += 1) {
      const life = await stream(`r${i}`)
      await life.busy
      await life.close()
    }
    await nothingLeft(before)
  },
  async 'workers terminated'() {
    const before = await heldAfterWorker()
    const started = Array.from({ length: workers }, (_, index) => startWorker('stream', index))
    const busy = started.map((worker) => new Promise((resolve) => worker.once('message', resolve)))
    await Promise.all(busy)
    await Promise.all(started.map((worker) => worker.terminate()))
    await nothingLeft(before)
  },
  async 'workers that end by themselves'() {
    const before = await heldAfterWorker()
    const expected = {
      'natural end': 0,
      'process.exit in a callback': 7,
      'throw in a callback': 1,
      'closed in a callback': 0,
    }
    for (const [index, [life, code]] of Object.entries(expected).entries()) {
      if (kind === 'portable' && life === 'natural end') continue
      const exit = await workerEnds(startWorker(life, index))
      if (exit !== code) throw new Error(`${life}: exit ${exit}`)
    }
    await nothingLeft(before)
  },
  /** In a worker of `workers terminated`. */
  async stream() {
    const life = await stream('a')
    await life.busy
    parentPort.postMessage('busy')
  },
}

await lives[mode]()
