/** A link of a process that has had no turn: whose fault it is that nothing was taken. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { nowMs, unwatch, watch } from '../../../src/base/time/awake.js'
import type { Frame } from '../../../src/control/messages/types.js'
import { ControlLink } from '../../../src/net/link.js'
import { cleanUp, keep, pair } from './handshake-support.js'

afterEach(() => {
  unwatch()
  vi.useRealTimers()
  cleanUp()
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const big: Frame = { type: 'status', json: 'x'.repeat(500_000) }

describe('a link whose peer takes nothing', () => {
  it('is given back the time in which this process had no turn, and no more', async () => {
    // The clock that lost time is told by goes on; timers stand still until they are moved on.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const [ours, theirs] = await pair()
    keep(theirs.detach()).pause()
    const closings: (string | null)[] = []
    const link = new ControlLink(ours, { onFrame() {}, onClose: (code) => closings.push(code) })
    let sent = -1
    let sinceMs = nowMs()
    while (link.stats.queuedBytes === 0 || nowMs() - sinceMs < 200) {
      if (link.stats.sentBytes !== sent) sinceMs = nowMs()
      sent = link.stats.sentBytes
      if (link.stats.queuedBytes < limits.linkQueueBytes / 2) link.send(big)
      await turn()
    }
    watch()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500)
    vi.advanceTimersByTime(limits.linkStallMs)
    await turn()
    expect(closings).toEqual([])
    // Lost: 1.4 s, and what a busy machine has added meanwhile.
    vi.advanceTimersByTime(1_300)
    await turn()
    expect(closings).toEqual([])
    vi.advanceTimersByTime(60_000)
    await turn()
    expect(closings).toEqual(['ERR_FR_PEER_STALLED'])
  })
})
