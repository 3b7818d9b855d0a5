/** The binary frames: what no honest node sends is refused before anything is believed. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import type { Frame } from '../../../src/control/messages/types.js'
import { decodeBody, encodeBody } from '../../../src/protocol/frames.js'
import { sampleFrames } from './frame-support.js'
import { refusal } from './support.js'

const hot = ['progress', 'backlog'] as const
type Hot = (typeof hot)[number]

const sampleOf = (type: Hot) =>
  encodeBody(sampleFrames.find((frame) => frame.type === type) as Frame)

/** A sample of which some bytes are others. */
function changed(type: Hot, at: number, ...bytes: number[]): () => Frame {
  const body = sampleOf(type)
  const forged = Uint8Array.from(body.bytes)
  forged.set(bytes, at)
  return () => decodeBody(body.type, forged)
}

const most = limits.membersPerPlan + 1
const counts = { progress: 64, backlog: 32 }

describe.each(hot)('a %s frame', (type) => {
  const { bytes, type: number } = sampleOf(type)

  it('of another length is refused', () => {
    for (let length = 0; length < bytes.length; length++)
      refusal(() => decodeBody(number, bytes.subarray(0, length)))
    refusal(() => decodeBody(number, Uint8Array.of(...bytes, 0)))
  })

  it.each([
    ['more members than there can be', most & 0xff, most >> 8, /has 258 members/],
    ['as many members as fit a count', 0xff, 0xff, /has 65535 members/],
    ['more members than there are bytes', 200, 0, /bytes of rows/],
    ['no members, and rows', 0, 0, /bytes of rows/],
  ] as const)('with %s is refused', (_, low, high, text) => {
    expect(refusal(changed(type, counts[type], low, high)).message).toMatch(text)
  })

  it('with a counter of 2^53 is refused', () => {
    for (let at = 0; at < counts[type]; at += 8)
      expect(refusal(changed(type, at + 6, 0x20)).message).toMatch(/2\^53/)
  })
})

it('members of a list ascend, so each is named once', () => {
  const behind = (...members: number[]): Frame => {
    return {
      type: 'backlog',
      atMs: 0,
      landedBytes: 0,
      receivedBytes: 0,
      backlogBytes: 0,
      behind: members,
    }
  }
  const { type, bytes } = encodeBody(behind(1, 2))
  for (const second of [1, 0]) {
    const forged = Uint8Array.from(bytes)
    forged[38] = second
    expect(refusal(() => decodeBody(type, forged)).message).toMatch(/ascend/)
    expect(() => encodeBody(behind(1, second))).toThrow(TypeError)
  }
  expect(() => encodeBody(behind(-1))).toThrow(TypeError)
  expect(() => encodeBody(behind(2 ** 32))).toThrow(TypeError)
  expect(() => encodeBody(behind(...Array(most).keys()))).toThrow(TypeError)
  expect(() => encodeBody({ ...behind(), atMs: 0.5 } as Frame)).toThrow(/not a counter/)
})

it('the largest of each kind fits a frame', () => {
  const all = [...Array(limits.membersPerPlan).keys()]
  const large = Number.MAX_SAFE_INTEGER
  const counters = { landedBytes: large, receivedBytes: large, atMs: large }
  const frames: Frame[] = [
    { type: 'backlog', ...counters, backlogBytes: large, behind: all },
    {
      type: 'progress',
      ...counters,
      holeBytes: large,
      verifiedBytes: large,
      repairedBytes: large,
      sentBytes: large,
      duplicateBytes: large,
      mates: all.map((member) => ({ member, queuedBytes: large, unackedBytes: large })),
      received: all.map((member) => ({ member, bytes: large })),
      pulled: all.map((member) => ({ member, bytes: large })),
    },
  ]
  for (const frame of frames) {
    const { type, bytes } = encodeBody(frame)
    expect(decodeBody(type, bytes)).toEqual(frame)
    expect(bytes.length).toBeLessThan(16 * 1_024)
  }
})

describe('reports of a group', () => {
  const { type, bytes } = encodeBody(
    sampleFrames.find((frame) => frame.type === 'reports') as Frame,
  )
  const withByte = (at: number, byte: number) => () => {
    const forged = Uint8Array.from(bytes)
    forged[at] = byte
    return decodeBody(type, forged)
  }

  it('of another length are refused', () => {
    for (let length = 0; length < bytes.length; length++)
      refusal(() => decodeBody(type, bytes.subarray(0, length)))
    refusal(() => decodeBody(type, Uint8Array.of(...bytes, 0)))
  })

  it('with more rows or longer ones than there are bytes are refused', () => {
    for (const at of [0, 1, 6, 8]) refusal(withByte(at, 0xff))
  })

  it('that name a node twice cannot be sent', () => {
    const row = { member: 1, progress: null, backlog: null }
    expect(() => encodeBody({ type: 'reports', of: [row, row] })).toThrow(/do not ascend/)
  })
})
