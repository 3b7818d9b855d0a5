/** Bodies of the frames about decisions, made of the parts of others. */

import { limits } from '../../../src/base/limits.js'
import type {
  Ballot,
  CommitFrame,
  CommitMode,
  Decree,
  Verdict,
} from '../../../src/control/messages/commit.js'
import type { NameText } from '../../../src/control/messages/copying.js'
import fc from '../../support/property.js'
import { fileDigest, hex } from './parts.js'
import { code, text } from './support.js'

type Words = 'commit' | 'abort'

export function commitBodies(nameText: fc.Arbitrary<NameText>) {
  const number = fc.nat({ max: limits.commitMembers - 1 })
  const address = fc.constantFrom('10.0.0.2:7400', '[::1]:7400', 'node-a.lan:7400')
  const nodeId = fc.oneof(hex(32), fc.constant(''))
  const members = fc.uniqueArray(fc.record({ nodeId, address }), {
    ...{ minLength: 1, maxLength: 4, selector: (member) => member.nodeId },
  })
  const mode = fc.constantFrom<CommitMode>('all', 'quorum')
  const decree: fc.Arbitrary<Decree> = fc
    .tuple(nameText, fc.record({ id: hex(32), mode, fileDigest, members }))
    .map(([name, rest]) => ({ ...name, ...rest }))
  const round = fc.nat({ max: 2 ** 40 })
  const ballot: fc.Arbitrary<Ballot> = fc.record({ round, by: fc.nat({ max: 0xffff_ffff }) })
  const verdict: fc.Arbitrary<Verdict> = fc.oneof(
    fc.constant({ type: 'abort' } as const),
    fc.integer({ min: 1, max: 2 ** 40 }).map((order) => ({ type: 'commit', order }) as const),
  )
  const some = fc.uniqueArray(number, { maxLength: 5 }).map((all) => all.sort((a, b) => a - b))
  const frame: fc.Arbitrary<CommitFrame> = fc.oneof(
    fc.record({ type: fc.constant('ballot' as const), decree, ballot }),
    fc.record({
      ...{ type: fc.constant('promised' as const), id: hex(32), ballot },
      ...{ prepared: fc.option(round), accepted: fc.option(fc.record({ ballot, verdict })) },
    }),
    fc.record({ type: fc.constant('propose' as const), decree, ballot, verdict }),
    fc.record({ type: fc.constant('accepted' as const), id: hex(32), ballot }),
    fc.record({ type: fc.constant('outbid' as const), id: hex(32), promised: ballot }),
    fc.record({
      ...{ type: fc.constant('decided' as const), decree, verdict },
      applied: fc.constantFrom<number[]>([], [0]),
    }),
    fc.record({ type: fc.constant('applied' as const), id: hex(32), members: some }),
  )
  const word = fc.constantFrom<Words>('commit', 'abort')
  return {
    prepare: fc.record({ decree, isNew: fc.boolean() }),
    consult: fc.record({
      ...{ id: hex(32), by: fc.nat({ max: 0xffff_ffff }), to: number },
      frame: fc.option(frame),
    }),
    voted: fc.record({ frame: fc.option(frame), never: fc.option(fc.record({ code, text })) }),
    force: fc.tuple(nameText, word).map(([name, verdict]) => ({ ...name, verdict })),
    forced: fc.record({ fileDigest, verdict: word }),
  }
}
