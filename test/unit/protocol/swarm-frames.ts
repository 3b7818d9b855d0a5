/** Bodies of questions between nodes that pull a content, and of their answers. */

import { limits } from '../../../src/base/limits.js'
import fc from '../../support/property.js'
import { hex } from './parts.js'

const count = fc.nat({ max: 2 ** 40 })
const unit = fc.nat({ max: limits.swarmUnits - 1 })
const address = fc.constantFrom('10.0.0.2:7400', '[::1]:7400', 'node-a.lan:7400')
const runs = fc.constantFrom<[number, number][]>(
  [],
  [[0, 3]],
  [
    [1, 1],
    [3, limits.swarmUnits - 3],
  ],
)

export const swarmBodies = {
  swarm: fc.record({
    ...{ contentId: hex(32), name: fc.constantFrom('a', 'films/é.mp4'), address },
    ...{ have: runs, coming: runs, wants: fc.array(unit, { maxLength: 5 }) },
    most: fc.nat({ max: limits.swarmUnits }),
    ...{ isStuck: fc.boolean(), others: fc.nat({ max: limits.swarmOthers }) },
  }),
  swarmed: fc.record({
    ...{ have: runs, coming: runs, grants: fc.array(unit, { maxLength: limits.swarmGrants }) },
    others: fc.array(
      fc.record({ nodeId: hex(32), address, site: fc.string({ maxLength: 9 }), have: runs }),
      {
        maxLength: 3,
      },
    ),
    ...{ open: fc.nat({ max: limits.swarmUnits }), serviceMs: count },
    againMs: fc.nat({ max: limits.swarmAgainMsCrowded }),
  }),
}
