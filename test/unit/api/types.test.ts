/** The types of the library, as callers use them: they compile, or the check of types fails. */
import { once } from 'node:events'
import { expect, it } from 'vitest'
import {
  type FrNode,
  type NodeFailure,
  type NodeOffer,
  type NodeOutcome,
  type NodeProgress,
  type Plan,
  type Progress,
  type PushResult,
  push,
  startNode,
  type Transfer,
} from '../../../src/api/index.js'

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

/** Compiled, not run. */
async function server(dataDir: string): Promise<string> {
  const accept = async ({ name, dataBytes }: NodeOffer) => name !== 'x' && dataBytes < 5
  await using node: FrNode = await startNode({ listen: '127.0.0.1:0', dataDir, accept })
  await using other = await startNode({ listen: '127.0.0.1:0', dataDir, accept: () => true })
  // @ts-expect-error The hook must say yes or no.
  await startNode({ listen: '127.0.0.1:0', dataDir, accept: () => {} })
  node.on('offer', ({ sender }) => void sender.length)
  node.on('failed', ({ code }: NodeFailure) => void (code === 'ERR_FR_REFUSED'))
  // @ts-expect-error There is no such event.
  other.on('complete', () => {})
  other.once('published', ({ seconds }) => void seconds.toFixed())
  await once(node, 'published')
  return node.address
}

it('what callers write compiles', () => {
  expect(caller).toBeInstanceOf(Function)
  expect(server).toBeInstanceOf(Function)
})

it('a transfer is an emitter that can be awaited by events.once and disposed of', async () => {
  await using transfer = push('/nonexistent/file', { to: ['127.0.0.1:1'], engine: 'portable' })
  transfer.result.catch(() => {})
  const seen = once(transfer, 'progress')
  transfer.emit('progress', { share: 0.5 } as Progress)
  expect(await seen).toEqual([{ share: 0.5 }])
  await expect(transfer.result).rejects.toMatchObject({ code: 'ERR_FR_SOURCE' })
})
