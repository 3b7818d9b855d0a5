/** Frames about decisions that are refused. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import type { Decree } from '../../../src/control/messages/commit.js'
import type { Frame } from '../../../src/control/messages/types.js'
import { decodeBody, encodeBody } from '../../../src/protocol/frames.js'
import { refusal } from './support.js'

const member = (number: number) => ({
  nodeId: number.toString(16).padStart(32, '0'),
  address: `10.0.${number >> 8}.${number & 255}:7400`,
})
const decree: Decree = {
  ...{ id: 'ab'.repeat(16), name: 'model', nameIsBase64: false, mode: 'all' },
  ...{ fileDigest: `blake3:${'ab'.repeat(32)}`, members: [member(1), member(2)] },
}
const ballot = { round: 1, by: 1 }

describe('frames about decisions', () => {
  const decode = (frame: object): Frame => {
    const { type, bytes } = encodeBody(frame as Frame)
    return decodeBody(type, bytes)
  }
  const prepare = (change: object): object => {
    return { type: 'prepare', decree: { ...decree, ...change }, isNew: true }
  }
  const consult = (frame: object): object => {
    return { type: 'consult', id: decree.id, by: 0, to: 1, frame }
  }

  it('name members once each, and no more than a commit has', () => {
    const many = Array.from({ length: limits.commitMembers + 1 }, (_, at) => member(at))
    const most = prepare({ members: many.slice(1) })
    expect(decode(most)).toEqual(most)
    for (const members of [[], many, [member(1), member(1)], [{ ...member(1), nodeId: 'ab' }]])
      refusal(() => decode(prepare({ members })))
    const unmet = prepare({
      members: [
        { ...member(1), nodeId: '' },
        { ...member(2), nodeId: '' },
      ],
    })
    expect(decode(unmet)).toEqual(unmet)
  })

  it.each([
    { id: 'ab' },
    { mode: 'most' },
    { fileDigest: 'blake3:' },
    { members: [{ ...member(1), address: 'nowhere' }] },
  ])('are of a decree within bounds: not %j', (bad) => {
    refusal(() => decode(prepare(bad)))
  })

  it.each<object>([
    { type: 'promise', decree, ballot },
    { type: 'ballot', decree, ballot: { round: -1, by: 0 } },
    { type: 'ballot', decree, ballot: { round: 0.5, by: 0 } },
    { type: 'propose', decree, ballot, verdict: { type: 'commit', order: 0 } },
    { type: 'propose', decree, ballot, verdict: { type: 'commit' } },
    { type: 'decided', decree, verdict: { type: 'abort' }, applied: [1, 0] },
    { type: 'decided', decree, verdict: { type: 'abort' }, applied: [2] },
    { type: 'applied', id: decree.id, members: [limits.commitMembers] },
  ])('say nothing else: not %j', (bad) => {
    refusal(() => decode(consult(bad)))
  })
})
