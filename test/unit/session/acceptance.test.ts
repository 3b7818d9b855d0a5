/** The accept hook of a node: whatever it does, the offer is taken or refused by name, in time. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { FrError, startNode } from '../../../src/api/index.js'
import { type AcceptHook, askHook } from '../../../src/session/receiver/acceptance.js'

const offer = {
  transfer: '0'.repeat(32),
  name: 'data.bin',
  bytes: 10,
  dataBytes: 5,
  sender: '127.0.0.1:1',
}
const aMinute = 60_000
const never = new Promise<boolean>(() => {})

/** Null: taken. */
async function refusal(
  hook: (facts: typeof offer) => unknown,
  forMs = aMinute,
  signal = new AbortController().signal,
): Promise<FrError | null> {
  const asked = askHook(hook as AcceptHook, offer, forMs, signal)
  const error = await asked.then(
    () => null,
    (reason: unknown) => reason as FrError,
  )
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  if (error !== null) expect(error).toBeInstanceOf(FrError)
  return error
}

describe('the accept hook', () => {
  it('hears the facts of the offer', async () => {
    let heard: unknown
    await refusal((facts) => {
      heard = facts
      return true
    })
    expect(heard).toEqual(offer)
  })

  it.each([true, Promise.resolve(true)])('takes the offer: %o', async (answer) => {
    expect(await refusal(() => answer)).toBeNull()
  })

  it.each([false, Promise.resolve(false)])('refuses the offer: %o', async (answer) => {
    expect(await refusal(() => answer)).toMatchObject({ code: 'ERR_FR_REFUSED' })
  })

  it('refuses with the error that it throws, at once or later', async () => {
    const error = new FrError('ERR_FR_NAME', 'no such names here')
    const atOnce = () => {
      throw error
    }
    expect(await refusal(atOnce)).toBe(error)
    expect(await refusal(() => Promise.reject(error))).toBe(error)
  })

  it.each([new Error('secret'), 'secret', new FrError('ERR_NONE' as never, 'secret')])(
    'that fails with %s refuses without telling the sender why',
    async (cause) => {
      const error = await refusal(() => Promise.reject(cause))
      expect(error).toMatchObject({ code: 'ERR_FR_INTERNAL', cause })
      expect(error?.message).not.toContain('secret')
    },
  )

  it.each([undefined, 1, 'yes', null])('that answers %o has failed', async (answer) => {
    const error = await refusal(() => answer)
    expect(error).toMatchObject({ code: 'ERR_FR_INTERNAL', cause: expect.any(TypeError) })
  })

  it('that never answers has refused when its time is over', async () => {
    expect(await refusal(() => never, 20)).toMatchObject({ code: 'ERR_FR_TIMEOUT' })
  })

  it('that answers too late changes nothing', async () => {
    for (const settle of ['resolve', 'reject'] as const) {
      let answer = { resolve: (_: boolean) => {}, reject: (_: Error) => {} }
      const late = new Promise<boolean>((resolve, reject) => {
        answer = { resolve, reject }
      })
      expect(await refusal(() => late, 20)).toMatchObject({ code: 'ERR_FR_TIMEOUT' })
      if (settle === 'resolve') answer.resolve(true)
      else answer.reject(new Error('late'))
      await late.catch(() => {})
    }
  })

  it('is not waited for when the transfer is over', async () => {
    const over = new AbortController()
    const asked = refusal(() => never, aMinute, over.signal)
    over.abort()
    expect(await asked).toMatchObject({ code: 'ERR_FR_CLOSED' })
    const asksNobody = () => expect.unreachable()
    expect(await refusal(asksNobody, aMinute, over.signal)).toMatchObject({ code: 'ERR_FR_CLOSED' })
  })

  it.each([true, 'yes', {}, null])('must be a function, not %o', async (accept) => {
    const options = { listen: '127.0.0.1:0', dataDir: '/nonexistent', accept: accept as never }
    await expect(startNode(options)).rejects.toThrow(new TypeError('accept must be a function'))
  })
})
