/** Older content of a large file: samples tell first whether its blocks are worth a look. */
import { beforeEach, describe, expect, it } from 'vitest'
import { limits, MIB } from '../../../../src/base/limits.js'
import { type RangePair, RangeSet } from '../../../../src/base/ranges.js'
import type { HeldRun } from '../../../../src/control/holdings/have.js'
import { StreamLedger } from '../../../../src/control/holdings/ledger.js'
import { piecesOf } from '../../../../src/control/holdings/pages.js'
import type { IndexKind } from '../../../../src/control/messages/delta.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { BlockHashing } from '../../../../src/control/receiver/block-hashing.js'
import type { Found } from '../../../../src/control/receiver/events.js'
import { FoundBlocks } from '../../../../src/control/receiver/found.js'
import { NodeOutbox } from '../../../../src/control/receiver/outbox.js'

const size = limits.indexSampledBytesMin
const blockBytes = MIB
const blocks = size / blockBytes
const digestsOf = (value: number, count = blocks) => new Uint8Array(8 * count).fill(value)

let outbox: NodeOutbox
let ledger: StreamLedger
let found: FoundBlocks
beforeEach(() => {
  outbox = new NodeOutbox()
  ledger = new StreamLedger(size, blockBytes, 8)
  found = new FoundBlocks(ledger, new RangeSet(), new BlockHashing(blockBytes), outbox)
})

const older: HeldRun = { offset: 0, length: size, digests: digestsOf(1) }
/** What the node says from now on. */
const said = (): Frame[] =>
  outbox.take().flatMap((wish) => (wish.type === 'say' ? [wish.frame] : []))

/** Prepared; each piece that is asked for has so much of older content, as long as any is. */
function answered(what: Found, has: (kind: IndexKind, piece: RangePair) => RangePair[]): Frame[] {
  found.prepared(what, 0)
  const frames: Frame[] = []
  for (let isOver = false; !isOver; ) {
    isOver = found.advance(0)
    const now = said()
    frames.push(...now)
    const asked = now.flatMap((frame) => (frame.type === 'index' ? [frame] : []))
    for (const { kind, ranges } of asked)
      for (const piece of piecesOf(kind, ranges)) {
        const [offset, length] = piece
        found.copied({ type: 'filled', offset, length, ranges: has(kind, piece) }, 0)
      }
    isOver ||= asked.length === 0
  }
  return frames
}

const typesOf = (frames: readonly Frame[]): string[] => frames.map(({ type }) => type)

describe('older content of a large file', () => {
  it('that has nothing of the new one is waited for no longer', () => {
    const what = { elsewhere: [older], olderBytes: size }
    const frames = answered(what, () => [])
    expect(typesOf(frames)).toEqual(['compares', 'index', 'index', 'accept'])
    expect(frames.at(-1)).toEqual({ type: 'accept', have: [] })
    expect(found.lacking.bytes).toBe(size)
  })

  it('that has some of it is compared once all digests are there', () => {
    const has = (_: IndexKind, [offset]: RangePair): RangePair[] =>
      offset === 0 ? [[0, 4096]] : []
    const frames = answered({ elsewhere: [older], olderBytes: size }, has)
    expect(typesOf(frames)).toEqual(['compares', 'index'])
    expect(found.advance(1)).toBe(false)
    expect(typesOf(said())).toEqual([])
    // What a sample has filled is lacking all the same, until the index of all of it is there.
    ledger.announce(0, size, digestsOf(2))
    expect(found.advance(2)).toBe(false)
    expect(typesOf(said())).toEqual(['index'])
    expect(found.lacking.bytes).toBe(size)
  })

  it('is compared without samples where the node has blocks that may be of it', () => {
    const candidates = [{ offset: 0, length: blockBytes, digests: digestsOf(1, 1) }]
    const frames = answered({ candidates, elsewhere: [older], olderBytes: size }, () => [])
    expect(typesOf(frames)).toEqual(['compares'])
    ledger.announce(0, size, digestsOf(1))
    expect(found.advance(1)).toBe(true)
    expect(said().at(-1)).toEqual({ type: 'accept', have: [[0, size]] })
  })
})
