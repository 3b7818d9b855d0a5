/** What a node keeps of announcements, and what it forgets. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { History } from '../../../../src/control/directory/history.js'
import { announcementOf, hex, startMs } from './announcements.js'

const nowMs = startMs + 1_000

describe('a history', () => {
  it('knows a record once', () => {
    const history = new History()
    const one = announcementOf()
    expect(history.add(one, nowMs)).toEqual({ taken: 'new', dropped: [] })
    expect(history.add(one, nowMs).taken).toBe('known')
    expect([...history.published(nowMs)]).toEqual([one.announcement])
    expect([history.count, history.bytes]).toEqual([1, 100])
  })

  it('has the newest word of an author on a content, in any order', () => {
    const words = [
      announcementOf(),
      announcementOf({ kind: 'unpublish', issuedAtMs: startMs + 1 }),
      announcementOf({ issuedAtMs: startMs + 2 }),
      announcementOf({ kind: 'unpublish', issuedAtMs: startMs + 2 }),
    ]
    const [first, , , last] = words as [(typeof words)[0], unknown, unknown, (typeof words)[0]]
    for (const order of [words, [...words].reverse()]) {
      const history = new History()
      for (const word of order) history.add(word, nowMs)
      expect([...history.ids]).toEqual([last.announcement.id])
      expect([...history.published(nowMs)]).toEqual([])
      // Replayed, it changes nothing.
      expect(history.add(first, nowMs).taken).toBe('superseded')
    }
    const history = new History()
    history.add(last, nowMs)
    for (const other of [{ name: 'b' }, { contentId: hex('b') }, { author: hex('b', 64) }])
      expect(history.add(announcementOf(other), nowMs).taken).toBe('new')
  })

  it('takes nothing that has expired, is too old, or from the future', () => {
    const history = new History()
    const at = (issuedAtMs: number) => announcementOf({ issuedAtMs })
    const expired = announcementOf({ expiresAtMs: nowMs })
    expect(history.add(expired, nowMs).taken).toBe('late')
    expect(history.add(at(nowMs - limits.announcementAgeMs), nowMs).taken).toBe('late')
    expect(history.add(at(nowMs + limits.announcementAheadMs + 1), nowMs).taken).toBe('early')
    expect(history.add(at(nowMs + limits.announcementAheadMs), nowMs).taken).toBe('new')
  })

  it('forgets what expires, and says when that is', () => {
    const history = new History()
    const short = announcementOf({ expiresAtMs: nowMs + 5_000 })
    history.add(short, nowMs)
    history.add(announcementOf({ name: 'b' }), nowMs)
    expect(history.expiresMs).toBe(nowMs + 5_000)
    expect(history.expire(nowMs + 4_999)).toEqual([])
    expect([...history.published(nowMs + 5_000)].map(({ name }) => name)).toEqual(['b'])
    expect(history.expire(nowMs + 5_000)).toEqual([short])
    expect(history.count).toBe(1)
  })

  it('forgets the oldest of the author that has the most, beyond its bounds', () => {
    const history = new History()
    const loud = hex('loud', 64)
    const quiet = announcementOf({ name: 'quiet' })
    history.add(quiet, nowMs)
    const add = (i: number, bytes: number) =>
      history.add(announcementOf({ author: loud, name: `n${i}` }, bytes), nowMs)
    for (let i = 0; i < limits.historyPerAuthor; i++) expect(add(i, 1).dropped).toEqual([])
    expect(add(5_000, 1).dropped.map((one) => one.announcement.name)).toEqual(['n0'])
    const { dropped } = add(5_001, limits.historyBytes - 600)
    expect(dropped.length).toBeGreaterThan(400)
    expect(history.bytes).toBeLessThanOrEqual(limits.historyBytes)
    expect(history.get(quiet.announcement.id)).toBe(quiet)
  })
})
