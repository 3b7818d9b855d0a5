/** The index that nodes ask for: made once for all, kept for a while, and in bounds. */
import { beforeEach, describe, expect, it } from 'vitest'
import { GIB, limits, MIB } from '../../../../src/base/limits.js'
import type { RangePair } from '../../../../src/base/ranges.js'
import type { OriginConfig } from '../../../../src/control/coordinator/events.js'
import { Extent } from '../../../../src/control/coordinator/extent.js'
import { OriginIndex } from '../../../../src/control/coordinator/indexing.js'
import { OriginOutbox } from '../../../../src/control/coordinator/outbox.js'
import type { Peer } from '../../../../src/control/members/peer.js'
import type { IndexedPiece, IndexKind, IndexPiece } from '../../../../src/control/messages/delta.js'
import { entriesOf } from '../../../../src/sim/content.js'
import { peerThat } from '../peers.js'

const bytes = 3 * GIB + 5
const pieceBytes = limits.pagesPieceBytes

let outbox: OriginOutbox
let index: OriginIndex
beforeEach(() => {
  outbox = new OriginOutbox()
  index = new OriginIndex({ extent: new Extent(bytes, 65_536) } as OriginConfig, outbox)
})

function comparing(node: number): Peer {
  const peer = peerThat('offered', node)
  peer.waits('comparing', 0)
  return peer
}

const asks = (peer: Peer, ranges: RangePair[], kind: IndexKind = 'pages'): string | null =>
  index.asked(peer, { type: 'index', kind, ranges }, 0)
const made = (piece: IndexPiece): IndexedPiece => ({ ...piece, entries: entriesOf(piece) })
/** The pieces that are to be made from now on. */
const started = (): IndexPiece[] =>
  index.more().map((wish) => {
    if (wish.type !== 'index') throw new Error(wish.type)
    const { kind, offset, length } = wish
    return { kind, offset, length }
  })
const told = (): [number, number][] =>
  outbox.take().map((wish) => {
    if (wish.type !== 'say' || wish.frame.type !== 'indexed') throw new Error(wish.type)
    return [wish.member, wish.frame.offset]
  })

describe('the index', () => {
  it('is made once while several ask, and kept for those who ask later', () => {
    const [one, two, three] = [comparing(0), comparing(1), comparing(2)]
    expect(asks(one, [[0, 2 * pieceBytes]])).toBeNull()
    expect(asks(two, [[pieceBytes, pieceBytes]])).toBeNull()
    const pieces = started()
    expect(pieces.map(({ offset }) => offset)).toEqual([0, pieceBytes])
    expect([started(), told()]).toEqual([[], []])
    for (const piece of pieces) index.indexed(made(piece), 5)
    expect(told()).toEqual([
      [0, 0],
      [0, pieceBytes],
      [1, pieceBytes],
    ])
    expect(asks(three, [[0, pieceBytes]])).toBeNull()
    expect([started(), told()]).toEqual([[], [[2, 0]]])
    // Another cut of the same bytes is another piece, and so are its chunks.
    expect(asks(three, [[0, MIB]])).toBeNull()
    expect(asks(three, [[0, pieceBytes]], 'chunks')).toBeNull()
    expect(started()).toHaveLength(2)
    expect([one, two, three].map(({ had }) => had.indexAskedBytes)).toEqual([
      0,
      0,
      pieceBytes + MIB,
    ])
  })

  it('is made a few pieces at a time, in the order in which they were asked for', () => {
    const peer = comparing(0)
    expect(asks(peer, [[0, 10 * pieceBytes]])).toBeNull()
    const first = started()
    expect(first).toHaveLength(limits.indexTasks)
    expect(started()).toEqual([])
    const [piece] = first
    index.indexed(made(piece as IndexPiece), 0)
    expect(started().map(({ offset }) => offset)).toEqual([limits.indexTasks * pieceBytes])
  })

  it('is forgotten where it is much', () => {
    const peer = comparing(0)
    const pieces = limits.indexKeptBytes / MIB + 1
    for (let at = 0; at < pieces; at++) {
      expect(asks(peer, [[at * pieceBytes, pieceBytes]])).toBeNull()
      for (const piece of started()) index.indexed({ ...piece, entries: new Uint8Array(MIB) }, 0)
      expect(told()).toEqual([[0, at * pieceBytes]])
    }
    // One too many was made: the first is not there any more.
    expect(asks(peer, [[0, pieceBytes]])).toBeNull()
    expect([told(), started()]).toMatchObject([[], [{ offset: 0 }]])
    expect(asks(peer, [[pieceBytes, pieceBytes]])).toBeNull()
    expect(told()).toEqual([[0, pieceBytes]])
  })

  it('is told to nobody who compares no more', () => {
    const [left, stays] = [comparing(0), comparing(1)]
    for (const peer of [left, stays]) asks(peer, [[0, pieceBytes]])
    left.accepts([])
    for (const piece of started()) index.indexed(made(piece), 0)
    expect(told()).toEqual([[1, 0]])
  })

  it.each<[string, RangePair]>([
    ['not at a page', [5, pieceBytes]],
    ['behind the end', [3 * GIB, MIB]],
    ['too much', [0, limits.indexAskedBytes + pieceBytes]],
  ])('is refused to a node that asks for what is %s', (_, range) => {
    expect(asks(comparing(0), [range])).toMatch(/index/)
  })

  it('is refused to a node that compares nothing, or has not been told the last of it', () => {
    expect(asks(peerThat('offered'), [[0, pieceBytes]])).toMatch(/compares nothing/)
    expect(asks(peerThat('running'), [[0, pieceBytes]])).toMatch(/compares nothing/)
    const peer = comparing(0)
    expect(asks(peer, [[0, limits.indexAskedBytes]])).toBeNull()
    expect(asks(peer, [[GIB, pieceBytes]])).toMatch(/too much/)
    expect(asks(comparing(1), [[3 * GIB, 5]])).toBeNull()
  })
})
