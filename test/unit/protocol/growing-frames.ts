/** Bodies of the frames about contents that still grow. */

import { limits } from '../../../src/base/limits.js'
import fc from '../../support/property.js'

const bytes = fc.nat({ max: limits.growingSpanBytes })

export const growingBodies = {
  grown: fc.record({ bytes }),
  floor: fc.record({ bytes }),
  reached: fc.record({ bytes }),
  more: fc.record({ bytes, isFinal: fc.boolean() }),
}
