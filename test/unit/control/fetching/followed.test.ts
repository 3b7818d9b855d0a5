import { describe, expect, it } from 'vitest'
import { GIB, KIB, limits } from '../../../../src/base/limits.js'
import { Followed, type FollowWish } from '../../../../src/control/fetching/followed.js'

const block = 64 * KIB
const never = Number.MAX_SAFE_INTEGER

/** Stands for the digest of the bytes up to `end`; `by` tells of which bytes. */
function digestOf(end: number, by = 1): Uint8Array {
  const digest = new Uint8Array(32).fill(by)
  new DataView(digest.buffer).setFloat64(0, end)
  return digest
}

function digestsOf(offset: number, length: number, by = 1, blockBytes = block): Uint8Array {
  const parts: number[] = []
  for (let at = offset; at < offset + length; at += blockBytes)
    parts.push(...digestOf(Math.min(at + blockBytes, offset + length), by))
  return Uint8Array.from(parts)
}

const record = (offset: number, length: number, isFinal = false) => ({
  ...{ offset, length, isFinal },
  digests: digestsOf(offset, length),
})

/** What was wished since the last look, without how much may come. */
function wished(followed: Followed): FollowWish[] {
  return followed.takeWishes().flatMap((wish): FollowWish[] => {
    if (wish.type === 'grow') return wish.isFinal ? [wish] : []
    return wish.type === 'verified' ? [] : [wish]
  })
}

function land(followed: Followed, offset: number, length: number, by = 1) {
  return followed.computed(offset, length, digestsOf(offset, length, by))
}

describe('a reader of what is still written', () => {
  it('asks for what there is, and counts what is verified without a gap', () => {
    const followed = new Followed(0, never, 0)
    followed.more(2 * block, false)
    expect(wished(followed)).toEqual([
      { type: 'pull', range: [0, 2 * block] },
      { type: 'needDigests', range: [0, 2 * block] },
    ])
    expect(followed.announce(record(0, 2 * block))).toBeNull()
    expect(land(followed, block, block)).toBeNull()
    expect(followed.prefix).toBe(0)
    expect(land(followed, 0, block)).toBeNull()
    expect(followed.prefix).toBe(2 * block)
    expect([followed.isDone, followed.isOwed]).toEqual([false, false])
  })

  it('believes the beginning of a block that was cut, one cut after the other', () => {
    const followed = new Followed(0, never, 0)
    followed.more(100, false)
    expect(wished(followed)).toEqual([
      { type: 'pull', range: [0, 100] },
      { type: 'needDigests', range: [0, 100] },
    ])
    // The newest is ahead of what is there.
    followed.announce(record(0, 150))
    expect(wished(followed)).toEqual([{ type: 'cut', offset: 0, length: 150 }])
    followed.more(140, false)
    expect(wished(followed)).toEqual([{ type: 'pull', range: [100, 40] }])
    expect(followed.prefix).toBe(0)
    followed.more(160, false)
    expect(wished(followed)).toEqual([{ type: 'pull', range: [140, 20] }])
    land(followed, 0, 150)
    expect(followed.prefix).toBe(150)
    expect(wished(followed)).toEqual([{ type: 'needDigests', range: [0, 160] }])
    expect(followed.isOwed).toBe(true)
  })

  it('goes over from a cut to the whole block, whichever of them is hashed', () => {
    const followed = new Followed(0, never, 0)
    followed.more(100, false)
    followed.announce(record(0, 100))
    followed.more(block + 5, false)
    wished(followed)
    // The block was whole before its beginning was looked at.
    land(followed, 0, block)
    expect(followed.prefix).toBe(0)
    followed.announce(record(0, block))
    expect(followed.prefix).toBe(block)
    expect(wished(followed)).toEqual([{ type: 'needDigests', range: [block, 5] }])
  })

  it('ends where a record says that the content does, and not before that is here', () => {
    const followed = new Followed(0, never, 0)
    followed.more(block + 5, true)
    wished(followed)
    followed.announce(record(0, block))
    land(followed, 0, block)
    expect(wished(followed)).toEqual([{ type: 'needDigests', range: [block, 5] }])
    followed.announce(record(block, 5, true))
    expect(wished(followed)).toEqual([{ type: 'grow', bytes: block + 5, isFinal: true }])
    expect([followed.isDone, followed.end]).toEqual([false, block + 5])
    land(followed, block, 5)
    expect(followed.isDone).toBe(true)
  })

  it('waits for that record where it has all, and ends with it', () => {
    const followed = new Followed(0, never, 0)
    followed.more(5, true)
    followed.announce(record(0, 5))
    land(followed, 0, 5)
    expect([followed.prefix, followed.isDone, followed.isOwed]).toEqual([5, false, true])
    followed.announce(record(0, 5, true))
    expect([followed.isDone, followed.isOwed]).toEqual([true, false])
  })

  it('ends with nothing where nothing was written', () => {
    const followed = new Followed(0, never, 0)
    followed.more(0, true)
    expect(followed.isOwed).toBe(true)
    followed.announce({ offset: 0, length: 0, digests: new Uint8Array(), isFinal: true })
    expect(followed.isDone).toBe(true)
  })

  it('refuses wrong bytes, another end, and one before what it has', () => {
    const wrong = new Followed(0, never, 0)
    wrong.more(block, false)
    wrong.announce(record(0, block))
    expect(land(wrong, 0, block, 2)).toMatchObject({ code: 'ERR_FR_BAD_BLOCK' })
    expect(wrong.prefix).toBe(0)
    const ended = new Followed(0, never, 0)
    ended.more(block, false)
    expect(ended.announce(record(0, block, true))).toBeNull()
    for (const [offset, length, isFinal] of [
      [0, 2 * block, false],
      [0, 9, true],
    ] as const)
      expect(ended.announce(record(offset, length, isFinal))).toMatchObject({
        code: 'ERR_FR_PROTOCOL',
      })
    const before = new Followed(2 * block, never, 0)
    expect(before.announce(record(0, block, true))).toMatchObject({ code: 'ERR_FR_PROTOCOL' })
  })

  it('goes on in the middle of a block that another holder has brought', () => {
    const followed = new Followed(block + 7, never, 0)
    followed.more(block + 7, false)
    expect(wished(followed)).toEqual([])
    followed.more(2 * block, false)
    expect(wished(followed)).toEqual([
      { type: 'pull', range: [block + 7, block - 7] },
      { type: 'needDigests', range: [block, block] },
    ])
    followed.announce(record(block, block))
    land(followed, block, block)
    expect(followed.prefix).toBe(2 * block)
  })

  it('asks for no more ahead than it may, of its own prefix and of its reader', () => {
    const followed = new Followed(0, 20 * block, 0)
    followed.more(limits.growingSpanBytes, false)
    const asked = () =>
      wished(followed).reduce((sum, wish) => sum + (wish.type === 'pull' ? wish.range[1] : 0), 0)
    expect(asked()).toBe(20 * block)
    // What lies beyond is not kept: it is asked for in its turn.
    followed.announce(record(20 * block, 50 * block))
    followed.announce(record(0, 20 * block))
    land(followed, 0, 20 * block)
    expect([followed.prefix, followed.isOwed, asked()]).toEqual([20 * block, false, 0])
    followed.delivered(20 * block)
    expect([followed.isOwed, asked()]).toEqual([true, 20 * block])
    const free = new Followed(0, never, 0)
    free.more(GIB, false)
    const most = free.takeWishes().flatMap((wish) => (wish.type === 'pull' ? [wish.range[1]] : []))
    expect(most.reduce((sum, bytes) => sum + bytes, 0)).toBe(limits.followAheadBytes)
    expect(Math.max(...most)).toBe(limits.pullUnitBytesMax)
  })

  it('has larger blocks in later sections', () => {
    const start = 4 * GIB
    const followed = new Followed(start, never, 0)
    followed.more(start + 3 * block, false)
    expect(wished(followed)).toEqual([
      { type: 'pull', range: [start, 3 * block] },
      { type: 'needDigests', range: [start, 2 * block] },
      { type: 'needDigests', range: [start + 2 * block, block] },
    ])
    const digests = digestsOf(start, 2 * block, 1, 2 * block)
    followed.announce({ offset: start, length: 2 * block, digests, isFinal: false })
    followed.computed(start, 2 * block, digests)
    expect(followed.prefix).toBe(start + 2 * block)
  })
})
