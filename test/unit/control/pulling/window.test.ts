/** How much is asked of a holder: its link has something to send, and never for long. */
import { describe, expect, it } from 'vitest'
import { KIB, limits, MIB } from '../../../../src/base/limits.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { pullBytesMax, pullFault } from '../../../../src/control/pulling/holder.js'
import { Puller } from '../../../../src/control/pulling/puller.js'
import { PullWindow } from '../../../../src/control/pulling/window.js'

/** When the engine says what has landed: after these times, or with so many bytes. */
const reportMs = 100
const quietMs = 20
const reportBytes = 4 * MIB

interface Listed {
  /** When the request has reached the holder. */
  readonly fromMs: number
  readonly offset: number
  length: number
}

/** A puller and one holder behind a link of this speed, on a clock of milliseconds. */
class Link {
  readonly puller: Puller
  readonly #bytes: number
  readonly #blockBytes: number
  readonly #rate: number
  readonly #rttMs: number
  #nowMs = 0
  readonly #listed: Listed[] = []
  readonly #onTheWay: {
    readonly atMs: number
    readonly offset: number
    readonly length: number
  }[] = []
  readonly #answers: { readonly atMs: number; readonly frame: Frame & { type: 'holding' } }[] = []
  readonly #came = new RangeSet()
  readonly #told = new RangeSet()
  #toldMs = 0
  #cameMs = 0
  /** Milliseconds without a byte to send, and in all, once it has shown how fast it is. */
  idleMs = 0
  busyMs = 0
  mostListed = 0

  constructor(bytes: number, blockBytes: number, rate: number, rttMs: number) {
    this.#bytes = bytes
    this.#blockBytes = blockBytes
    this.#rate = rate
    this.#rttMs = rttMs
    this.puller = new Puller(blockBytes)
    this.puller.introduce([{ number: 1, nodeId: '1', address: 'n1:1' }], 0, undefined)
    this.puller.want(RangeSet.of([[0, bytes]]), 0)
    this.puller.linked(1, rttMs)
  }

  run(rampMs: number): void {
    while (this.#told.bytes < this.#bytes && this.#nowMs < 60_000) {
      this.#ask()
      this.#send(rampMs)
      this.#land()
      this.#nowMs++
    }
    expect(this.#told.bytes).toBe(this.#bytes)
  }

  #ask(): void {
    for (const wish of this.puller.advance(this.#nowMs)) {
      if (wish.type === 'need') throw new Error('the holder was given up')
      if (wish.type !== 'say' || wish.frame.type !== 'pull') continue
      const { request, ranges } = wish.frame
      expect(pullFault(wish.frame, this.#bytes, this.#blockBytes)).toBeNull()
      const fromMs = this.#nowMs + this.#rttMs / 2
      for (const [offset, length] of ranges) this.#listed.push({ fromMs, offset, length })
      const frame = { type: 'holding', request, ranges, backlogBytes: 0 } as const
      this.#answers.push({ atMs: this.#nowMs + this.#rttMs, frame })
    }
  }

  #send(rampMs: number): void {
    let room = this.#rate
    const isAsked = this.#listed.reduce((sum, { length }) => sum + length, 0)
    this.mostListed = Math.max(this.mostListed, isAsked)
    for (let next = this.#listed[0]; room > 0 && next !== undefined; next = this.#listed[0]) {
      if (next.fromMs > this.#nowMs) break
      const length = Math.min(room, next.length)
      const atMs = this.#nowMs + this.#rttMs / 2
      this.#onTheWay.push({ atMs, offset: next.offset, length })
      room -= length
      this.#listed.shift()
      if (length < next.length)
        this.#listed.unshift({
          ...next,
          offset: next.offset + length,
          length: next.length - length,
        })
    }
    const sent = this.#came.bytes + this.#onTheWay.reduce((sum, { length }) => sum + length, 0)
    if (this.#nowMs < rampMs || sent >= this.#bytes) return
    this.busyMs++
    this.idleMs += room / this.#rate
  }

  #land(): void {
    for (let next = this.#onTheWay[0]; next && next.atMs <= this.#nowMs; next = this.#onTheWay[0]) {
      this.#came.add(next.offset, next.length)
      this.#cameMs = this.#nowMs
      this.#onTheWay.shift()
    }
    for (let next = this.#answers[0]; next && next.atMs <= this.#nowMs; next = this.#answers[0]) {
      this.puller.answered(1, next.frame, this.#nowMs)
      this.#answers.shift()
    }
    const waiting = this.#came.bytes - this.#told.bytes
    const isQuiet = this.#nowMs - this.#cameMs >= quietMs
    const isDue = this.#nowMs - this.#toldMs >= reportMs || waiting >= reportBytes || isQuiet
    if (waiting === 0 || !isDue) return
    this.#toldMs = this.#nowMs
    for (const [offset, length] of this.#came.toArray()) {
      const end = offset + length
      const past = end === this.#bytes ? end : end - (end % this.#blockBytes)
      for (const run of this.#told.missing(offset, past - offset)) {
        this.#told.add(...run)
        this.puller.landed(...run, this.#nowMs)
      }
    }
  }
}

const perMs = (mbPerSecond: number): number => mbPerSecond * 1_000

describe('what is asked of a holder at once', () => {
  it.each<[number, number, number]>([
    [2, 1, 64 * KIB],
    [20, 1, 64 * KIB],
    [20, 100, 64 * KIB],
    [125, 1, 64 * KIB],
    [125, 100, 64 * KIB],
    [400, 1, MIB],
    [1_250, 1, 64 * KIB],
    [1_250, 40, MIB],
  ])('keeps a link of %i MB/s, %i ms away, busy', (mb, rttMs, blockBytes) => {
    const rate = perMs(mb)
    const bytes = Math.ceil((rate * 4_000) / blockBytes) * blockBytes
    const link = new Link(bytes, blockBytes, rate, rttMs)
    link.run(1_000)
    expect(link.busyMs).toBeGreaterThan(1_000)
    expect(link.idleMs / link.busyMs).toBeLessThan(0.02)
    // And no holder has more to send than it needs for that.
    expect(link.mostListed).toBeLessThanOrEqual(
      Math.max(4 * limits.pullUnitBytes, rate * (450 + 2 * rttMs)),
    )
  })
})

describe('PullWindow', () => {
  it('asks for whole blocks, and for no more than one request may', () => {
    for (const blockBytes of [64 * KIB, 128 * KIB, MIB, 8 * MIB]) {
      const window = new PullWindow(blockBytes)
      for (let i = 0; i < 12; i++) {
        expect(window.unitBytes % blockBytes).toBe(0)
        expect(window.unitBytes).toBeLessThanOrEqual(pullBytesMax(blockBytes))
        window.came(window.unitBytes * 3 ** i, 1)
      }
      expect(window.hasRoom({ requests: limits.pullRequests, bytes: 0 })).toBe(false)
      expect(window.hasRoom({ requests: 1, bytes: limits.pullWindowBytes })).toBe(false)
    }
  })

  it('has room for a second request of a holder that is slow, and for one of a new one', () => {
    const window = new PullWindow(MIB)
    expect(window.hasRoom(undefined)).toBe(true)
    expect(window.hasRoom({ requests: 1, bytes: MIB })).toBe(false)
    window.came(MIB, 20_000)
    expect(window.hasRoom({ requests: 1, bytes: MIB })).toBe(true)
    expect(window.hasRoom({ requests: 2, bytes: 2 * MIB })).toBe(false)
    window.restart()
    expect(window.hasRoom({ requests: 1, bytes: MIB })).toBe(false)
  })
})
