/** To whom a node reports, and when. */
import { expect, it } from 'vitest'
import { originNumber } from '../../../../src/control/messages/types.js'
import { planOf } from '../plans.js'
import { Bench, frame, sent } from './node-support.js'

it('is heard at once by whom the plan names anew to report to', () => {
  const bench = new Bench().receiving(planOf(1, [0, 1, 2], { reportTo: 0 }))
  bench.feed({ type: 'linked', member: 0, nodeId: 'id0' })
  bench.pass(1_000)
  bench.nowMs += 1
  expect(sent(bench.handle(frame({ type: 'beat' })))).toEqual([])
  const next = planOf(1, [0, 1, 2], { epoch: 2, reportTo: originNumber })
  expect(sent(bench.handle(frame(next))).map(({ type }) => type)).toContain('progress')
})
