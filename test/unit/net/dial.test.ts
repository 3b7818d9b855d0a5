/** What becomes of a connection that the engine does not take. */
import { once } from 'node:events'
import { afterEach, expect, it } from 'vitest'
import { FrError } from '../../../src/base/errors.js'
import { adopt } from '../../../src/net/dial.js'
import type { DataEngine } from '../../../src/ports.js'
import { cleanUp, dataChannel, keep, pair } from './handshake-support.js'

afterEach(cleanUp)

const engine = {
  adopt: () => {
    throw new FrError('ERR_FR_LIMIT', 'no descriptors')
  },
} as unknown as DataEngine

it.each(['in', 'out'] as const)('%s: it is closed, not kept by nobody', async (direction) => {
  const [dialled, accepted] = await pair(dataChannel)
  const socket = keep(accepted.detach()).resume()
  const ended = once(socket, 'close')
  const spec = { transfer: 1, direction }
  expect(() => adopt(engine, dialled, spec)).toThrow(
    expect.objectContaining({ code: 'ERR_FR_LIMIT' }),
  )
  await ended
})
