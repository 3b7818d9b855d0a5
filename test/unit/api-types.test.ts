/** The types of the library, as callers use them: they compile, or the check of types fails. */
import { once } from 'node:events'
import { expect, it } from 'vitest'
import {
  type NodeOutcome,
  type NodeProgress,
  type Plan,
  type Progress,
  type PushResult,
  push,
  type Transfer,
} from '../../src/api/index.js'

/** Compiled, not run. */
async function caller(path: string, to: string[]): Promise<PushResult> {
  await using transfer: Transfer = push(path, { to })
  transfer.on('plan', (plan: Plan) => void plan.groups)
  transfer.once('node', (outcome: NodeOutcome) => void outcome.retryable)
  transfer.on(
    'progress',
    ({ share, nodes }) => void [share, nodes satisfies readonly NodeProgress[]],
  )
  // @ts-expect-error There is no such event.
  transfer.on('complete', () => {})
  for await (const progress of transfer) void (progress satisfies Progress).share
  const [result] = (await once(transfer, 'result')) as [PushResult]
  return result
}

it('what callers write compiles', () => expect(caller).toBeInstanceOf(Function))

it('a transfer is an emitter that can be awaited by events.once and disposed of', async () => {
  await using transfer = push('/nonexistent/file', { to: ['127.0.0.1:1'], engine: 'portable' })
  transfer.result.catch(() => {})
  const seen = once(transfer, 'progress')
  transfer.emit('progress', { share: 0.5 } as Progress)
  expect(await seen).toEqual([{ share: 0.5 }])
  await expect(transfer.result).rejects.toMatchObject({ code: 'ERR_FR_SOURCE' })
})
