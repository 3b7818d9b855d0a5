/** Bodies of what a client that publishes says to a node, and of its answers. */

import { base64urlOf } from '../../../src/base/bytes.js'
import type { NameText } from '../../../src/control/messages/copying.js'
import fc from '../../support/property.js'
import { fileDigest, hex } from './parts.js'
import { bytes } from './support.js'

export function publishingBodies(nameText: fc.Arbitrary<NameText>) {
  const only = fc.constantFrom('region=eu', 'a && !b', 'ram>=64')
  const initiator = fc.record({
    nodeId: hex(32),
    address: fc.constantFrom('10.0.0.2:7400', '[::1]:7400'),
    site: fc.stringMatching(/^[a-z]{0,8}$/),
  })
  const content = { contentId: hex(32), fileDigest, size: bytes }
  const published = fc.record({
    ...{ ...content, only, author: hex(64), initiator, issuedAtMs: bytes },
  })
  const record = fc.uint8Array({ maxLength: 200 }).map((some) => base64urlOf(some))
  const announced = fc.record({ withdraws: fc.boolean(), record })
  return {
    publishing: nameText,
    publishable: fc.record({
      initiator,
      held: fc.option(fc.record({ ...content, only: fc.option(only) })),
      published: fc.array(published, { maxLength: 3 }),
    }),
    announce: fc.tuple(nameText, announced).map(([name, body]) => ({ ...name, ...body })),
    announced: fc.record({ id: hex(32) }),
  }
}
