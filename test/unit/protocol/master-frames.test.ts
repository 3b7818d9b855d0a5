/** Frames between nodes and their master that are refused. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import type { Frame } from '../../../src/control/messages/types.js'
import { decodeBody, encodeBody } from '../../../src/protocol/frames.js'
import { refusal } from './support.js'

const said = {
  ...{ name: 'a', contentId: 'ab'.repeat(16), digest: `blake3:${'ab'.repeat(32)}` },
  ...{ size: 8, isGrowing: false },
}
const source = { name: 'b', nodeId: 'cd'.repeat(16), address: '10.0.0.2:7400' }
const order = { ...said, copy: 1, range: [0, 8], source, bytesPerSecond: 1_000 }
const state = { type: 'holdings', held: [], gone: [], carried: [], freeBytes: 0 }

function decode(frame: object): Frame {
  const { type, bytes } = encodeBody(frame as Frame)
  return decodeBody(type, bytes)
}

const refused = (frame: object) => refusal(() => decode(frame))

describe('frames between a node and its master', () => {
  it('say what can be', () => {
    const held = { ...said, ranges: [[0, 4]] }
    for (const bad of [
      { size: 3 },
      { size: -1 },
      { name: '' },
      { name: 'ä'.repeat(limits.nameBytes) },
      { name: '\ud800' },
      { contentId: 'AB'.repeat(16) },
      { digest: 'md5:00' },
      { isGrowing: true },
      {
        ranges: [
          [4, 4],
          [0, 2],
        ],
      },
      { ranges: [[0, 9]] },
    ])
      refused({ ...state, held: [{ ...held, ...bad }] })
    const right = { ...state, held: [held], gone: [{ name: 'c', contentId: said.contentId }] }
    expect(decode(right)).toEqual(right)
    refused({ ...state, freeBytes: -1 })
    for (const bad of [{ copy: -1 }, { bytes: -1 }, { bytes: 0.5 }])
      refused({ ...state, carried: [{ copy: 1, bytes: 2, ...bad }] })
  })

  it('order a part of a content, at a rate that can be kept', () => {
    expect(decode({ type: 'order', ...order })).toEqual({ type: 'order', ...order })
    const uncapped = { type: 'order', ...order, bytesPerSecond: Number.POSITIVE_INFINITY }
    expect(decode(uncapped)).toEqual(uncapped)
    for (const bad of [
      { range: [0, 9] },
      { range: [0, 0] },
      { range: [8, 1] },
      { range: [-1, 2] },
      { range: [0, 1, 2] },
      { bytesPerSecond: 0 },
      { bytesPerSecond: 0.5 },
      { copy: -1 },
      { source: { ...source, address: 'nowhere' } },
      { source: { ...source, nodeId: 'me' } },
    ])
      refused({ type: 'order', ...order, ...bad })
    refused({ type: 'orderRate', copy: 1, bytesPerSecond: -5 })
  })

  it('tell how a copy ended in known words', () => {
    const copied = { type: 'copied', copy: 1, bytes: 4, cause: 'absent', blames: ['source'] }
    expect(decode(copied)).toEqual(copied)
    for (const bad of [
      { blames: ['moon'] },
      { blames: ['disk', 'disk'] },
      { cause: '' },
      { cause: 'a b' },
      { cause: 'x'.repeat(limits.copyCauseChars + 1) },
      { bytes: -1 },
    ])
      refused({ ...copied, ...bad })
  })

  it('are within bounds', () => {
    const many = (count: number) => Array.from({ length: count }, () => ({ ...said, ranges: null }))
    refused({ ...state, held: many(limits.masterPageFiles + 1) })
    const copies = Array.from({ length: limits.masterNodeCopies + 1 }, () => order)
    refused({ type: 'underway', copies })
    const file = { name: 'a', digest: null, priority: 5 }
    const page = { type: 'required', isFirst: true, isLast: true }
    refused({ ...page, files: Array.from({ length: limits.masterPageFiles + 1 }, () => file) })
    refused({ ...page, files: [{ ...file, priority: 11 }] })
    const ranges = Array.from({ length: limits.masterRanges + 1 }, (_, i) => [2 * i, 1])
    refused({ ...state, held: [{ ...said, size: 1e6, ranges }] })
    for (const bad of [{ up: 1 }, { down: limits.rateMax + 1 }, { address: 'x' }])
      refused({ type: 'enlist', address: '[::]:7400', up: null, down: null, ...bad })
  })
})
