/** What a node has received from each mate, as it is told. */
import { expect, it } from 'vitest'
import { ReceivedBytes } from '../../../../src/control/holdings/mate-bytes.js'

it('only what has grown is told, and all of it at the end', () => {
  const received = new ReceivedBytes()
  const of = (member: number, receivedBytes: number) => ({ member, receivedBytes })
  received.count([of(3, 30), of(1, 10), of(2, 0)])
  const all = [
    { member: 1, bytes: 10 },
    { member: 3, bytes: 30 },
  ]
  expect(received.news()).toEqual(all)
  expect(received.news()).toEqual([])
  received.count([of(3, 35)])
  expect(received.news()).toEqual([{ member: 3, bytes: 35 }])
  expect(received.news(true)).toEqual([all[0], { member: 3, bytes: 35 }])
})
