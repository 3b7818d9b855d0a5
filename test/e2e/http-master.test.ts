/** The control API of a master: every route, each answer as the door describes it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMaster, type FrMaster, type FrNode, generateKey, push } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { Api } from './http-support.js'
import { until, World } from './push-support.js'

const world = new World('native')
const key = generateKey()
let master: FrMaster
let nodes: FrNode[]
let door: Door
let api: Api
let reader: Api

beforeAll(async () => {
  master = await createMaster({ listen: '127.0.0.1:0', dataDir: world.dataDir(), key })
  const joined = (name: string) => world.node({ key, name, master: master.address })
  nodes = await Promise.all([joined('a'), joined('b')])
  door = await openDoor({ master }, { listen: '127.0.0.1:0', key })
  api = await Api.open(door.address, httpToken(key))
  reader = await Api.open(door.address, null)
})
afterAll(async () => {
  await door.close()
  await world.dispose()
  await master.close()
})

const setOf = (name: string, files: readonly string[]) => ({
  ...{ apiVersion: 'fastreplica/v1', kind: 'FileSet', metadata: { name } },
  spec: { where: 'name=*', files },
})
const apply = (sets: readonly object[], query: Readonly<Record<string, string>> = {}) =>
  api.call('applySets', { body: { sets }, query })

describe('the control API of a master', () => {
  it('takes sets, has them copied, and says how far they are', async () => {
    await push(Buffer.alloc(200_000, 'm'), { to: [nodes[0]?.address as string], key, as: 'model' })
      .result
    const dry = await apply([setOf('all', ['model'])], { dryRun: 'true' })
    expect(dry).toMatchObject({ dryRun: true, changes: [{ set: 'all', change: 'added' }] })
    expect((await reader.call('listSets')).items).toEqual([])
    const done = await apply([setOf('all', ['model'])])
    expect(done).toMatchObject({ dryRun: false, isKept: true, changes: [{ added: 1 }] })
    await until(async () => {
      const { items } = await reader.call('listSets')
      return items[0]?.nodes === 2 && items[0]?.complete === 2
    }, 'both have the set')
    const params = { node: 'b', name: 'model' }
    expect(await reader.call('explain', { params })).toMatchObject({ state: 'held', set: 'all' })
    const wrong = { params: { node: 'nobody', name: 'model' }, status: 404 }
    expect((await reader.call('explain', wrong)).code).toBe('ERR_FR_NO_NODE')
  })

  it('tells status, nodes, plan, links, components, audit', async () => {
    expect(await reader.call('getMaster')).toMatchObject({ leads: true, sets: 1 })
    const [event] = await reader.events('watchMaster', { query: { every: '250' } }, () => true)
    expect([event?.event, event?.data.nodes.toSorted()]).toEqual(['status', ['a', 'b']])
    const { items } = await reader.call('listNodes')
    expect(items.map(({ node }: { node: string }) => node).sort()).toEqual(['a', 'b'])
    expect((await reader.call('listNodes', { query: { limit: '1' } })).isWhole).toBe(false)
    for (const id of ['listLinks', 'listComponents', 'audit', 'getPlan'])
      expect(await reader.call(id)).toMatchObject({ isWhole: true })
    await reader.call('getPlan', { query: { name: 'model' } })
  })

  it('drains nodes, and uses them again', async () => {
    const params = { node: 'b' }
    const drain = (isDrained: boolean) => api.call('drainNode', { params, body: { isDrained } })
    expect(await drain(true)).toMatchObject({ node: 'b', isDrained: true, isKept: true })
    expect(await drain(false)).toMatchObject({ isDrained: false })
    await reader.call('drainNode', { params, body: { isDrained: true }, status: 401 })
    const nobody = { params: { node: 'nobody' }, body: { isDrained: true }, status: 404 }
    expect((await api.call('drainNode', nobody)).code).toBe('ERR_FR_NO_NODE')
  })

  it('refuses sets with a fault, and says where it is', async () => {
    const body = { sets: [setOf('one', ['a']), { ...setOf('two', ['b']), kind: 'Set' }] }
    const refused = await api.call('applySets', { body, status: 422 })
    expect(refused.code).toBe('ERR_FR_DOCUMENT')
    expect(refused.detail).toMatch(/sets:2:/)
    await reader.call('applySets', { body, status: 401 })
    await api.call('applySets', { body: { sets: 'x' }, status: 400 })
    await api.call('applySets', { body, query: { prune: 'yes' }, status: 400 })
    expect((await apply([], { prune: 'true' })).changes).toMatchObject([{ change: 'removed' }])
  })

  it('has every route called', async () => {
    await reader.call('describe')
    await reader.call('getProblem', { params: { code: 'ERR_FR_NO_NODE' } })
    expect([...new Set([...api.called, ...reader.called])].sort()).toEqual(
      [...api.operations.keys()].sort(),
    )
  })
})
