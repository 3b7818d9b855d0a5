/** What a node answers to those who pull from it, and how much it takes on. */
import { describe, expect, it } from 'vitest'
import { KIB, limits, MIB } from '../../../../src/base/limits.js'
import type { RangePair } from '../../../../src/base/ranges.js'
import { StreamLedger } from '../../../../src/control/holdings/ledger.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { Grants, pullFault } from '../../../../src/control/pulling/holder.js'

const block = 64 * KIB
const pull = (ranges: RangePair[]): Frame & { type: 'pull' } => {
  return { type: 'pull', request: 1, ranges }
}

describe('pullFault', () => {
  it.each<[string, Frame & { type: 'pull' }, RegExp]>([
    ['nothing', pull([]), /nothing/],
    [
      'bytes beyond the file',
      pull([
        [0, 10],
        [16 * MIB - 1, 2],
      ]),
      /beyond the file/,
    ],
    ['all bytes there can be', pull([[0, Number.MAX_SAFE_INTEGER]]), /beyond the file/],
    ['too much at once', pull([[0, limits.pullUnitBytesMax + 1]]), /takes 4194304/],
    [
      'too much in small parts',
      pull(Array.from({ length: 64 }, (_, i): RangePair => [i * 2 * block, block + 1])),
      /takes/,
    ],
  ])('refuses %s by name', (_, frame, text) => {
    expect(pullFault(frame, 16 * MIB, block)).toMatchObject({
      code: 'ERR_FR_PROTOCOL',
      text: expect.stringMatching(text),
    })
  })

  it('lets a unit pass, and a block where that is more', () => {
    expect(pullFault(pull([[0, limits.pullUnitBytesMax]]), 16 * MIB, block)).toBeNull()
    expect(pullFault(pull([[0, 8 * MIB]]), 16 * MIB, 8 * MIB)).toBeNull()
  })
})

describe('what a ledger holds', () => {
  const digests = (...values: number[]) => Uint8Array.from(values)

  it('is what was verified, to the byte', () => {
    const ledger = new StreamLedger(250, 100, 1)
    ledger.land(0, 250)
    ledger.announce(0, 250, digests(1, 2, 3))
    expect(ledger.held([[0, 250]])).toEqual([])
    ledger.compute(0, 100, digests(1))
    ledger.compute(100, 100, digests(9))
    ledger.compute(200, 50, digests(3))
    expect(ledger.held([[0, 250]])).toEqual([
      [0, 100],
      [200, 50],
    ])
    expect(
      ledger.held([
        [30, 5],
        [90, 50],
        [199, 2],
        [240, 10],
      ]),
    ).toEqual([
      [30, 5],
      [90, 10],
      [200, 1],
      [240, 10],
    ])
    expect(ledger.held([])).toEqual([])
  })

  it('tells which blocks were never announced', () => {
    const ledger = new StreamLedger(250, 100, 1)
    ledger.announce(100, 100, digests(2))
    expect(ledger.unannounced().toArray()).toEqual([
      [0, 100],
      [200, 50],
    ])
  })
})

describe('Grants', () => {
  const most = 2 * limits.pullRequests
  const feed = (payloadBytes: number, queuedBytes: number) => ({ payloadBytes, queuedBytes })

  it('hold an asker to so many requests that are not sent', () => {
    const grants = new Grants()
    for (let i = 0; i < most; i++) {
      expect(grants.hasRoom(feed(0, i * 10), 0)).toBe(true)
      grants.add(10, feed(0, i * 10), 0)
    }
    expect(grants.hasRoom(feed(9, most * 10 - 9), 0)).toBe(false)
    expect(grants.hasRoom(feed(10, most * 10 - 10), 0)).toBe(true)
  })

  it('hold it also while its feed is still being opened', () => {
    const grants = new Grants()
    for (let i = 0; i < most; i++) {
      expect(grants.hasRoom(undefined, 0)).toBe(true)
      grants.add(10, feed(0, 0), 0)
    }
    expect(grants.hasRoom(undefined, 0)).toBe(false)
    expect(grants.hasRoom(feed(most * 10, 0), 0)).toBe(true)
  })

  it('count as what they are among the bytes that wait', () => {
    const grants = new Grants()
    grants.add(100, feed(1_000, 50), 0)
    // 50 bytes to relay come first.
    expect(grants.queuedBytes(feed(1_000, 150), 0)).toBe(100)
    expect(grants.queuedBytes(feed(1_050, 100), 0)).toBe(100)
    expect(grants.queuedBytes(feed(1_090, 60), 0)).toBe(60)
    // More was listed for relaying meanwhile.
    expect(grants.queuedBytes(feed(1_120, 530), 0)).toBe(30)
    expect(grants.queuedBytes(feed(1_150, 500), 0)).toBe(0)
  })

  it('are settled by an empty feed, by time, and by the end of the feed', () => {
    const filled = (): Grants => {
      const grants = new Grants()
      for (let i = 0; i < most; i++) grants.add(10, feed(0, 0), 0)
      return grants
    }
    // Holes were sent: they never count as payload.
    expect(filled().hasRoom(feed(0, 0), 1)).toBe(true)
    expect(filled().hasRoom(feed(0, 1), limits.pullServedMs - 1)).toBe(false)
    expect(filled().hasRoom(feed(0, 1), limits.pullServedMs)).toBe(true)
    const ended = filled()
    ended.clear()
    expect(ended.hasRoom(feed(0, 1), 1)).toBe(true)
  })
})
