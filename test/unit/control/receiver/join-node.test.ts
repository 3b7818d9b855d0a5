/** A mate that joins later, as the machine of a node has it. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { NodeMachine } from '../../../../src/control/receiver/machine.js'

const config = {
  bytes: 100,
  blockBytes: 50,
  digestBytes: 2,
  self: 1,
  silenceMs: limits.silenceMs,
}

describe('a node whose push somebody joins', () => {
  const mateOf = (index: number) => ({ index, nodeId: `id${index}`, address: `n${index}:1` })
  const plan = (relays: boolean): Frame => ({
    type: 'plan',
    strategy: 'adaptive',
    shape: 'group',
    mates: [mateOf(0), mateOf(1)],
    relays,
    progressMs: 250,
    reportMs: 25,
  })
  const receiving = (relays: boolean) => {
    const machine = new NodeMachine(config, 0)
    machine.handle({ type: 'prepared' }, 0)
    machine.handle({ type: 'frameArrived', frame: plan(relays) }, 0)
    return machine
  }
  const meets = (machine: NodeMachine, index: number) =>
    machine
      .handle({ type: 'frameArrived', frame: { type: 'mate', mate: mateOf(index) } }, 0)
      .filter((command) => command.type === 'dialMate' || command.type === 'end')

  it.each([
    [true, [{ type: 'dialMate', mate: mateOf(2) }]],
    [false, []],
  ])('dials it when it relays (%s)', (relays, wished) => {
    expect(meets(receiving(relays), 2)).toEqual(wished)
  })

  it.each([0, 1])('knows mate %i already: that ends the transfer', (index) => {
    expect(meets(receiving(true), index)).toMatchObject([
      { type: 'end', failure: { code: 'ERR_FR_PROTOCOL' } },
    ])
  })

  it('ends the transfer for a mate before the plan', () => {
    const machine = new NodeMachine(config, 0)
    machine.handle({ type: 'prepared' }, 0)
    expect(meets(machine, 2)).toMatchObject([{ failure: { code: 'ERR_FR_PROTOCOL' } }])
  })
})
