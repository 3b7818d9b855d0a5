/** Bodies of the frames about versions and file sets, made of the parts of others. */

import { limits } from '../../../src/base/limits.js'
import { heldStates, type SetEntry, versionKinds } from '../../../src/control/messages/held.js'
import fc from '../../support/property.js'
import { fileDigest, hex } from './parts.js'

export function versionBodies(nameText: fc.Arbitrary<Pick<SetEntry, 'name' | 'nameIsBase64'>>) {
  const digest = `blake3:${'ab'.repeat(32)}`
  const after = fc.string({ maxLength: 40 })
  const time = fc.nat({ max: 2 ** 40 })
  const described = fc.record({
    kind: fc.constantFrom(...versionKinds),
    ...{ back: fc.nat({ max: limits.versionsPerName }), state: fc.constantFrom(...heldStates) },
    ...{ contentId: hex(32), author: hex(64), size: time, publishedAtMs: time },
    fileDigest: fc.oneof(fileDigest, fc.constant(`tree:${'ab'.repeat(32)}`)),
    keptAtMs: fc.option(time),
  })
  const named = <T extends object>(rest: fc.Arbitrary<T>) =>
    fc.tuple(nameText, rest).map(([name, body]) => ({ ...name, ...body }))
  const version = described.map((one) => ({ ...one, diskBytes: Math.floor(one.size / 2) }))
  const entry = named(fc.record({ versions: fc.array(version, { maxLength: 3 }) }))
  const some = fc.uniqueArray(fc.nat({ max: limits.setPageFiles - 1 }), { maxLength: 5 })
  return {
    versions: fc.record({ glob: fc.option(nameText), after }),
    versionsListed: fc.record({
      nowMs: time,
      entries: fc.array(entry, { maxLength: 5 }),
      next: fc.option(after),
    }),
    rollback: named(fc.record({ version: fc.constantFrom('-1', '-64', 'abc123') })),
    rolledBack: fc.record({ fileDigest, bytes: time, before: fc.option(fileDigest) }),
    lacks: fc.record({
      entries: fc.array(named(fc.record({ size: time, fileDigest })), { maxLength: 5 }),
    }),
    lacking: fc.record({
      entries: some.map((all) =>
        all.sort((a, b) => a - b).map((index) => ({ index, has: index % 2 ? null : digest })),
      ),
    }),
  }
}
