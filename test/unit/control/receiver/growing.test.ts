/** What a node says and wishes for while a content grows. */
import { describe, expect, it } from 'vitest'
import { KIB, limits } from '../../../../src/base/limits.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import type { NodeFact, NodeWish } from '../../../../src/control/receiver/events.js'
import { NodeMachine } from '../../../../src/control/receiver/machine.js'
import { originId } from '../plans.js'
import { frame, landed, plan } from './node-support.js'

const block = 64 * KIB
const one = (value: number): Uint8Array => new Uint8Array(2).fill(value)
const record = (offset: number, length: number, isFinal = false): NodeFact => {
  const digests = new Uint8Array(2 * Math.ceil(length / block)).fill(9)
  return { type: 'digests', offset, length, digests, isFinal }
}
const of = <T extends NodeWish['type']>(wishes: readonly NodeWish[], type: T) =>
  wishes.filter((wish): wish is NodeWish & { type: T } => wish.type === type)
const said = (wishes: readonly NodeWish[], type: Frame['type']): Frame[] =>
  of(wishes, 'say').flatMap(({ frame: one }) => (one.type === type ? one : []))

function running() {
  const config = { bytes: 0, blockBytes: 'sections', digestBytes: 2, originId } as const
  const machine = new NodeMachine({ ...config, silenceMs: 9_000 }, 0)
  const feed = (...facts: NodeFact[]): NodeWish[] =>
    facts.flatMap((fact) => machine.handle(fact, 0))
  feed({ type: 'claimed' }, { type: 'prepared' }, frame(plan))
  return { machine, feed }
}

describe('a node of a content that grows', () => {
  it('lets come what it is told, and forgets what all have', () => {
    const { feed } = running()
    const grown = feed(frame({ type: 'grown', bytes: 5_000 }))
    expect(of(grown, 'grow')).toEqual([{ type: 'grow', bytes: 5_000, isFinal: false }])
    expect(of(feed(frame({ type: 'grown', bytes: 4_000 })), 'grow')).toEqual([])
    const floored = feed(frame({ type: 'floor', bytes: block }))
    expect(of(floored, 'forget')).toEqual([{ type: 'forget', before: block }])
  })

  it('has the beginning of a block looked at, and says how far it is', () => {
    const { machine, feed } = running()
    const cut = feed(record(0, 100))
    expect(of(cut, 'cut')).toEqual([{ type: 'cut', offset: 0, length: 100 }])
    const there = feed({ ...(landed(0, 100) as NodeFact & { type: 'landed' }), digests: one(9) })
    expect(of(there, 'reach')).toEqual([{ type: 'reach', bytes: 100, isFinal: false }])
    expect(said(there, 'reached')).toEqual([{ type: 'reached', bytes: 100 }])
    // Not at once again.
    const more = feed(record(0, 200), {
      ...(landed(0, 200) as NodeFact & { type: 'landed' }),
      digests: one(9),
    })
    expect(of(more, 'reach')).toMatchObject([{ bytes: 200 }])
    expect(said(more, 'reached')).toEqual([])
    expect(machine.deadlineMs()).toBe(limits.reachedMs)
    const later = machine.handle({ type: 'due' }, limits.reachedMs)
    expect(said(later, 'reached')).toEqual([{ type: 'reached', bytes: 200 }])
    expect(machine.held.verifiedBytes).toBe(200)
  })

  it('ends where the author says, which nothing changes any more', () => {
    const { machine, feed } = running()
    const ended = feed(record(0, block + 7, true))
    expect(of(ended, 'grow')).toEqual([{ type: 'grow', bytes: block + 7, isFinal: true }])
    const there = feed({
      ...(landed(0, block + 7) as NodeFact & { type: 'landed' }),
      digests: new Uint8Array(4).fill(9),
    })
    expect(of(there, 'reach')).toMatchObject([{ bytes: block + 7, isFinal: true }])
    expect(of(there, 'sum')).toEqual([])
    const sealed = feed(frame({ type: 'seal', stream: 0, fileDigest: 'digest' }))
    expect(of(sealed, 'sum')).toHaveLength(1)
    expect(machine.phase).toBe('summing')
    const { feed: other } = running()
    other(record(0, 50, true))
    const [failed] = said(other(record(0, 60, true)), 'failed')
    expect(failed).toMatchObject({ code: 'ERR_FR_PROTOCOL' })
  })

  it('takes over from nobody, and keeps what it has', () => {
    const { machine, feed } = running()
    const unlinked = { type: 'unlinked', member: 0xffff_ffff } as const
    feed({ ...unlinked, code: 'ERR_FR_NODE_LOST', text: 'reset' })
    expect(machine.phase).toBe('orphaned')
    const late = machine.handle({ type: 'due' }, 60_000)
    expect(of(late, 'takeOver')).toEqual([])
    expect(of(late, 'end')).toMatchObject([
      { failure: { code: 'ERR_FR_ORIGIN_LOST' }, keepPartial: true },
    ])
  })
})
