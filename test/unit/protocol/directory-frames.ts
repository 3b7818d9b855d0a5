/** Bodies of the frames of a directory. */

import { limits } from '../../../src/base/limits.js'
import fc from '../../support/property.js'
import { hex } from './parts.js'
import { code, text } from './support.js'

const address = fc.constantFrom('10.0.0.2:7400', '[::]:7400', 'node-a.lan:7400')
const number = fc.nat({ max: 2 ** 53 - 1 })
const site = fc.constantFrom('', 'ams', 'a b')
const peer = { nodeId: hex(32), address }
const bits = fc.array(hex(8), { maxLength: 4 }).map((words) => words.join(''))
const entries = fc.subarray(['region=eu', 'gpu=', 'note=a=b "c"'])
const ids = fc.array(hex(32), { maxLength: 4 })
const nodes = fc.array(fc.record({ ...peer, name: site }), { maxLength: 3 })
const criteria = fc.constantFrom('gpu', 'region=eu && !(tier=edge || ram>=64)')
const judged = fc.oneof(fc.record({ code: fc.constant(null), text }), fc.record({ code, text }))

const attributes = fc.constantFrom({}, { region: 'eu', gpu: '' })
const steps = fc.option(fc.nat({ max: limits.treeDepth }))

export const directoryBodies = {
  enroll: fc.record({
    ...{ address, site, below: number, dictionary: hex(32) },
    bits: fc.nat({ max: limits.dictionaryBits }),
    depth: steps,
  }),
  passDown: fc.record(peer),
  lineage: fc.record({
    ...{ path: ids, grandparent: fc.option(address), deputy: fc.option(address) },
    room: fc.option(
      fc.record({ depth: fc.nat({ max: limits.treeDepth }), address: fc.option(address) }),
    ),
  }),
  mayEnroll: fc.record({ request: number, nodeId: hex(32) }),
  enrollJudged: fc.tuple(number, judged).map(([request, answer]) => ({ request, ...answer })),
  rollUp: fc.record({
    ...{ dictionary: hex(32), some: bits, every: bits, isWhole: fc.boolean() },
    count: fc.integer({ min: 1, max: 2 ** 53 - 1 }),
    room: steps,
  }),
  define: fc.record({ entries }),
  dictionary: fc.record({
    ...{ id: hex(32), at: fc.nat({ max: limits.dictionaryBits }), entries },
    ...{ isLast: fc.boolean(), isFull: fc.boolean() },
  }),
  kin: fc.record({ mates: fc.array(fc.record(peer), { maxLength: 3 }) }),
  find: fc.record({ query: number, criteria, forMs: fc.nat({ max: limits.findMs }) }),
  found: fc.record({
    ...{ query: number, nodes, asked: number },
    ...{ isLast: fc.boolean(), isWhole: fc.boolean() },
  }),
  mate: fc.record({ address, site }),
  spread: fc.record({ id: hex(32), record: fc.constantFrom('AAAA', 'a-_b') }),
  known: fc.record({ ids }),
  askKnown: fc.record({}),
  wanted: fc.record({ ids }),
  given: fc.record({}),
  where: fc.record({ criteria }),
  whereFound: fc.record({ nodes }),
  describe: fc.record({ set: attributes, unset: fc.subarray(['region', 'gpu']) }),
  described: fc.record({ attributes }),
  whereTold: fc.record({ count: number, asked: number, isWhole: fc.boolean() }),
}
