import { describe, expect, it } from 'vitest'
import { linearBytes } from '../../../../src/base/division.js'
import { MIB } from '../../../../src/base/limits.js'
import type { Announcement } from '../../../../src/control/messages/announcing.js'
import {
  chosen,
  type WantedPart,
  type Wants,
  wantedRanges,
  wantsIn,
} from '../../../../src/control/swarm/wants.js'

function wants(texts: readonly string[], more: Partial<Wants> = {}): Wants {
  const found = wantsIn(texts, more)
  if (typeof found === 'string') throw new Error(found)
  return found
}

function content(name: string, issuedAtMs: number, size = MIB): Announcement {
  return {
    ...{ id: name, kind: 'publish', name, contentId: name, digest: 'd', size, where: 'a' },
    ...{ allow: null, issuedAtMs, expiresAtMs: null, author: 'k', division: linearBytes(size) },
    initiator: { nodeId: 'n', address: 'n:1', site: '' },
  }
}

describe('what is wanted', () => {
  it('is told in words', () => {
    const parts: [string[], WantedPart][] = [
      [[], { type: 'all' }],
      [['*.mp4', 'all'], { type: 'all' }],
      [['none'], { type: 'none' }],
      [['first 10%'], { type: 'share', part: 0.1 }],
      [['first 64KiB'], { type: 'bytes', bytes: 65_536 }],
      [['tracks:0,2'], { type: 'tracks', tracks: [0, 2] }],
    ]
    for (const [texts, part] of parts) expect(wants(texts).part).toEqual(part)
  })

  it.each([[['first 10x']], [['first 200%']], [['tracks:a']], [['']], [['all', 'none']]])(
    'is not %s',
    (texts) => {
      expect(wantsIn(texts)).toEqual(expect.any(String))
    },
  )

  it('is a part of the bytes in order of delivery', () => {
    const index = {
      name: 'index',
      ranges: [[90, 10]] as [number, number][],
      bitRate: null,
      cuts: [],
    }
    const media = {
      ...index,
      name: 'media',
      ranges: [
        [0, 40],
        [50, 40],
      ] as [number, number][],
    }
    const division = { ...linearBytes(100), tracks: [index, media] }
    const ranges = (text: string) => wantedRanges(division, 100, wants([text]).part)
    expect(ranges('all')).toEqual([
      [90, 10],
      [0, 40],
      [50, 40],
    ])
    expect(ranges('first 55%')).toEqual([
      [90, 10],
      [0, 40],
      [50, 5],
    ])
    expect(ranges('first 5B')).toEqual([[90, 5]])
    expect(ranges('tracks:1,7')).toEqual([
      [0, 40],
      [50, 40],
    ])
    expect(ranges('none')).toEqual([])
  })

  it('are names of earlier patterns first, then what is newer, as far as there is room', () => {
    const all = [content('a/1', 1), content('a/2', 2), content('b/1', 3, 3 * MIB), content('c', 4)]
    const names = (texts: string[], more: Partial<Wants> = {}) =>
      chosen(all, wants(texts, more), 10).map(({ name }) => name)
    expect(names([])).toEqual(['c', 'b/1', 'a/2', 'a/1'])
    expect(names(['a/*', 'b/*'])).toEqual(['a/2', 'a/1', 'b/1'])
    expect(names(['a/*', 'b/*'], { bytes: 4 * MIB })).toEqual(['a/2', 'a/1'])
    expect(names(['b/*', 'a/*'], { bytes: 4 * MIB })).toEqual(['b/1', 'a/2'])
    expect(names(['first 50%'], { bytes: 2 * MIB })).toEqual(['c', 'b/1'])
    expect(names([], { ageMs: 8 })).toEqual(['c', 'b/1'])
    expect(names(['none'])).toEqual([])
  })
})
