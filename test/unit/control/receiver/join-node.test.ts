/** Plans that change while bytes flow, as the machine of a node has them. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { originNumber, type PlanFrame } from '../../../../src/control/messages/types.js'
import { NodeMachine } from '../../../../src/control/receiver/machine.js'
import { originId, planOf } from '../plans.js'

const { silenceMs } = limits
const config = { bytes: 100, blockBytes: 50, digestBytes: 2, originId, silenceMs }

function receiving(over: Partial<PlanFrame> = {}) {
  const machine = new NodeMachine(config, 0)
  const told = (plan: PlanFrame) =>
    machine
      .handle({ type: 'said', member: originNumber, frame: plan }, 0)
      .filter(({ type }) => !['sample'].includes(type))
  machine.handle({ type: 'prepared' }, 0)
  told(planOf(1, [0, 1], over))
  return { machine, told }
}

describe('a node whose push somebody joins', () => {
  it('dials it when it relays', () => {
    const { told } = receiving()
    const wished = [{ type: 'route' }, { type: 'feed', member: 2 }]
    expect(told(planOf(1, [0, 1, 2], { epoch: 2 }))).toEqual(wished)
  })

  it('does not dial it when it does not', () => {
    const { told } = receiving({ routes: [] })
    expect(told(planOf(1, [0, 1, 2], { epoch: 2, routes: [] }))).toEqual([])
  })
})

describe('a node that is sent', () => {
  it('a stale plan says which one it follows, and goes on', () => {
    const { machine, told } = receiving({ epoch: 7 })
    const { term, epoch } = machine.neighbours.plan as PlanFrame
    expect(told(planOf(1, [1], { epoch: 7 }))).toEqual([
      { type: 'say', member: originNumber, frame: { type: 'stale', term, epoch } },
    ])
    expect(machine.phase).toBe('receiving')
    expect(told(planOf(1, [1], { epoch: 8 }))).toEqual([
      { type: 'route' },
      { type: 'hangUp', member: 0 },
    ])
  })

  it('a plan that contradicts the last ends its transfer', () => {
    const { told } = receiving()
    expect(told(planOf(0, [0, 1], { epoch: 2 }))).toMatchObject([
      { type: 'say', member: originNumber, frame: { type: 'failed', code: 'ERR_FR_PROTOCOL' } },
      { type: 'end', failure: { code: 'ERR_FR_PROTOCOL' } },
    ])
  })

  it('a plan that runs before it has accepted ends its transfer', () => {
    const machine = new NodeMachine(config, 0)
    const early = machine.handle({ type: 'said', member: originNumber, frame: planOf(1, [1]) }, 0)
    expect(early).toMatchObject([
      { type: 'say', member: originNumber, frame: { type: 'refuse', code: 'ERR_FR_PROTOCOL' } },
      { type: 'end', failure: { code: 'ERR_FR_PROTOCOL' } },
    ])
  })
})
