/** What a node asks an index for, piece by piece, and what follows from what is found. */
import { beforeEach, describe, expect, it } from 'vitest'
import { GIB, KIB, limits, MIB } from '../../../../src/base/limits.js'
import { type RangePair, RangeSet } from '../../../../src/base/ranges.js'
import { piecesOf, samplesOf } from '../../../../src/control/holdings/pages.js'
import type { IndexKind } from '../../../../src/control/messages/delta.js'
import { Filling } from '../../../../src/control/receiver/filling.js'
import { NodeOutbox } from '../../../../src/control/receiver/outbox.js'

const page = limits.indexPageBytes

let outbox: NodeOutbox
let filling: Filling
beforeEach(() => {
  outbox = new NodeOutbox()
  filling = new Filling(outbox)
})

/** What was asked for since the last time, as an origin cuts it. */
function asked(): [IndexKind, RangePair][] {
  return outbox.take().flatMap((wish) => {
    if (wish.type !== 'say' || wish.frame.type !== 'index') return []
    const { kind, ranges } = wish.frame
    return piecesOf(kind, ranges).map((piece): [IndexKind, RangePair] => [kind, piece])
  })
}

/** Of each piece that is asked for so much is found; the kinds that were asked for, in order. */
function answer(found: (kind: IndexKind, piece: RangePair) => RangePair[], nowMs = 0): IndexKind[] {
  const kinds: IndexKind[] = []
  for (let pieces = asked(); pieces.length > 0; pieces = asked()) {
    for (const [kind, piece] of pieces) {
      kinds.push(kind)
      filling.copied(...piece, found(kind, piece), nowMs)
    }
    filling.advance(nowMs)
  }
  return [...new Set(kinds)]
}

describe('blocks that are lacking', () => {
  const lacking = RangeSet.of([
    [0, MIB],
    [4 * MIB, 2 * MIB],
  ])

  it('are looked for page by page, and long runs that are left wherever they are', () => {
    filling.begin(lacking, 8 * MIB, 0)
    expect(filling.advance(0)).toBe(false)
    const scattered = answer((kind, [at, length]) =>
      kind === 'pages' ? [[at, length - 2 * page]] : [],
    )
    expect(scattered).toEqual(['pages'])
    expect(filling.advance(0)).toBe(true)
    expect(filling.filled.bytes).toBe(3 * MIB - 4 * page)

    filling = new Filling(outbox)
    filling.begin(lacking, 8 * MIB, 0)
    filling.advance(0)
    const moved = answer((kind, piece) => (kind === 'chunks' ? [piece] : []))
    expect(moved).toEqual(['pages', 'chunks'])
    expect(filling.advance(0)).toBe(true)
    expect(filling.filled).toEqual(lacking)
  })

  it('are not cut where that takes more than it brings, nor asked for behind the older end', () => {
    const few = RangeSet.of([[0, limits.chunkBytesMax]])
    filling.begin(few, GIB, 0)
    filling.advance(0)
    expect(answer(() => [])).toEqual(['pages'])
    expect(filling.advance(0)).toBe(true)

    filling = new Filling(outbox)
    filling.begin(lacking, 5 * MIB, 0)
    filling.advance(0)
    expect(asked()).toEqual([
      ['pages', [0, MIB]],
      ['pages', [4 * MIB, MIB]],
    ])
  })

  it('are asked for as far as a node may', () => {
    const all = RangeSet.of([[0, 2 * GIB]])
    filling.begin(all, 2 * GIB, 0)
    filling.advance(0)
    const first = asked()
    const bytes = (pieces: typeof first) => pieces.reduce((sum, [, [, length]]) => sum + length, 0)
    expect(bytes(first)).toBe(limits.indexAskedBytes)
    let open = bytes(first)
    for (const [, piece] of first) {
      filling.copied(...piece, [], 0)
      filling.advance(0)
      open += bytes(asked()) - piece[1]
      expect(open).toBeLessThanOrEqual(limits.indexAskedBytes)
    }
  })

  it('are filled by what was asked for alone', () => {
    filling.begin(lacking, 8 * MIB, 0)
    filling.advance(0)
    outbox.take()
    const entries = new Uint8Array()
    filling.indexed({ kind: 'chunks', offset: 0, length: MIB, entries })
    filling.indexed({ kind: 'pages', offset: 0, length: MIB - page, entries })
    filling.indexed({ kind: 'pages', offset: MIB, length: MIB, entries })
    expect(outbox.take()).toEqual([])
    const piece = { kind: 'pages', offset: 0, length: MIB, entries } as const
    filling.indexed(piece)
    expect(outbox.take()).toEqual([{ ...piece, type: 'fill', isSample: false }])
  })

  it('are said to be looked for, as long as something is found or copied', () => {
    filling.begin(lacking, 8 * MIB, 0)
    filling.advance(0)
    expect(asked()).toHaveLength(2)
    const says = (): number => outbox.take().filter(({ type }) => type === 'say').length
    expect(filling.dueMs).toBe(limits.comparingMs)
    filling.advance(filling.dueMs)
    expect(says()).toBe(1)
    for (let nowMs = filling.dueMs; Number.isFinite(nowMs); nowMs = filling.dueMs)
      filling.advance(nowMs)
    expect(says()).toBe(limits.comparingMsMax / limits.comparingMs - 2)
  })

  it('are told in few ranges, however many were filled', () => {
    const most = limits.fillFrames * limits.needRanges
    const large = RangeSet.of([[0, 4 * most * page]])
    filling.begin(large, 4 * most * page, 0)
    filling.advance(0)
    answer((_, [at, length]) =>
      Array.from({ length: length / (2 * page) }, (__, i): RangePair => [at + 2 * i * page, page]),
    )
    expect(filling.advance(0)).toBe(true)
    expect(filling.filled.toArray().length).toBeLessThanOrEqual(most)
    expect(filling.filled.isEmpty).toBe(false)
  })
})

describe('samples of a large file', () => {
  const bytes = limits.indexSampledBytesMin

  it('show that older content is something else', () => {
    filling.sample(bytes, 2 * bytes, 0)
    expect([filling.isSampling, filling.isBegun]).toEqual([true, false])
    filling.advance(0)
    const pieces = asked()
    const [offset, length] = samplesOf('pages', bytes)[0] as RangePair
    const piece = { kind: 'pages', offset, length, entries: new Uint8Array() } as const
    filling.indexed(piece)
    expect(outbox.take()).toEqual([{ ...piece, type: 'fill', isSample: true }])
    expect(pieces).toEqual(samplesOf('pages', bytes).map((piece) => ['pages', piece]))
    for (const [, piece] of pieces) filling.copied(...piece, [], 0)
    filling.advance(0)
    expect(answer(() => [])).toEqual(['chunks'])
    expect([filling.isSampling, filling.isUnlike]).toEqual([false, true])
    expect(filling.dueMs).toBe(Number.POSITIVE_INFINITY)
  })

  it.each(['pages', 'chunks'] as const)('show that it is like it: by %s', (like) => {
    filling.sample(2 * bytes, bytes, 0)
    filling.advance(0)
    let isFirst = true
    const kinds = answer((kind, [at]) => {
      const isFound = kind === like && isFirst
      if (isFound) isFirst = false
      return isFound ? [[at, page]] : []
    })
    expect(kinds.at(-1)).toBe(like)
    expect([filling.isSampling, filling.isUnlike]).toEqual([false, false])
    // What they have filled is nothing by itself.
    filling.begin(RangeSet.of([[0, MIB]]), bytes, 0)
    expect(filling.filled.isEmpty).toBe(true)
  })

  it('are not taken of a small one', () => {
    for (const [size, older] of [
      [bytes - 1, bytes],
      [bytes, bytes - 1],
      [64 * KIB, 0],
    ] as const) {
      filling.sample(size, older, 0)
      expect(filling.isSampling).toBe(false)
    }
  })
})
