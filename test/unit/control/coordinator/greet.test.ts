/** Nodes hear of each other before the plan, so that their feeds are there when it is made. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { OriginCommand, OriginEvent } from '../../../../src/control/coordinator/events.js'
import { OriginMachine } from '../../../../src/control/coordinator/machine.js'
import { ClassicDealer } from '../../../../src/control/dealing/classic.js'
import type { Dealer } from '../../../../src/control/dealing/dealer.js'
import { UnicastDealer } from '../../../../src/control/dealing/unicast.js'
import type { Frame } from '../../../../src/control/messages/types.js'

const blockBytes = 65_536
const bytes = 3 * blockBytes

function originOf(nodes: number, dealer: Dealer = new ClassicDealer(bytes, blockBytes)) {
  const { connectMs, progressMs, silenceMs } = limits
  const links = Array.from({ length: nodes }, (_, i) => ({ address: `n${i}:1` }))
  const config = {
    bytes,
    blockBytes,
    digestBytes: 8,
    nodes: links,
    connectMs,
    progressMs,
    silenceMs,
  }
  const machine = new OriginMachine(config, dealer, 0)
  return (nowMs: number, ...events: OriginEvent[]): OriginCommand[] =>
    events.flatMap((event) => machine.handle(event, nowMs))
}

const opened = (node: number): OriginEvent => ({ type: 'linkOpened', node, nodeId: `id${node}` })
const ready = (node: number): OriginEvent[] => [
  { type: 'frameArrived', node, frame: { type: 'accept' } },
  { type: 'feedOpened', node },
]
const frames = (commands: OriginCommand[], node: number, type: Frame['type']): Frame[] =>
  commands.flatMap((command) =>
    command.type === 'send' && command.node === node && command.frame.type === type
      ? [command.frame]
      : [],
  )
const mateOf = (index: number) => ({ index, nodeId: `id${index}`, address: `n${index}:1` })
const group = (...places: number[]): Frame => ({ type: 'group', mates: places.map(mateOf) })

describe('the origin introduces', () => {
  it('everybody once everybody is known, before the plan, and once', () => {
    const tell = originOf(3)
    expect(frames(tell(0, opened(0), opened(2)), 0, 'group')).toEqual([])
    const commands = tell(0, opened(1))
    for (const node of [0, 1, 2]) expect(frames(commands, node, 'group')).toEqual([group(0, 1, 2)])
    const later = tell(0, ...ready(0), ...ready(1), ...ready(2))
    expect(frames(later, 0, 'plan')).toMatchObject([{ mates: [0, 1, 2].map(mateOf) }])
    for (const node of [0, 1, 2]) expect(frames(later, node, 'group')).toEqual([])
  })

  it('those who are left, at the places that they keep in the plan', () => {
    const tell = originOf(3)
    tell(0, opened(0), opened(2))
    const text = 'refused'
    const out = tell(0, { type: 'linkClosed', node: 1, code: 'ERR_FR_UNREACHABLE', text })
    expect(frames(out, 2, 'group')).toEqual([group(0, 2)])
    const later = tell(0, ...ready(0), ...ready(2))
    expect(frames(later, 2, 'plan')).toMatchObject([{ mates: [mateOf(0), mateOf(2)] }])
  })

  it('nobody while somebody is waited for: the plan does', () => {
    const tell = originOf(3)
    tell(0, opened(0), ...ready(0), opened(2), ...ready(2))
    const planned = tell(limits.readyMs, { type: 'ticked' })
    expect(frames(planned, 0, 'plan')).toMatchObject([{ mates: [mateOf(0), mateOf(2)] }])
    const later = tell(limits.readyMs, opened(1))
    for (const node of [0, 1, 2]) expect(frames([...planned, ...later], node, 'group')).toEqual([])
  })

  it('nobody who is alone, and nobody where mates are not needed', () => {
    expect(frames(originOf(1)(0, opened(0)), 0, 'group')).toEqual([])
    const direct = originOf(2, new UnicastDealer('adaptive', bytes))
    expect(frames(direct(0, opened(0), opened(1)), 0, 'group')).toEqual([])
  })
})
