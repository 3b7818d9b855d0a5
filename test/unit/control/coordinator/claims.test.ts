/** The name a push writes: claimed at every node before bytes flow, or at none. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { Bench as OriginBench, outcomes } from './origin-support.js'

const busy: Frame = { type: 'refuse', code: 'ERR_FR_BUSY', text: 'transfer t from h:1' }

class Bench extends OriginBench {
  offered(...nodes: number[]): void {
    for (const node of nodes) this.feed({ type: 'linked', member: node, nodeId: `id${node}` })
  }

  accepted(node: number): OriginWish[] {
    return [
      ...this.from(node, { type: 'accept', have: [] }),
      ...this.feed({ type: 'fedOut', member: node }),
    ]
  }

  after(ms: number): OriginWish[] {
    this.nowMs += ms
    return this.feed({ type: 'due' })
  }
}

const planned = (commands: OriginWish[]) =>
  commands.flatMap((c) => (c.type === 'announcePlan' ? [c.plan.nodes] : []))
const aborted = (commands: OriginWish[]) =>
  commands.flatMap((c) => (c.type === 'say' && c.frame.type === 'abort' ? [c.member] : []))
const end = (commands: OriginWish[]) => commands.find((c) => c.type === 'end')

describe('the claims of a push', () => {
  it('come before the plan, also from nodes that are slow to accept', () => {
    const bench = new Bench(2)
    bench.offered(0, 1)
    expect(planned(bench.accepted(0))).toEqual([])
    expect(planned(bench.after(limits.readyMs))).toEqual([])
    expect(planned(bench.from(1, { type: 'claimed' }))).toEqual([[0]])
  })

  it('of a node that says nothing are waited for until its time to answer is over', () => {
    const bench = new Bench(2)
    bench.offered(0, 1)
    bench.accepted(0)
    bench.after(limits.readyMs)
    // Not at once again and again.
    expect(bench.machine.deadlineMs()).toBeGreaterThan(bench.nowMs)
    expect(planned(bench.after(limits.acceptMs - limits.readyMs))).toEqual([[0]])
  })

  it('said again leave a node its time to answer, for an hour at most', () => {
    const bench = new Bench(1)
    bench.offered(0)
    for (let ms = 0; ms < limits.claimWaitMs; ms += limits.acceptMs - 1) {
      expect(aborted(bench.from(0, { type: 'claimed' }))).toEqual([])
      expect(aborted(bench.after(limits.acceptMs - 1))).toEqual([])
    }
    expect(aborted(bench.from(0, { type: 'claimed' }))).toEqual([])
    expect(aborted(bench.after(limits.acceptMs))).toEqual([0])
  })

  it('come before the answer', () => {
    const bench = new Bench(2)
    bench.offered(0, 1)
    bench.accepted(0)
    const text = 'ERR_FR_PROTOCOL: a late claim'
    expect(outcomes(bench.from(0, { type: 'claimed' }))).toEqual([['n0:1', 'failed', text]])
  })

  it('are given up everywhere when one node has the name for another push', () => {
    const bench = new Bench(4)
    bench.offered(0, 1, 2)
    bench.accepted(0)
    bench.from(1, { type: 'claimed' })
    const commands = bench.from(2, busy)
    const text = 'ERR_FR_BUSY: transfer t from h:1'
    expect(outcomes(commands)).toEqual([0, 1, 2, 3].map((i) => [`n${i}:1`, 'refused', text]))
    expect(aborted(commands)).toEqual([0, 1, 2])
    expect(end(commands)).toEqual({ type: 'end', failure: null })
  })

  it('are given up by a node that was to be tried again, and leave other outcomes alone', () => {
    const bench = new Bench(3)
    bench.offered(0, 1, 2)
    const full = { type: 'refuse', code: 'ERR_FR_EXISTS', text: 'there' } as const
    expect(outcomes(bench.from(0, full))).toEqual([['n0:1', 'refused', 'ERR_FR_EXISTS: there']])
    bench.feed({ type: 'unlinked', member: 1, code: 'ERR_FR_NODE_LOST', text: 'reset' })
    const commands = bench.from(2, busy)
    expect(outcomes(commands).map(([node]) => node)).toEqual(['n1:1', 'n2:1'])
    expect(end(commands)).toEqual({ type: 'end', failure: null })
  })

  it('end a push that waits without any outcome, for its caller to try it again', () => {
    const bench = new Bench(3, { wait: true })
    bench.offered(0, 1)
    bench.accepted(0)
    const commands = bench.from(1, busy)
    expect(outcomes(commands)).toEqual([])
    expect(aborted(commands)).toEqual([0, 1])
    const failure = { code: 'ERR_FR_BUSY', text: 'transfer t from h:1' }
    expect(end(commands)).toEqual({ type: 'end', failure })
  })

  it.each([false, true])('of a node that comes after the plan are its own matter (%s)', (wait) => {
    const bench = new Bench(2, { wait, retries: 0 })
    bench.offered(0)
    bench.accepted(0)
    expect(planned(bench.after(limits.readyMs))).toEqual([[0]])
    bench.offered(1)
    const commands = bench.from(1, busy)
    const text = 'ERR_FR_BUSY: transfer t from h:1; this push was under way at other nodes already'
    expect(outcomes(commands)).toEqual([['n1:1', 'refused', text]])
    expect(aborted(commands)).toEqual([1])
    expect(end(commands)).toBeUndefined()
  })
})
