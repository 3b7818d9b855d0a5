/**
 * Two engines in mid-stream, for tests that end or misuse them there. Plain JavaScript, because it
 * also runs in child processes and workers, where nothing compiles TypeScript.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'

export const size = 1 << 20
export const blockBytes = 1 << 16
export const seed = 7n
export const stream = 1

/** The maker of an engine of this kind, as built. */
export async function builtEngine(kind) {
  if (kind === 'native')
    return (await import('../../dist/engine/native/engine.js')).createNativeEngine
  return (await import('../../dist/engine/portable/engine.js')).createPortableEngine
}

/** Two ends of a loopback connection, neither of them reading. */
export async function pair() {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const accepted = new Promise((resolve) => server.once('connection', resolve))
  const dialled = connect(server.address().port, '127.0.0.1').pause()
  await new Promise((resolve) => dialled.once('connect', resolve))
  server.close()
  return [dialled, await accepted]
}

/**
 * A feed on which bytes and digests never cease: the same bytes over and over, drained where they
 * landed before. `onBatch` hears both engines; `busy` resolves in mid-stream.
 */
export async function startStream(create, dir, onBatch = () => {}) {
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
  const spec = { stream, size, blockBytes }
  const source = await sender.storage.openSource(join(dir, 'source'))
  const from = sender.openTransfer()
  sender.addStream(from, { ...spec, file: source.file, complete: true })
  const dataDir = await receiver.storage.openDataDir(join(dir, 'data'))
  const file = await receiver.storage.createPartial(dataDir, 'partial', size)
  const transfer = receiver.openTransfer()
  receiver.addStream(transfer, { ...spec, file, complete: false })
  const [a, b] = await pair()
  const out = sender.adopt(a, { transfer: from, direction: 'out', seed })
  receiver.adopt(b, { transfer, direction: 'in', seed })
  const whole = { stream, offset: 0, length: size }
  const pump = setInterval(() => {
    // Gone with the other side, or full.
    const feed = sender.stats(from).feeds[0]
    if (feed === undefined || feed.queuedBytes > 8 * size) return
    for (let i = 0; i < 8; i += 1) {
      sender.send(out, whole)
      sender.sendDigests(out, { ...whole, payload: Buffer.alloc(64) })
    }
    // An operation that is under way whatever happens next.
    receiver.storage.freeBytes(dataDir).catch(() => {})
  }, 1)
  return {
    busy,
    /** The receiving engine and its handles. */
    receiver,
    transfer,
    dataDir,
    file,
    still: () => clearInterval(pump),
    close: async () => {
      clearInterval(pump)
      await Promise.all([sender.shutdown(), receiver.shutdown()])
    },
  }
}
