/** What the analysis of payloads does at its bounds, and with those that no encoder makes. */
import { expect, it } from 'vitest'
import { concat, u32, utf8 } from '../../../src/base/bytes.js'
import { blockFiles, divisionFault, type Track } from '../../../src/base/division.js'
import { limits } from '../../../src/base/limits.js'
import { analysis } from '../../../src/media/analysis.js'
import { divisionOf } from './support.js'

const big = (value: number): Uint8Array => u32(value).reverse()
const numbers = (...values: number[]): Uint8Array => concat(...values.map(big))

function box(type: string, ...parts: Uint8Array[]): Uint8Array {
  const body = concat(...parts)
  return concat(big(8 + body.length), utf8(type), body)
}

/** A header of an MP4 file of one video track, in fragments, and a fragment of so many bytes. */
const times = numbers(0, 0, 0, 1_000, 0)
const track = box(
  'trak',
  box('tkhd', numbers(0, 0, 0, 1, 0, 0)),
  box('mdia', box('mdhd', times), box('hdlr', numbers(0, 0), utf8('vide'))),
)
const head = concat(
  box('ftyp', utf8('isom'), numbers(0)),
  box('moov', box('mvhd', times), track, box('mvex', box('trex', numbers(0, 1, 1, 0, 0, 0)))),
)
const fragmentHead = (at: number, mdatBytes: number): Uint8Array =>
  concat(
    box('moof', box('traf', box('tfhd', numbers(0, 1)), box('tfdt', numbers(0, at * 1_000)))),
    numbers(mdatBytes),
    utf8('mdat'),
  )

it('reads a bounded part of a file of endless fragments, and keeps what it has found', () => {
  const [fragmentBytes, count] = [100_000, 40_000]
  const size = head.length + fragmentBytes * count
  const moof = fragmentHead(0, 0).length - 8
  /** The bytes of a range of that file, which is never made. */
  const bytesOf = (offset: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length)
    const put = (at: number, part: Uint8Array): void => {
      const from = Math.max(offset, at)
      const to = Math.min(offset + length, at + part.length)
      if (from < to) bytes.set(part.subarray(from - at, to - at), from - offset)
    }
    put(0, head)
    const first = Math.max(0, Math.floor((offset - head.length) / fragmentBytes))
    for (let at = first; head.length + at * fragmentBytes < offset + length; at++)
      put(head.length + at * fragmentBytes, fragmentHead(at, fragmentBytes - moof))
    return bytes
  }
  const reader = analysis(size)
  let [readBytes, reads] = [0, 0]
  let step = reader.next()
  for (; !step.done; reads++) {
    const [offset, length] = step.value
    readBytes += length
    step = reader.next(bytesOf(offset, length))
  }
  const division = step.value
  expect(division).toMatchObject({ format: 'fragmented-mp4', blockBytes: 200_000 })
  expect(reads).toBeLessThanOrEqual(limits.analysisReads)
  expect(readBytes).toBeLessThanOrEqual(limits.analysisReadBytes)
  const [all] = division.tracks as [Track]
  expect(all.bitRate).toBe(fragmentBytes * 8)
  expect(all.cuts.length).toBe(limits.trackCuts)
  expect(all.cuts.every((cut) => (cut - head.length) % fragmentBytes === 0)).toBe(true)
  expect([...blockFiles(all, division.blockBytes)].slice(1, 3)).toEqual([
    [head.length + 200_000, 200_000],
    [head.length + 400_000, 200_000],
  ])
  expect(divisionFault(division, size)).toBeNull()
})

it('has bytes alone for a table that claims to be larger than its file', () => {
  const samples = box('stbl', box('stss', numbers(0, 0xffff_ffff)), box('stco', numbers(0, 1, 0)))
  const media = box('mdia', box('mdhd', times), box('hdlr', numbers(0, 0), utf8('vide')))
  const film = concat(
    box('ftyp', utf8('isom'), numbers(0)),
    box('moov', box('mvhd', times), box('trak', box('tkhd', numbers(0, 0, 0, 1, 0, 0)), media)),
    box('mdat', new Uint8Array(1_000)),
  )
  expect(divisionOf(film)).toMatchObject({ format: 'mp4', isLinear: true })
  const broken = concat(film.slice(0, 24), box('moov', box('mvhd', times), box('trak', samples)))
  expect(divisionOf(broken)).toMatchObject({ format: 'bytes' })
})

it('takes a film whose media are scattered over more pieces than a division has for bytes', () => {
  const piece = concat(box('mdat', new Uint8Array(8)), box('free'))
  const pieces = Array.from({ length: limits.trackRanges }, () => piece)
  const film = concat(
    box('ftyp', utf8('isom'), numbers(0)),
    ...pieces,
    box('moov', box('mvhd', times)),
  )
  expect(divisionOf(film)).toMatchObject({ format: 'bytes', isLinear: true })
})
