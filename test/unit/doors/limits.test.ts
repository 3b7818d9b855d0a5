/** Bounds of doors that depend on each other. */
import { expect, it } from 'vitest'
import { doorLimits } from '../../../src/base/door-limits.js'
import { ftpLimits } from '../../../src/base/ftp-limits.js'

it.each([
  ['a target fits the headers', doorLimits.targetBytes < doorLimits.headerBytes],
  ['headers come before a connection is idle', doorLimits.headersMs < doorLimits.idleMs],
  ['a body comes before a connection is idle', doorLimits.jsonMs < doorLimits.idleMs],
  ['streams are heard before they are idle', 2 * doorLimits.eventBeatMs < doorLimits.idleMs],
  ['one stream may have its part', doorLimits.eventQueueBytes <= doorLimits.eventQueuesBytes],
  ['an answer has as many rows as any', doorLimits.rows <= doorLimits.rowsMax],
  ['events come as often as any', doorLimits.eventEveryMsMin <= doorLimits.eventEveryMs],
  ['pieces grow', doorLimits.paceBytes < doorLimits.paceBytesMax],
  ['a prompt reader is not idle', doorLimits.promptMs < doorLimits.idleMs],
  ['keys are known as long as what they began', doorLimits.endedMs <= doorLimits.idempotencyMs],
  ['a wrong password is answered in time to log in', ftpLimits.failureMs < ftpLimits.loginMs],
  [
    'guesses are counted over connections',
    ftpLimits.failuresPerConnection < ftpLimits.failuresPerAddress,
  ],
  ['a listing may see all its entries', ftpLimits.entries <= ftpLimits.names],
])('%s', (_, holds) => expect(holds).toBe(true))
