/** Bodies of the frames about the data directories of a node. */

import { limits } from '../../../src/base/limits.js'
import { diskStates } from '../../../src/control/messages/held.js'
import fc from '../../support/property.js'
import { bytes, text } from './support.js'

const load = fc.record({
  busyPpm: fc.nat({ max: 1e6 }),
  ...{ requestMicros: bytes, readBytesPerSecond: bytes, writtenBytesPerSecond: bytes },
})

const disk = fc.record({
  path: fc.string({ maxLength: 40 }),
  state: fc.constantFrom(...diskStates),
  problems: fc.array(text, { maxLength: limits.diskProblems }),
  ...{ sizeBytes: fc.option(bytes), freeBytes: bytes, heldFiles: bytes, heldBytes: bytes },
  ...{ partialBytes: bytes, waitingBytes: bytes },
  transfers: fc.nat({ max: limits.transfersPerNode }),
  ...{ load: fc.option(load), speedBytesPerSecond: fc.option(bytes) },
})

export const diskBodies = {
  disks: fc.constant({}),
  disksTold: fc.record({ disks: fc.array(disk, { maxLength: 3 }) }),
}
