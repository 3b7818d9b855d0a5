/**
 * How near a limit is reached, and how far it is passed in the worst second: one feed between two
 * native engines on loopback, limited at its sender or at its receiver, measured by what that one
 * has given to or taken from its socket. The same bytes are sent again and again: nothing but the
 * first time of them lands, so no disk is in the way.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { blockBytesFor } from '../dist/base/limits.js'
import { createNativeEngine } from '../dist/engine/native/engine.js'
import { MIB, Workspace } from './workspace.mjs'

const rates = [
  { name: '10 Mbit/s', bytesPerSecond: 1.25e6 },
  { name: '200 Mbit/s', bytesPerSecond: 25e6 },
  { name: '2 Gbit/s', bytesPerSecond: 250e6 },
]
const sampleMs = 10
const bytes = 32 * MIB

async function pair() {
  const server = createServer({ pauseOnConnect: true, noDelay: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect({ port: server.address().port, host: '127.0.0.1', noDelay: true })
  const [[other]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')])
  server.close()
  return [socket, other]
}

/** `[seconds, bytes]` every few milliseconds, from the first byte on. */
async function samples(count, seconds) {
  while (count() === 0) await sleep(1)
  const found = []
  const startMs = performance.now()
  for (;;) {
    const beforeMs = performance.now()
    const moved = count()
    const afterMs = performance.now()
    const at = (beforeMs - startMs) / 1000
    // Where this process had to wait in between, nobody knows when that was the count.
    if (afterMs - beforeMs < 1) found.push([at, moved])
    if (at > seconds) return found
    await sleep(sampleMs)
  }
}

/** Bytes a second in the window of a second that has most. */
function worstSecond(found) {
  let most = 0
  let last = 0
  for (const [at, received] of found) {
    while (last < found.length && found[last][0] < at + 1) last++
    if (last === found.length) break
    const [until, then] = found[last]
    most = Math.max(most, (then - received) / (until - at))
  }
  return most
}

async function trial(workspace, source, limit, seconds) {
  const from = await createNativeEngine(() => {})
  const to = await createNativeEngine(() => {})
  try {
    const stream = { stream: 0, size: bytes, blockBytes: blockBytesFor(bytes) }
    const { file } = await from.storage.openSource(source)
    const sending = from.openTransfer()
    from.addStream(sending, { ...stream, file, complete: true })
    const dir = await to.storage.openDataDir(workspace.makeDirectory('copy'))
    const copy = await to.storage.createPartial(dir, 'copy', bytes)
    const receiving = to.openTransfer()
    to.addStream(receiving, { ...stream, file: copy, complete: false })
    from.limit({ upBytesPerSecond: limit.up })
    to.limit({ downBytesPerSecond: limit.down })
    const [a, b] = await pair()
    to.adopt(b, { transfer: receiving, direction: 'in', seed: 0n })
    const feed = from.adopt(a, { transfer: sending, direction: 'out', seed: 0n })
    const rate = limit.up ?? limit.down
    for (let sent = 0; sent < rate * (seconds + 2); sent += bytes)
      from.send(feed, { stream: 0, offset: 0, length: bytes })
    const isUp = limit.up !== undefined
    const count = () => (isUp ? from.counters().sentBytes : to.counters().receivedBytes)
    return await samples(count, seconds)
  } finally {
    await from.shutdown()
    await to.shutdown()
    workspace.remove('copy')
  }
}

export const limits = {
  name: 'limits',
  about: 'how near limits are reached, and how far passed in the worst second',

  async run({ quick, say }) {
    const seconds = quick ? 2 : 10
    const workspace = new Workspace(2 * bytes)
    const rows = []
    try {
      const source = await workspace.randomFile('source', bytes)
      for (const { name, bytesPerSecond } of rates)
        for (const side of ['up', 'down']) {
          const found = await trial(workspace, source, { [side]: bytesPerSecond }, seconds)
          const [at, received] = found.at(-1)
          const mean = (100 * (received - found[0][1])) / at / bytesPerSecond
          const worst = (100 * worstSecond(found)) / bytesPerSecond
          say(`${name} ${side}: mean ${mean.toFixed(1)} %, worst second ${worst.toFixed(1)} %`)
          rows.push({ name: `${name}, ${side}`, mean: mean.toFixed(1), worst: worst.toFixed(1) })
        }
    } finally {
      await workspace.close()
    }
    return {
      suite: 'limits',
      title: `one feed on loopback for ${seconds} s, in % of the limit`,
      columns: [
        { key: 'name', title: 'limit' },
        { key: 'mean', title: 'mean' },
        { key: 'worst', title: 'worst second' },
      ],
      rows,
      notes: ['payload alone: headers count within a limit as well'],
    }
  },
}
