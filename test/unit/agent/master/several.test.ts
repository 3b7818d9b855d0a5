/** Masters of which one leads, nodes that look for it, and who asks any of them. */
import { afterEach, expect, it } from 'vitest'
import { Inquiry } from '../../../../src/agent/client.js'
import { rowsOf } from '../../../../src/agent/master/asking.js'
import type { MasterService } from '../../../../src/agent/master/master-service.js'
import { questionsOf } from '../../../../src/agent/master/questions.js'
import { selfOf } from '../../../../src/net/crypto.js'
import { Resolver } from '../../../../src/net/resolver.js'
import { keyA } from '../../net/handshake-support.js'
import { seededSigner } from '../../protocol/support.js'
import { cleanUp, contentOf, setFor, startMaster, until, WordNode } from './support.js'

afterEach(() => cleanUp())

const state = 'ab'.repeat(16)

/** One that says that `leader` leads, and leads for terms that the test gives it. */
async function oneOfSeveral(leader: { address: string | null }) {
  const started: { service: MasterService } = await startMaster({
    leader: () => leader.address,
    questions: questionsOf(
      () => started.service,
      async () => true,
    ),
  })
  const { service } = started
  return {
    service,
    lead: (term: number, of = state) => {
      const leads = { state: of, term, mayLead: true }
      const { reign, isReady } = service.newReign(leads)
      isReady()
      leader.address = service.address
      return { reign, leads, end: () => service.endReign(reign) }
    },
  }
}

it('nodes find the one that leads, by whichever they know, and again the next one', async () => {
  const leader: { address: string | null } = { address: null }
  const [one, other] = [await oneOfSeveral(leader), await oneOfSeveral(leader)]
  const knowsOne = new WordNode(one.service.address, 1, { name: 'a' }).start()
  const knowsBoth = new WordNode(
    '',
    2,
    { name: 'b' },
    {
      addresses: [other.service.address, one.service.address],
    },
  ).start()
  const nodes = [knowsOne, knowsBoth]
  const areAt = (service: MasterService) => () =>
    service.nodes.length === 2 &&
    nodes.every(({ link }) => link.status.isLinked && link.status.master === service.address)
  const first = other.lead(1)
  await until(areAt(other.service))
  first.end()
  expect(other.service.reign).toBeNull()
  one.lead(2)
  await until(areAt(one.service))
})

it('a node leaves one whose term is over, wherever it has heard so', async () => {
  const leader: { address: string | null } = { address: null }
  const [one, other] = [await oneOfSeveral(leader), await oneOfSeveral(leader)]
  const stale = one.lead(4)
  const addresses = [other.service.address, one.service.address]
  other.lead(5)
  const node = new WordNode('', 1, { name: 'a' }, { addresses }).start()
  await until(() => node.link.status.isLinked)
  await other.service.close()
  const isLeft = () => node.lines.some(({ fields }) => /term 5/.test(String(fields?.['text'])))
  await until(isLeft)
  await until(() => stale.reign.nodes.length === 0)
  stale.end()
  one.lead(1, 'cd'.repeat(16))
  // Of what else masters keep together nothing was heard yet.
  await until(() => node.link.status.isLinked)
})

it('orders nothing, and takes nothing in, once it may not lead', async () => {
  const leader: { address: string | null } = { address: null }
  const { service, lead } = await oneOfSeveral(leader)
  const { reign } = lead(1)
  reign.post({ type: 'sets', sets: [setFor('all', ['x', 'y'], 'name=*')] })
  const [a, b] = ['a', 'b'].map((name, i) => {
    return new WordNode(service.address, i + 1, { name }).start()
  }) as [WordNode, WordNode]
  a.holds({ ...contentOf('x'), ranges: null })
  await until(() => b.held.has('x'))
  const over = lead(2)
  reign.end(service.address)
  over.reign.post({ type: 'sets', sets: [setFor('all', ['x', 'y'], 'name=*')] })
  await until(() => over.reign.nodes.length === 2)
  Object.assign(over.leads, { mayLead: false })
  const { length } = b.orders
  a.holds({ ...contentOf('y'), ranges: null })
  over.reign.post({ type: 'drain', node: 'a', isDrained: true })
  expect(over.reign.isOver).toBe(true)
  expect(over.reign.master.members.get('a')?.isDrained).toBe(false)
  over.end()
  expect(b.orders).toHaveLength(length)
})

it('a question to any of them is answered by the one that leads, or by none', async () => {
  const leader: { address: string | null } = { address: null }
  const [one, other] = [await oneOfSeveral(leader), await oneOfSeveral(leader)]
  const self = selfOf(seededSigner(0xbb))
  const dialler = { keys: [keyA], self, connectMs: 5_000, resolver: new Resolver() }
  const inquiry = new Inquiry(dialler, one.service.address)
  const rows = async (timeoutMs: number) => {
    const found = []
    const within = { timeoutMs, signal: undefined }
    for await (const row of rowsOf(inquiry, within, { about: 'sets' })) found.push(row)
    return found
  }
  try {
    await expect(rows(200)).rejects.toMatchObject({ code: 'ERR_FR_NOT_LEADING' })
    const asked = rows(20_000)
    const first = other.lead(1)
    first.reign.post({ type: 'sets', sets: [setFor('of-other', ['x'], 'name=*')] })
    expect(await asked).toMatchObject([{ set: 'of-other' }])
    first.end()
    one.lead(2).reign.post({ type: 'sets', sets: [setFor('of-one', ['x'], 'name=*')] })
    expect(await rows(20_000)).toMatchObject([{ set: 'of-one' }])
    // The one that is named is gone: the one that was given is asked again.
    leader.address = '127.0.0.1:9'
    expect(await rows(20_000)).toMatchObject([{ set: 'of-one' }])
  } finally {
    inquiry.close()
  }
})
