/** A request with a key is carried out once; keys are forgotten, and there is a bound of them. */
import type { IncomingMessage } from 'node:http'
import { beforeEach, describe, expect, it } from 'vitest'
import { doorLimits } from '../../../src/base/door-limits.js'
import { Rights } from '../../../src/base/rights.js'
import { Idempotency } from '../../../src/doors/control/idempotency.js'
import { whoMay } from '../../../src/doors/tokens.js'

const somebody = whoMay(Rights.everything, 'somebody')
const other = whoMay(Rights.everything, 'other')
let nowMs = 0
let runs = 0
let idempotency: Idempotency
beforeEach(() => {
  nowMs = 0
  runs = 0
  idempotency = new Idempotency(() => nowMs)
})

const withKey = (key: string | undefined): IncomingMessage =>
  ({ method: 'POST', url: '/x', headers: { 'idempotency-key': key } }) as unknown as IncomingMessage
const run = async () => ({ status: 201, body: ++runs })
const ask = (key: string | undefined, { who = somebody, body = {} as unknown, work = run } = {}) =>
  idempotency.once(withKey(key), who, body, work)

describe('idempotency keys', () => {
  it('carry a request out once, and answer alike', async () => {
    const [first, second] = await Promise.all([ask('a'), ask('a')])
    expect(first).toEqual({ status: 201, body: 1 })
    expect(second).toEqual({ ...first, headers: { 'idempotent-replayed': 'true' } })
    expect((await ask('b')).body).toBe(2)
    expect((await ask('a', { who: other })).body).toBe(3)
    expect((await ask(undefined)).body).toBe(4)
  })

  it('are of one request', async () => {
    await ask('a')
    await expect(ask('a', { body: { more: 1 } })).rejects.toMatchObject({ status: 422 })
    for (const key of ['', 'a b', 'é', 'a'.repeat(256)])
      await expect(ask(key)).rejects.toMatchObject({ status: 400 })
  })

  it('are free again where the request has failed, and after an hour', async () => {
    const work = () => Promise.reject(new Error('no'))
    await expect(ask('a', { work })).rejects.toThrow('no')
    expect((await ask('a')).body).toBe(1)
    nowMs = doorLimits.idempotencyMs
    expect((await ask('a')).body).toBe(1)
    nowMs++
    expect((await ask('a')).body).toBe(2)
  })

  it('are bounded: the oldest goes, but for those that are waited for', async () => {
    let settle = (_: { status: number; body: number }): void => {}
    const work = () =>
      new Promise<{ status: number; body: number }>((resolve) => {
        settle = resolve
      })
    const waiting = ask('waiting', { work })
    for (let n = 0; n < doorLimits.idempotencyKeys + 10; n++) await ask(`k${n}`)
    expect(idempotency.count).toBe(doorLimits.idempotencyKeys)
    settle({ status: 201, body: 0 })
    expect((await waiting).body).toBe(0)
    expect((await ask('waiting')).body).toBe(0)
    runs = 0
    expect((await ask('k0')).body).toBe(1)
  })
})
