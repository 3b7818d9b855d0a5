/** Words to members that cannot be said: nothing stays behind, and later ones are tried again. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { CommitCalls } from '../../../src/agent/commit-calls.js'
import { limits } from '../../../src/base/limits.js'

it('are given up where there is nothing to dial with, and said again later', async () => {
  let dials = 0
  const calls = new CommitCalls({
    dialler: () => {
      dials++
      throw new Error('no dialler')
    },
    answered: () => {
      throw new Error('nobody answers')
    },
  })
  const frame = { type: 'applied', id: 'ab'.repeat(16), members: [] } as const
  const word = { id: frame.id, by: 0, to: 1, frame }
  // More often than there are turns: each was given back.
  const often = 2 * limits.commitCalls
  for (let at = 1; at <= often; at++) {
    calls.say({ nodeId: '', address: '10.0.0.1:7400' }, word)
    await nextTurn()
    expect(dials).toBe(at)
  }
  calls.close()
})
