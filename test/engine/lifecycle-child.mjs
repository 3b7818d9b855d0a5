/**
 * One life of an engine, in a process of its own: lifecycle.test.ts starts it, this gets a stream
 * going and ends in the way it was told. Uses the built engine, as a user's process does.
 *
 *   node --expose-gc test/engine/lifecycle-child.mjs native|portable MODE DIR
 */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { builtEngine, startStream } from './live-stream.mjs'

const workers = 8
const restarts = 20

const [kind, mode, root] = isMainThread ? process.argv.slice(2) : workerData
const create = await builtEngine(kind)
const stream = (name, onBatch) => startStream(create, join(root, name), onBatch)

/** Empty for a thread that has ended since it was listed. */
function nameOf(task) {
  try {
    return readFileSync(`/proc/self/task/${task}/comm`, 'latin1')
  } catch {
    return ''
  }
}

/** Native threads of the engine, and descriptors, that this process has now. */
function held() {
  const threads = readdirSync('/proc/self/task').map(nameOf)
  return {
    threads: threads.filter((name) => name.startsWith('fr-')).length,
    descriptors: readdirSync('/proc/self/fd').length,
  }
}

/** Sockets close a turn or two later; what is still there after five seconds is a leak. */
async function nothingLeft(before) {
  for (let tries = 0; tries < 3_000; tries += 1) {
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

/** An engine with nothing in it, and its storage. */
async function storageOf(name) {
  mkdirSync(join(root, name))
  const engine = await create(() => {})
  return { storage: engine.storage, shutdown: () => engine.shutdown() }
}

/** Opens files until no more may be. */
function fillUp() {
  const held = []
  try {
    for (;;) held.push(openSync('/dev/null', 'r'))
  } catch (error) {
    if (error.code !== 'EMFILE') throw error
  }
  return held
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
  async 'more engines than there are descriptors'() {
    const made = []
    const refusal = await (async () => {
      for (;;) made.push(await create(() => {}))
    })().catch((error) => error)
    if (refusal.code !== 'ERR_FR_LIMIT' || refusal.errno !== 24) throw refusal
    if (made.length === 0) throw new Error('not even one')
    await Promise.all(made.map((engine) => engine.shutdown()))
    // What was half made is gone with the rest.
    await (await stream('a')).close()
  },
  /** Whatever it is that cannot be opened, the code says that no more files may be. */
  async 'files beyond the limit'() {
    const { storage, shutdown } = await storageOf('a')
    const dir = await storage.openDataDir(join(root, 'a'))
    writeFileSync(join(root, 'source'), 'bytes')
    mkdirSync(join(root, 'b'))
    const partial = await storage.createPartial(dir, 'before', 5)
    const publication = {
      ...{ file: partial, id: 'before', name: Buffer.from('sub/name'), mode: 0o640 },
      ...{ mtime: { seconds: 1, nanos: 0 }, noClobber: false },
    }
    const held = fillUp()
    const attempts = {
      openSource: () => storage.openSource(join(root, 'source')),
      createPartial: () => storage.createPartial(dir, 'id', 5),
      openDataDir: () => storage.openDataDir(join(root, 'b')),
      publish: () => storage.publish(dir, publication),
    }
    const answers = {}
    for (const [name, attempt] of Object.entries(attempts))
      answers[name] = await attempt().then(
        () => 'nothing',
        ({ code, errno, message }) => `${code} ${errno} ${message}`,
      )
    for (const fd of held) closeSync(fd)
    for (const [name, answer] of Object.entries(answers))
      if (!/^ERR_FR_LIMIT 24 too many open files: .*\(EMFILE\)/.test(answer))
        throw new Error(`${name}: ${answer}`)
    await storage.publish(dir, publication)
    storage.closeDataDir(dir)
    await shutdown()
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
