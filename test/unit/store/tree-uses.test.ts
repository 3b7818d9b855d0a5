import { expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { TreeUses } from '../../../src/store/trees/uses.js'

it('a version is used for a while after each part, and by copies until they end', () => {
  let nowMs = 5
  const uses = new TreeUses(() => nowMs)
  const [one, two] = [Buffer.from('1'), Buffer.from('2')]
  uses.note(one)
  nowMs += limits.treeUseMs - 1
  expect([one, two].map((of) => uses.isUsed(of))).toEqual([true, false])
  uses.note(one)
  nowMs += limits.treeUseMs - 1
  expect(uses.isUsed(one)).toBe(true)
  nowMs++
  expect(uses.isUsed(one)).toBe(false)
  const giveBack = [uses.hold(two), uses.hold(two)]
  nowMs += 2 * limits.treeUseMs
  for (const back of giveBack) {
    expect(uses.isUsed(two)).toBe(true)
    back()
  }
  expect(uses.isUsed(two)).toBe(false)
})
