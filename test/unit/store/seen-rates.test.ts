/** How fast nodes were sent to: kept for those very nodes, for a while. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { seeingRate } from '../../../src/api/seen-rate.js'
import { limits } from '../../../src/base/limits.js'
import type { Progress } from '../../../src/control/view/push-view.js'
import { SeenRates } from '../../../src/store/seen-rates.js'
import { outcomeOf, resultOf } from '../session/played.js'

let cache = ''
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'fr-rates-'))
})
afterEach(() => rmSync(cache, { recursive: true }))

const ratesTo = (...nodes: string[]) => new SeenRates(nodes, { XDG_CACHE_HOME: cache })
const atMs = 1_800_000_000_000

it('are those of the last push to the same nodes, in any order', async () => {
  expect(await ratesTo('a:1', 'b:1').find(atMs)).toBeUndefined()
  await ratesTo('a:1', 'b:1').keep(5e6, atMs)
  await ratesTo('b:1', 'a:1').keep(7_000_000.5, atMs)
  expect(await ratesTo('a:1', 'b:1').find(atMs + limits.seenRateMs)).toBe(7_000_001)
  expect(await ratesTo('a:1', 'b:1').find(atMs + limits.seenRateMs + 1)).toBeUndefined()
  expect(await ratesTo('a:1').find(atMs)).toBeUndefined()
})

it('are nothing where what was kept is no rate, or there is no place', async () => {
  await ratesTo('a:1').keep(5e6, atMs)
  const directory = join(cache, 'fastreplica/rates')
  const [name] = readdirSync(directory) as [string]
  for (const wrong of ['', '7', '{"bytesPerSecond":-1,"atMs":1}', 'x'.repeat(1000)]) {
    writeFileSync(join(directory, name), wrong)
    expect(await ratesTo('a:1').find(atMs)).toBeUndefined()
  }
  rmSync(directory, { recursive: true })
  mkdirSync(cache, { recursive: true })
  writeFileSync(directory, '')
  await ratesTo('a:1').keep(5e6, atMs)
  expect(await ratesTo('a:1').find(atMs)).toBeUndefined()
})

it('are of the time in which a push sent, where it sent enough', async () => {
  const kept: number[] = []
  const rates = { keep: async (rate: number) => void kept.push(rate) }
  const audience = { plan() {}, progress() {}, node() {}, running() {} }
  const pushed = (steps: readonly (readonly [seconds: number, bytes: number])[]) =>
    seeingRate(rates, audience, async ({ progress }) => {
      for (const [seconds, originBytesSent] of steps)
        progress({ seconds, originBytesSent } as Progress)
      const [seconds, originBytesSent] = steps.at(-1) ?? [0, 0]
      return { ...resultOf([outcomeOf('a:1', null)]), seconds, originBytesSent }
    })
  const most = limits.seenRateBytes
  const sent = [most, 4 * most].map((bytes, at) => [1.5 * (at + 1), bytes] as const)
  // It compared for a second first.
  await pushed([[0.5, 0], [1, 0], ...sent])
  expect(kept).toEqual([2 * most])
  await pushed([[1, most - 1]])
  await pushed([[0.3, 2 * most]])
  expect(kept).toHaveLength(1)
})
