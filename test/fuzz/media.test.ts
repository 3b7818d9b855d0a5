/**
 * The analysis of payloads, with changed ones: whatever the bytes are, there is a division of them,
 * the same each time, for a bounded part of them read.
 */

import { expect } from 'vitest'
import { concat, u32, utf8 } from '../../src/base/bytes.js'
import { divisionFault } from '../../src/base/division.js'
import { limits } from '../../src/base/limits.js'
import type { RangePair } from '../../src/base/ranges.js'
import { Segmenting } from '../../src/media/segmenting.js'
import fc from '../support/property.js'
import { analysed } from '../unit/media/support.js'
import { fuzz } from './reading.js'

const big = (value: number): Uint8Array => u32(value).reverse()
const zeros = (bytes: number): Uint8Array => new Uint8Array(bytes)

function box(type: string, ...parts: Uint8Array[]): Uint8Array {
  const body = concat(...parts)
  return concat(big(8 + body.length), utf8(type), body)
}

const numbers = (...values: number[]): Uint8Array => concat(...values.map(big))

/** A video track of two chunks of three samples each, of which the first and the fifth are sync. */
function moov(first: number, isFragmented: boolean): Uint8Array {
  const samples = box(
    'stbl',
    box('stss', numbers(0, 2, 1, 5)),
    box('stsc', numbers(0, 1, 1, 3, 1)),
    box('stsz', numbers(0, 0, 6, 10, 20, 30, 40, 50, 60)),
    box('stco', numbers(0, 2, first, first + 100)),
  )
  const times = numbers(0, 0, 0, 1_000, 60_000)
  const handler = concat(numbers(0, 0), utf8('vide'))
  const media = box('mdia', box('mdhd', times), box('hdlr', handler), box('minf', samples))
  const track = box('trak', box('tkhd', numbers(0, 0, 0, 1, 0, 0)), media)
  const extended = isFragmented ? [box('mvex', box('trex', numbers(0, 1, 1, 0, 0, 0)))] : []
  return box('moov', box('mvhd', times), track, ...extended)
}

const mdat = box('mdat', zeros(300))
const fragment = (time: number): Uint8Array => {
  const head = box('tfhd', numbers(0x20, 1, 0x0100_0000))
  const run = box('trun', numbers(0x604, 1, 0x0200_0000, 300, 0))
  const traf = box('traf', head, box('tfdt', numbers(0, time)), run)
  return concat(box('moof', box('mfhd', numbers(0, 1)), traf), mdat)
}
const ftyp = box('ftyp', utf8('isom'), numbers(0))

function element(id: number[], ...parts: Uint8Array[]): Uint8Array {
  const body = concat(...parts)
  return concat(Uint8Array.from(id), Uint8Array.of(0x40 | (body.length >> 8), body.length), body)
}

const cluster = (time: number): Uint8Array =>
  element(
    [0x1f, 0x43, 0xb6, 0x75],
    element([0xe7], Uint8Array.of(time)),
    element([0xa3], Uint8Array.of(0x81, 0, 0, 0x80, 1, 2, 3)),
  )
const cues = element(
  [0x1c, 0x53, 0xbb, 0x6b],
  element(
    [0xbb],
    element([0xb7], element([0xf7], Uint8Array.of(1)), element([0xf1], Uint8Array.of(60))),
  ),
)
const matroska = concat(
  element([0x1a, 0x45, 0xdf, 0xa3], element([0x42, 0x82], utf8('webm'))),
  element(
    [0x18, 0x53, 0x80, 0x67],
    element([0x15, 0x49, 0xa9, 0x66], element([0x44, 0x89], zeros(8))),
    element(
      [0x16, 0x54, 0xae, 0x6b],
      element([0xae], element([0xd7], Uint8Array.of(1)), element([0x83], Uint8Array.of(1))),
    ),
    cluster(1),
    cluster(2),
    cues,
  ),
)

function packet(pid: number, ...body: number[]): Uint8Array {
  const bytes = new Uint8Array(188).fill(0xff)
  bytes.set([0x47, 0x40 | (pid >> 8), pid & 0xff, ...body])
  return bytes
}

const transport = concat(
  packet(0, 0x10, 0, 0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0x00, 0, 0, 0, 0),
  packet(0x100, 0x10, 0, 2, 0xb0, 18, 0, 1, 0xc1, 0, 0, 0xe1, 0x01, 0xf0, 0, 2, 0xe1, 1, 0xf0, 0),
  ...[1, 2, 3, 4, 5, 6].map((at) => packet(0x101, 0x30, 7, 0x50, 0, 0, at, 0, 0x7e, 0)),
)
const mp3Frame = concat(Uint8Array.of(0xff, 0xfb, 0x90, 0), zeros(413))
const sound = concat(...Array.from({ length: 6 }, () => mp3Frame))
const flac = concat(
  utf8('fLaC'),
  Uint8Array.of(0x80, 0, 0, 34, 0x10, 0, 0x10, 0, 0, 0, 14, 0, 0x10, 0),
  Uint8Array.of(0x0a, 0xc4, 0x42, 0xf0, 0, 0, 0xac, 0x44),
  zeros(200),
)
const wav = concat(
  ...[utf8('RIFF'), u32(200), utf8('WAVEfmt '), u32(16), Uint8Array.of(1, 0, 2, 0)],
  ...[u32(44_100), u32(176_400), Uint8Array.of(4, 0, 16, 0), utf8('data'), u32(160), zeros(160)],
)

/** Films with the index first and last, and in fragments; then one of each other format. */
const payloads = [
  concat(ftyp, moov(500, false), mdat),
  concat(ftyp, mdat, moov(40, false)),
  concat(ftyp, moov(500, true), fragment(0), fragment(2_000)),
  ...[matroska, transport, sound, flac, wav],
]

/** Bytes that the segments of such a payload cost, once they are found to be what they claim. */
function segmented(bytes: Uint8Array, size: number): number {
  const segmenting = new Segmenting()
  let readBytes = 0
  // It is shorter at first, and shorter than it claims.
  for (const there of [Math.floor(size / 3), size]) {
    const reader = segmenting.advance(there, there === size)
    let step = reader.next()
    while (!step.done) {
      const [offset, length]: RangePair = step.value
      expect(offset + length).toBeLessThanOrEqual(there)
      readBytes += length
      step = reader.next(bytes.slice(offset, offset + length))
    }
  }
  const { list, targetSeconds } = segmenting.segments
  let before = 0
  for (const { offset, length, seconds } of list) {
    expect(offset).toBeGreaterThanOrEqual(before)
    expect(length).toBeGreaterThan(0)
    expect(seconds).toBeGreaterThanOrEqual(0)
    expect(Math.round(seconds)).toBeLessThanOrEqual(targetSeconds)
    before = offset + length
  }
  expect(before).toBeLessThanOrEqual(size)
  return readBytes
}

// What becomes of them is read as the bytes themselves: any division will do if it is one.
fuzz({
  'payloads of any format': {
    form: 'binary',
    valid: fc.constantFrom(...payloads),
    read: (changed) => {
      const { division, readBytes } = analysed(changed)
      expect(divisionFault(division, changed.length)).toBeNull()
      expect(readBytes).toBeLessThanOrEqual(limits.analysisReadBytes)
      expect(analysed(changed).division).toEqual(division)
      // A payload that claims to be longer than it is.
      expect(divisionFault(analysed(changed, 2 ** 40).division, 2 ** 40)).toBeNull()
      return changed
    },
  },
  'segments of any payload': {
    form: 'binary',
    valid: fc.constantFrom(...payloads),
    read: (changed) => {
      for (const size of [changed.length, 2 ** 40])
        expect(segmented(changed, size)).toBeLessThanOrEqual(2 * limits.analysisReadBytes)
      return changed
    },
  },
})
