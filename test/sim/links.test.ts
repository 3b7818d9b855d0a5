/** Uplinks of simulated machines: every chunk that leaves arrives, once. */
import { expect, it } from 'vitest'
import { type Sender, Uplink } from '../../src/sim/links.js'
import { Timeline } from '../../src/sim/timeline.js'

it('sends a chunk to its end before the next of the same sender, also once that goes first', () => {
  const timeline = new Timeline()
  const uplink = new Uplink(timeline, 1)
  const left: string[] = []
  let chunks = 2
  const sender: Sender & { isFirst: boolean } = {
    isFirst: false,
    isWaiting: false,
    begin: () => {
      if (chunks === 0) return 0
      left.push(`begin ${chunks--}`)
      return 10
    },
    finish: () => void left.push('finish'),
  }
  uplink.wake(sender)
  sender.isFirst = true
  uplink.wake(sender)
  while (timeline.step()) {}
  expect(left).toEqual(['begin 2', 'finish', 'begin 1', 'finish'])
  expect(timeline.nowMs).toBe(20)
})
