/** Pull links that come to a reception at a bad moment, over real connections. */
import { afterEach, expect, it } from 'vitest'
import type { Frame } from '../../../src/control/messages/types.js'
import type { NodeEvent } from '../../../src/control/receiver/events.js'
import { Neighbourhood } from '../../../src/control/receiver/neighbourhood.js'
import { createPortableEngine } from '../../../src/engine/portable/engine.js'
import { ControlLink } from '../../../src/net/link.js'
import type { NodeHost } from '../../../src/session/receiver/node-host.js'
import { ReceptionPulls } from '../../../src/session/receiver/pulls.js'
import { originId, planOf } from '../control/plans.js'
import { cleanUp, pair, transfer } from '../net/handshake-support.js'

const mate = 1
const ask: Frame = { type: 'pull', request: 1, stream: 0, ranges: [[0, 10]] }

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  cleanUp()
  for (const close of closers.splice(0)) await close()
})

interface Bench {
  readonly pulls: ReceptionPulls
  readonly posted: NodeEvent[]
  readonly dialled: number[]
  /** The mate takes no part any more. */
  readonly leaves: () => void
}

async function bench(): Promise<Bench> {
  const engine = await createPortableEngine(() => {})
  closers.push(() => engine.shutdown())
  const handle = engine.openTransfer()
  const posted: NodeEvent[] = []
  const dialled: number[] = []
  const neighbours = new Neighbourhood()
  neighbours.take(planOf(0, [0, mate]), originId)
  const pulls = new ReceptionPulls({ engine } as NodeHost, neighbours, {
    post: (event) => posted.push(event),
    warn: () => {},
    isComplete: () => false,
    transfer: () => handle,
    relayTo: () => undefined,
    dial: (index) => {
      dialled.push(index)
      return new Promise(() => {})
    },
  })
  const leaves = (): void => {
    neighbours.take(planOf(0, [0], { epoch: 2 }), originId)
    pulls.close(mate)
  }
  return { pulls, posted, dialled, leaves }
}

/** A link of the mate, opened on its side; what it asks was sent before this side took it. */
async function linkOf(): Promise<{
  accept: (pulls: ReceptionPulls) => void
  ended: Promise<void>
}> {
  const [dialled, accepted] = await pair({ channel: 'pull', transfer, from: mate, to: 0 })
  const ended = new Promise<void>((resolve) => {
    const link = new ControlLink(dialled, { onFrame: () => {}, onClose: () => resolve() })
    link.send(ask)
  })
  return { accept: (pulls) => pulls.accept(mate, accepted), ended }
}

it('a mate that is there may ask', async () => {
  const { pulls, posted, dialled } = await bench()
  const { accept } = await linkOf()
  accept(pulls)
  const asked = [{ type: 'pullAsked', index: mate, frame: ask }]
  await expect.poll(() => posted, { timeout: 20_000 }).toEqual(asked)
  pulls.serve(mate, 1, [[0, 10]])
  expect(dialled).toEqual([mate])
})

it.each<[string, (bench: Bench) => void]>([
  ['a mate that went while its link was opened', ({ leaves }) => leaves()],
  ['anybody once the transfer is over', ({ pulls }) => pulls.end()],
])('%s is closed, not heard and not served', async (_, happens) => {
  const made = await bench()
  const { pulls, posted, dialled } = made
  const { accept, ended } = await linkOf()
  happens(made)
  accept(pulls)
  await ended
  pulls.serve(mate, 1, [[0, 10]])
  expect([posted, dialled]).toEqual([[], []])
})
