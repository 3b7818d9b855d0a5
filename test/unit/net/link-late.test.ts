/** A link whose peer takes nothing, or little: by the clock, and by a process that had no turn. */
import type { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import type { Frame } from '../../../src/control/messages/types.js'
import type { ControlLink } from '../../../src/net/link.js'

type Support = typeof import('./handshake-support.js')
let Link: typeof ControlLink
let pair: Support['pair']
let keep: Support['keep']
let cleanUp: Support['cleanUp']

/** The awake clock runs ahead here: it must be no other test file's. */
beforeAll(async () => {
  vi.resetModules()
  Link = (await import('../../../src/net/link.js')).ControlLink
  const support = await import('./handshake-support.js')
  pair = support.pair
  keep = support.keep
  cleanUp = support.cleanUp
})

afterAll(() => {
  vi.resetModules()
})

/** Time that goes on only when a test says so, for timers and for the clock they are held to. */
const startMs = Math.ceil(performance.now())
let elapsedMs = 0

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  vi.spyOn(performance, 'now').mockImplementation(() => startMs + elapsedMs)
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  cleanUp()
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left--) {
    elapsedMs += 1
    vi.advanceTimersByTime(1)
  }
  await turn()
}

/** The process has no turn for so long: then all timers that are due meanwhile fire at once. */
async function passWithoutTurn(ms: number): Promise<void> {
  elapsedMs += ms
  vi.advanceTimersByTime(ms)
  await turn()
}

const big: Frame = { type: 'status', json: 'x'.repeat(500_000) }

async function linkToSocket(): Promise<{
  link: ControlLink
  socket: Socket
  closings: [code: string | null, text: string][]
}> {
  const [ours, theirs] = await pair()
  const closings: [string | null, string][] = []
  const link = new Link(ours, {
    onFrame() {},
    onClose: (code, text) => closings.push([code, text]),
  })
  return { link, socket: keep(theirs.detach()).pause(), closings }
}

/** Sends until the kernel has had no room for a while. */
async function fill(link: ControlLink): Promise<void> {
  let sent = -1
  let since = process.hrtime.bigint()
  while (link.queuedBytes === 0 || process.hrtime.bigint() - since < 200_000_000n) {
    if (link.sentBytes !== sent) since = process.hrtime.bigint()
    sent = link.sentBytes
    if (link.queuedBytes < limits.linkQueueBytes / 2) link.send(big)
    await turn()
  }
}

describe('a link whose peer takes nothing', () => {
  it('is closed with ERR_FR_PEER_STALLED after linkStallMs', async () => {
    const { link, closings } = await linkToSocket()
    await fill(link)
    await pass(limits.linkStallMs - 1)
    expect(closings).toEqual([])
    await pass(2)
    expect(closings).toEqual([
      ['ERR_FR_PEER_STALLED', expect.stringContaining(`${limits.linkStallMs} ms`)],
    ])
    expect(link.send({ type: 'beat' })).toBe(false)
  })

  it('is given the time in which this process had no turn, and no more', async () => {
    const { link, closings } = await linkToSocket()
    await fill(link)
    await pass(100)
    // At most a beat of 100 ms of it counts as awake.
    await passWithoutTurn(1_500)
    await pass(limits.linkStallMs - 100 - 110)
    expect(closings).toEqual([])
    await pass(111)
    expect(closings.map(([code]) => code)).toEqual(['ERR_FR_PEER_STALLED'])
  })
})

describe('a link whose peer reads slowly, but reads', () => {
  it('is not closed', async () => {
    const { link, socket, closings } = await linkToSocket()
    for (let count = 0; count < 16; count += 1) link.send(big)
    socket.on('data', () => socket.pause())
    while (link.queuedBytes > 0 && closings.length === 0) {
      const before = link.sentBytes
      while (link.sentBytes === before && closings.length === 0) {
        socket.resume()
        await turn()
      }
      await pass(limits.linkStallMs - 100)
    }
    expect(closings).toEqual([])
  })
})
