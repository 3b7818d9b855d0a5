/** What a target holds responsible for a copy that failed. */
import { expect, it } from 'vitest'
import { failureOf } from '../../../../src/agent/instructed/blames.js'

it.each([
  ['ERR_FR_NOT_HELD', false, 'absent', ['source']],
  ['ERR_FR_UNREACHABLE', false, 'ERR_FR_UNREACHABLE', ['source', 'links']],
  ['ERR_FR_NODE_LOST', false, 'ERR_FR_NODE_LOST', ['source', 'links']],
  ['ERR_FR_TIMEOUT', false, 'ERR_FR_TIMEOUT', ['source', 'links']],
  ['ERR_FR_BAD_BLOCK', false, 'ERR_FR_BAD_BLOCK', ['source']],
  ['ERR_FR_DIGEST', false, 'ERR_FR_DIGEST', ['source']],
  ['ERR_FR_IO', false, 'ERR_FR_IO', ['source']],
  ['ERR_FR_SPOILT', false, 'ERR_FR_SPOILT', ['links']],
  ['ERR_FR_NO_SPACE', true, 'ERR_FR_NO_SPACE', ['disk']],
  ['ERR_FR_IO', true, 'ERR_FR_IO', ['disk']],
  ['ERR_FR_BUSY', true, 'ERR_FR_BUSY', []],
  ['ERR_FR_REFUSED', true, 'ERR_FR_REFUSED', []],
] as const)('%s, here: %s', (code, isHere, cause, blames) => {
  expect(failureOf(code, isHere)).toEqual({ cause, blames })
})
