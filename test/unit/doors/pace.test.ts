/** Readers that take too little: how long a piece may take, and what becomes of its connection. */
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { OpenContent } from '../../../src/api/open-types.js'
import { doorLimits } from '../../../src/base/door-limits.js'
import { answerWith, type ReaderDemands } from '../../../src/doors/files/answer.js'
import { Pace } from '../../../src/doors/files/pace.js'

const { idleMs, paceBytes, paceBytesMax, promptMs } = doorLimits

describe('the pace of a reader', () => {
  it('gives a piece the time that it has at the least rate', () => {
    const pace = new Pace(1_024)
    expect(pace.next(10 * paceBytesMax)).toEqual({
      bytes: paceBytes,
      withinMs: (paceBytes / 1_024) * 1_000,
    })
    expect(pace.next(1)).toEqual({ bytes: 1, withinMs: idleMs })
  })

  it('sends larger pieces to who takes them at once, and small ones to who does not', () => {
    const pace = new Pace(1_024)
    const left = 10 * paceBytesMax
    for (let took = 0; took < 20; took++) pace.took(promptMs)
    expect(pace.next(left).bytes).toBe(paceBytesMax)
    pace.took(promptMs + 1)
    expect(pace.next(left).bytes).toBe(paceBytes)
  })
})

/** Of which nobody ever takes a byte. */
function stuck(size: number): OpenContent {
  return {
    ...{ name: 'f', state: 'held', size, digest: 'd', contentId: 'c', modifiedMs: 0, only: null },
    knownSha256: null,
    available: (offset: number) => size - offset,
    sendTo: (_socket: unknown, _range: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  } as unknown as OpenContent
}

describe('a reader that takes nothing', () => {
  afterEach(() => vi.useRealTimers())

  it('is cut off, but for one of a node that may send no faster', async () => {
    let isLimited = true
    const demands: ReaderDemands = { leastBytesPerSecond: paceBytes, isLimited: () => isLimited }
    const server = createServer((request, response) => {
      void answerWith(request, response, stuck(4 * paceBytes), demands)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { port } = server.address() as AddressInfo
    const ask = async () => {
      const asked = get({ port, host: '127.0.0.1', agent: false }).on('error', () => {})
      const [said] = (await once(asked, 'response')) as [IncomingMessage]
      said.on('error', () => {}).resume()
      return { said, ended: new Promise((resolve) => said.once('close', resolve)) }
    }
    const first = await ask()
    vi.advanceTimersByTime(5 * idleMs)
    // Whoever had been cut off would know it before another one is answered.
    const second = await ask()
    expect([first, second].map(({ said }) => said.destroyed)).toEqual([false, false])
    isLimited = false
    vi.advanceTimersByTime(2 * idleMs)
    await Promise.all([first.ended, second.ended])
    expect([first, second].map(({ said }) => said.complete)).toEqual([false, false])
    server.close()
  })
})
