/** Bodies of questions to a master, and of its answers. */

import { masterSubjects } from '../../../src/control/messages/asking-master.js'
import fc from '../../support/property.js'
import { hex } from './parts.js'

const text = fc.string({ maxLength: 40 })
const flag = fc.boolean()
const count = fc.nat({ max: 2 ** 20 })

export const askingMasterBodies = {
  askMaster: fc.record({
    ...{ about: fc.constantFrom(...masterSubjects), node: fc.option(text), name: fc.option(text) },
    at: count,
  }),
  masterRows: fc.record({
    rows: fc.array(text, { maxLength: 3 }),
    next: fc.option(count.map((one) => one + 1)),
  }),
  giveSets: fc.record({
    ...{ upload: hex(32), at: count, json: text, isLast: flag, isPruned: flag, isDry: flag },
  }),
  setsGiven: fc.record({ at: count, isKept: flag }),
  drain: fc.record({ node: text, isDrained: flag }),
  drained: fc.record({ copies: count, isKept: flag }),
}
