/** What is set aside of free bytes for transfers that have begun. */
import { describe, expect, it } from 'vitest'
import { type Room, reservedOf, reservedOfAll } from '../../../src/store/disks/room.js'

const room = (device: bigint | undefined, freeBytes: number, openBytes = 0): Room => {
  return { device, freeBytes, openBytes }
}

describe('what is set aside', () => {
  it('on one disk is what its transfers will write, and what stays free', () => {
    const one = room(1n, 100, 30)
    expect(reservedOf(one, { rooms: [one], stripedBytes: 0, minFreeBytes: 10 })).toBe(40)
  })

  it('counts transfers in other directories of the device, and on no other device', () => {
    const [a, b, c] = [room(1n, 100, 30), room(1n, 100, 20), room(2n, 100, 50)]
    const all = { rooms: [a, b, c], stripedBytes: 0, minFreeBytes: 10 }
    expect([a, b, c].map((one) => reservedOf(one, all))).toEqual([60, 60, 60])
    const unknown = [room(undefined, 100, 1), room(undefined, 100, 2)]
    const apart = { rooms: unknown, stripedBytes: 0, minFreeBytes: 10 }
    expect(unknown.map((one) => reservedOf(one, apart))).toEqual([11, 12])
  })

  it('for a whole file is what striped ones cannot have elsewhere', () => {
    const [a, b] = [room(1n, 100, 0), room(2n, 100, 40)]
    const reserved = (stripedBytes: number) =>
      [a, b].map((one) => reservedOf(one, { rooms: [a, b], stripedBytes, minFreeBytes: 10 }))
    // Elsewhere there is room for 50, and for 90.
    expect(reserved(50)).toEqual([10, 50])
    expect(reserved(70)).toEqual([30, 50])
    expect(reserved(120)).toEqual([80, 80])
  })

  it('for a striped file is what all others will write', () => {
    const rooms = [room(1n, 100, 20), room(1n, 100, 5), room(2n, 100, 40)]
    expect(reservedOfAll({ rooms, stripedBytes: 30, minFreeBytes: 10 })).toBe(105)
    // A disk that is full has nothing that could be set aside.
    const full = [room(1n, 5, 70), room(2n, 100, 40)]
    expect(reservedOfAll({ rooms: full, stripedBytes: 0, minFreeBytes: 10 })).toBe(50)
  })
})
