/** Which of several disks is chosen, what is known of their load, and who is asked for a name. */
import { describe, expect, it } from 'vitest'
import { FrError, type FrErrorCode } from '../../../src/base/errors.js'
import { GIB, limits, MIB } from '../../../src/base/limits.js'
import { atFirst } from '../../../src/store/disks/at-first.js'
import { restsFrom } from '../../../src/store/disks/blame.js'
import { chooseDisk, type DiskState } from '../../../src/store/disks/choice.js'
import { countersIn, countersPath, DiskLoad, loadBetween } from '../../../src/store/disks/load.js'

function disk(over: Partial<DiskState> = {}): DiskState {
  const idle = { waitingBytes: 0, speedBytesPerSecond: null, requestMs: null, restsFromBytes: null }
  return { roomBytes: 100 * GIB, heldBytes: 0, ...idle, ...over }
}

describe('a transfer that failed', () => {
  const failed = (code: FrErrorCode, hadSpace = false, wasOpen = false) =>
    restsFrom({ code, text: '', bytes: MIB, hadSpace, wasOpen })

  it('speaks against its disk, one that was too large only for files as large', () => {
    expect(failed('ERR_FR_NO_SPACE')).toBe(MIB)
    expect(failed('ERR_FR_NO_SPACE', true)).toBe(0)
    expect([failed('ERR_FR_IO'), failed('ERR_FR_DATA_DIR_GONE', true, true)]).toEqual([0, 0])
  })

  it('speaks against a disk that did not answer, and not for what comes late', () => {
    expect(failed('ERR_FR_TIMEOUT')).toBe(0)
    expect(failed('ERR_FR_TIMEOUT', true, true)).toBeNull()
    expect(failed('ERR_FR_CLOSED')).toBeNull()
  })
})

describe('the disk of a new name', () => {
  it('is the emptiest, where none has more to do than others', () => {
    const disks = [disk({ roomBytes: 50 * GIB }), disk(), disk({ roomBytes: 99 * GIB })]
    expect(chooseDisk(disks, MIB)).toBe(1)
    // Nearly equal: the one that holds least.
    const held = [disk({ heldBytes: 2 }), disk({ heldBytes: 1, roomBytes: 99 * GIB }), disk()]
    expect(chooseDisk(held, MIB)).toBe(2)
    expect(chooseDisk(held.slice(0, 2), MIB)).toBe(1)
  })

  it('is one that is done sooner, however empty others are', () => {
    const waitingBytes = 2 * limits.diskWaitSeconds * limits.diskBytesPerSecond
    const busy = disk({ waitingBytes })
    expect(chooseDisk([busy, disk({ roomBytes: GIB })], MIB)).toBe(1)
    const slow = disk({ requestMs: 2_000 * limits.diskWaitSeconds })
    expect(chooseDisk([slow, disk({ roomBytes: GIB })], MIB)).toBe(1)
    // The same queue is shorter at a faster one.
    const fast = disk({ waitingBytes, speedBytesPerSecond: 1e9 })
    const lame = disk({ waitingBytes, speedBytesPerSecond: 1e7, roomBytes: 200 * GIB })
    expect(chooseDisk([lame, fast], MIB)).toBe(1)
  })

  it('has room and has not failed lately, as far as there is one', () => {
    const full = disk({ roomBytes: MIB - 1 })
    expect(chooseDisk([full, disk({ roomBytes: MIB })], MIB)).toBe(1)
    const resting = disk({ restsFromBytes: MIB })
    expect(chooseDisk([resting, disk({ roomBytes: MIB })], MIB)).toBe(1)
    expect(chooseDisk([resting, disk({ roomBytes: MIB })], MIB - 1)).toBe(0)
    // One that rests is better than none that fits, and any is better than none.
    expect(chooseDisk([full, resting], MIB)).toBe(1)
    expect(chooseDisk([disk({ roomBytes: -5 }), disk({ roomBytes: 2 })], MIB)).toBe(1)
    expect(chooseDisk([disk({ roomBytes: -5 })], MIB)).toBe(0)
  })

  it('settles at shares like the speeds', () => {
    const speeds = [300 * MIB, 100 * MIB]
    const waiting = [0, 0]
    const given = [0, 0]
    for (let second = 0; second < 60; second++) {
      for (let file = 0; file < 40; file++) {
        const states = speeds.map((speedBytesPerSecond, at) =>
          disk({ speedBytesPerSecond, waitingBytes: waiting[at] ?? 0, heldBytes: given[at] ?? 0 }),
        )
        const at = chooseDisk(states, 10 * MIB)
        waiting[at] = (waiting[at] ?? 0) + 10 * MIB
        given[at] = (given[at] ?? 0) + 10 * MIB
      }
      for (const [at, speed] of speeds.entries())
        waiting[at] = Math.max(0, (waiting[at] ?? 0) - speed)
    }
    const [fast = 0, slow = 1] = given
    expect(fast / slow).toBeGreaterThan(2.5)
    expect(fast / slow).toBeLessThan(3.5)
  })
})

describe('the load of a device', () => {
  const text = '  10 0 80 5 20 0 160 50 0 40 55 0 0 0 0\n'

  it('is read from what the system counts', () => {
    const counters = { requests: 30, readBytes: 80 * 512, writtenBytes: 160 * 512 }
    expect(countersIn(text)).toEqual({ ...counters, busyMs: 40, requestsMs: 55 })
    for (const bad of ['', 'x', '1 2 3', text.replace('160', '?')])
      expect(countersIn(bad)).toBeNull()
    expect(countersPath(0x801n)).toBe('/sys/dev/block/8:1/stat')
    // Minor numbers of more than 8 bits lie above the major one.
    expect(countersPath(0x110305n)).toBe('/sys/dev/block/259:261/stat')
  })

  it('is what has changed in between', () => {
    const before = { requests: 0, readBytes: 0, writtenBytes: 0, busyMs: 0, requestsMs: 0 }
    const now = { requests: 10, readBytes: 500, writtenBytes: 1_000, busyMs: 250, requestsMs: 40 }
    expect(loadBetween(before, now, 500)).toEqual({
      ...{ busy: 0.5, requestMs: 4 },
      ...{ readBytesPerSecond: 1_000, writtenBytesPerSecond: 2_000 },
    })
    // Counters that began anew say nothing.
    expect(loadBetween(now, before, 500)).toMatchObject({ busy: 0, requestMs: 0 })
  })

  it('tells a speed only of seconds in which there was something to do', () => {
    const load = new DiskLoad('/nowhere')
    const idle = { requests: 0, readBytes: 0, writtenBytes: 0, busyMs: 0, requestsMs: 0 }
    load.took(idle, 0)
    load.took({ ...idle, writtenBytes: 10, busyMs: 1 }, 1_000)
    expect(load.speedBytesPerSecond).toBeNull()
    load.took({ ...idle, requests: 1, writtenBytes: 1_010, busyMs: 501, requestsMs: 501 }, 2_000)
    expect(load.speedBytesPerSecond).toBe(2_000)
    expect(load.now?.busy).toBe(0.5)
    load.took(null, 3_000)
    expect(load.now).toBeNull()
    expect(load.speedBytesPerSecond).toBe(2_000)
  })

  it('is not known where there is no such directory', async () => {
    const load = new DiskLoad('/nowhere')
    await load.start()
    load.stop()
    expect(load.now).toBeNull()
  })
})

describe('who has a name', () => {
  it('is the first who does not say that it has not', async () => {
    const asked: number[] = []
    const ask = async (at: number): Promise<string> => {
      asked.push(at)
      if (at === 1) throw new FrError('ERR_FR_NOT_HELD', 'one')
      if (at === 2) throw new FrError('ERR_FR_NOT_HELD', 'two')
      if (at === 3) throw new FrError('ERR_FR_IO')
      return `at ${at}`
    }
    expect(await atFirst([1, 4, 3], ask)).toBe('at 4')
    expect(asked).toEqual([1, 4])
    await expect(atFirst([1, 2], ask)).rejects.toMatchObject({ message: /one/ })
    await expect(atFirst([1, 3, 4], ask)).rejects.toMatchObject({ code: 'ERR_FR_IO' })
    await expect(atFirst([], ask)).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
  })
})
