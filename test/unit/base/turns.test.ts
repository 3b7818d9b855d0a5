/** Only so much goes on at once. */
import { expect, it } from 'vitest'
import { Turns } from '../../../src/base/time/turns.js'

it('lets so many begin, and the others in order as turns end', async () => {
  const turns = new Turns(2)
  const begun: number[] = []
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  for (const one of [0, 1, 2, 3]) void turns.take().then(() => begun.push(one))
  await settle()
  expect([begun, turns.isFree]).toEqual([[0, 1], false])
  turns.done()
  await settle()
  expect(begun).toEqual([0, 1, 2])
  for (let i = 0; i < 3; i++) turns.done()
  await settle()
  expect([begun, turns.isFree]).toEqual([[0, 1, 2, 3], true])
})
