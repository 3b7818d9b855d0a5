/**
 * Calls every method of an engine in one situation and tells what came of each: `allowed`,
 * `TypeError`, or the code of an FrError. For method-matrix.test.ts, which holds the results
 * against its table, here and in a worker.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { blockBytes, builtEngine, pair, seed, size, startStream, stream } from './live-stream.mjs'

const unknown = 999_999
const byte = { stream, offset: 0, length: 1 }
const publication = {
  id: 'spare',
  name: Buffer.from('published'),
  mode: 0o600,
  mtime: { seconds: 0, nanos: 0 },
  noClobber: false,
}

const joining = (h) => ({
  ...{ dir: h.dir, file: h.joined, unitBytes: blockBytes, reserveBytes: 0, isWritten: true },
  map: Buffer.alloc(1),
  parts: [{ number: 1, dir: h.dir, path: join(h.root, 'part') }],
})

/** `h`: handles and what else is needed; the order matters only for what closes. */
const calls = {
  openTransfer: (engine) => engine.openTransfer(),
  addStream: (engine, h) =>
    engine.addStream(h.transfer, {
      stream: stream + 1,
      file: h.spare,
      size,
      blockBytes,
      complete: false,
    }),
  adopt: (engine, h) => engine.adopt(h.socket, { transfer: h.transfer, direction: 'in', seed }),
  serve: (engine, h) =>
    engine.serve(h.other, { file: h.source, offset: 0, length: 1, stalledMs: 60_000 }),
  bridge: (engine, h) => engine.bridge(...h.ends),
  tuneControl: (engine, h) => engine.tuneControl(h.control),
  setRoute: (engine, h) => engine.setRoute(h.transfer, 1, []),
  assign: (engine, h) => engine.assign(h.transfer, { ...byte, route: 1 }),
  hold: (engine, h) => engine.hold(h.transfer, { stream, offset: 0, length: blockBytes }),
  skip: (engine, h) => engine.skip(h.feed, byte),
  ask: (engine, h) => engine.ask(h.asked, byte),
  grow: (engine, h) => {
    // Before it, so that the others have a stream that grows.
    const growing = { stream: stream + 2, growing: true, complete: true }
    engine.addStream(h.transfer, { ...growing, file: h.source, size: 1, blockBytes })
    engine.grow(h.transfer, { stream: stream + 2, size: 2 })
  },
  cut: (engine, h) => engine.cut(h.transfer, { ...byte, stream: stream + 2 }),
  forget: (engine, h) => engine.forget(h.transfer, { stream: stream + 2, before: 1 }),
  send: (engine, h) => engine.send(h.feed, byte),
  sendDigests: (engine, h) => engine.sendDigests(h.feed, { ...byte, payload: Buffer.alloc(8) }),
  relayDigests: (engine, h) =>
    engine.relayDigests(h.transfer, { ...byte, route: 1, payload: Buffer.alloc(8) }),
  limit: (engine) => engine.limit({}),
  limitTransfer: (engine, h) => engine.limitTransfer(h.transfer, { priority: 1 }),
  limitFeeds: (engine, h) => engine.limitFeeds([h.feed], 1_000_000_000),
  stats: (engine, h) => engine.stats(h.transfer),
  counters: (engine) => engine.counters(),
  hashSource: (engine, h) => engine.hashSource(h.file),
  hashCached: (engine, h) => engine.hashCached(h.file, byte, blockBytes, 'xxh64'),
  hashHoles: (engine, h) => engine.hashHoles(h.file, byte, blockBytes, 'xxh64'),
  hashNow: (engine, h) => engine.hashNow(h.file, byte, blockBytes, 'xxh64'),
  blake3File: (engine) => engine.blake3File(Buffer.alloc(32)),
  foldBlake3: (engine) => engine.foldBlake3(Buffer.alloc(64), 2),
  xxh64: (engine) => engine.xxh64(Buffer.alloc(1)),
  'storage.openSource': ({ storage }, h) => storage.openSource(join(h.root, 'another')),
  'storage.checkSource': ({ storage }, h) => storage.checkSource(h.source),
  'storage.openDataDir': ({ storage }, h) => storage.openDataDir(join(h.root, 'new')),
  'storage.checkName': ({ storage }, h) => storage.checkName(h.dir, Buffer.from('a'), false),
  'storage.createPartial': ({ storage }, h) => storage.createPartial(h.dir, 'new', 1),
  'storage.openPartial': ({ storage }, h) => storage.openPartial(h.dir, 'left'),
  'storage.openHeld': ({ storage }, h) => storage.openHeld(h.dir, Buffer.from('held')),
  'storage.remove': ({ storage }, h) => storage.remove(h.dir, Buffer.from('removed')),
  'storage.identityOf': ({ storage }, h) => storage.identityOf(h.file),
  'storage.read': ({ storage }, h) => storage.read(h.file, byte),
  'storage.copyIn': ({ storage }, h) => storage.copyIn(h.file, h.spare, byte),
  'storage.probe': ({ storage }, h) => storage.probe(h.dir, { ...publication, file: h.spare }),
  'storage.flush': ({ storage }, h) => storage.flush(h.spare),
  'storage.trim': ({ storage }, h) => storage.trim(h.file),
  'storage.joinFile': ({ storage }, h) => storage.joinFile(joining(h)),
  'storage.refreshDataDir': ({ storage }, h) => storage.refreshDataDir(h.dir),
  'storage.listPartials': ({ storage }, h) => storage.listPartials(h.dir),
  'storage.lookAt': ({ storage }, h) => storage.lookAt(h.dir, [Buffer.from('a')]),
  'storage.lookAtPacked': ({ storage }, h) => storage.lookAtPacked(h.dir, Buffer.from('\x01\0a')),
  'storage.listEntries': ({ storage }, h) => storage.listEntries(h.dir, Buffer.from('listed')),
  'storage.placeEntries': ({ storage }, h) =>
    storage.placeEntries(h.dir, [{ kind: 'directory', name: Buffer.from('made'), mode: 0o700 }]),
  'storage.publish': ({ storage }, h) => storage.publish(h.dir, { ...publication, file: h.spare }),
  'storage.discard': ({ storage }, h) => storage.discard(h.dir, 'nothing'),
  'storage.expirePartials': ({ storage }, h) => storage.expirePartials(h.dir, 3600),
  'storage.freeBytes': ({ storage }, h) => storage.freeBytes(h.dir),
}
const closingCalls = {
  finish: (engine, h) => engine.finish(h.feed),
  close: (engine, h) => engine.close(h.feed),
  closeTransfer: (engine, h) => engine.closeTransfer(h.transfer),
  'storage.closeFile': ({ storage }, h) => storage.closeFile(h.source),
  'storage.closeDataDir': ({ storage }, h) => storage.closeDataDir(h.dir),
  shutdown: (engine) => engine.shutdown(),
}

async function outcomeOf(call) {
  try {
    await call()
    return 'allowed'
  } catch (error) {
    return error instanceof TypeError ? 'TypeError' : (error.code ?? String(error))
  }
}

/** `isAtOnce`: everything before the loop turns, while an engine is closing. */
async function callAll(engine, handles, isAtOnce) {
  const begun = []
  const begin = (table) => {
    for (const [name, call] of Object.entries(table)) {
      begun.push([name, outcomeOf(() => call(engine, handles))])
    }
  }
  begin(calls)
  if (!isAtOnce) await Promise.all(begun.map(([, outcome]) => outcome))
  begin(closingCalls)
  const ended = begun.map(async ([name, outcome]) => [name, await outcome])
  const outcomes = Object.fromEntries(await Promise.all(ended))
  if (outcomes.adopt !== 'allowed' && handles.socket.destroyed) {
    outcomes.adopt += ', and the socket is gone'
  }
  return outcomes
}

/** Method name -> outcome, for an engine of its own in this situation. */
export async function outcomesIn(situation, create, root) {
  mkdirSync(root, { recursive: true })
  writeFileSync(join(root, 'another'), 'bytes')
  const sockets = []
  for (let i = 0; i < 4; i++) sockets.push(...(await pair()))
  const handles = { root, socket: sockets[0], control: sockets[3], other: sockets[1] }
  handles.ends = sockets.slice(6)
  try {
    if (situation === 'before any transfer') {
      for (const name of [
        'transfer',
        'asked',
        'feed',
        'file',
        'spare',
        'joined',
        'source',
        'dir',
      ]) {
        handles[name] = unknown
      }
      return await callAll(await create(() => {}), handles, false)
    }
    const life = await startStream(create, join(root, 'life'))
    const { receiver, transfer, file, dataDir } = life
    const data = join(root, 'life', 'data')
    mkdirSync(join(data, 'listed'))
    for (const name of ['held', 'removed', '.fastreplica/partials/left'])
      writeFileSync(join(data, name), 'bytes')
    const spare = await receiver.storage.createPartial(dataDir, publication.id, size)
    const joined = await receiver.storage.createPartial(dataDir, 'joined', size)
    const { file: source } = await receiver.storage.openSource(join(root, 'another'))
    const feed = receiver.adopt(sockets[2], { transfer, direction: 'out', seed })
    const incoming = { transfer, direction: 'in', seed, isAsked: true }
    const asked = receiver.adopt(sockets[4], incoming)
    Object.assign(handles, { transfer, asked, feed, file, spare, joined, source, dir: dataDir })
    await life.busy
    const closing = situation.startsWith('clos') ? receiver.shutdown() : undefined
    if (situation === 'closed') await closing
    const outcomes = await callAll(receiver, handles, situation === 'closing')
    await life.close()
    return outcomes
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

if (workerData?.situation !== undefined) {
  const { situation, kind, root } = workerData
  parentPort.postMessage(await outcomesIn(situation, await builtEngine(kind), root))
}
