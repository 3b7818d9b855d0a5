/** The control API of a node: every route, each answer as the door describes it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FrNode, generateKey, push } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { Api } from './http-support.js'
import { World } from './push-support.js'

const world = new World('native')
const key = generateKey()
const content = Buffer.alloc(300_000, 'fr')
let node: FrNode
let door: Door
let api: Api
let reader: Api

beforeAll(async () => {
  node = await world.node({ key, attributes: { site: 'here' } })
  door = await openDoor({ node }, { listen: '127.0.0.1:0', key })
  api = await Api.open(door.address, httpToken(key))
  reader = await Api.open(door.address, null)
  for (const as of ['film.bin', 'dir/two words.bin'])
    await push(content, { to: [node.address], key, as }).result
})
afterAll(async () => {
  await door.close()
  await world.dispose()
})

describe('the control API of a node', () => {
  it('tells its status, once and again and again', async () => {
    const status = await reader.call('getNode')
    expect(status).toMatchObject({ node: node.address, held: { files: 2, bytes: 600_000 } })
    const events = await reader.events('watchNode', { query: { every: '250' } }, () => true)
    expect(events[0]).toMatchObject({ event: 'status', data: { nodeId: node.nodeId } })
  })

  it('lists what it holds, in part where that is wanted', async () => {
    const all = await reader.call('listHoldings')
    expect(all.items.map(({ name }: { name: string }) => name).sort()).toEqual([
      'dir/two words.bin',
      'film.bin',
    ])
    expect(all.isWhole).toBe(true)
    const some = await reader.call('listHoldings', { query: { limit: '1' } })
    expect({ items: some.items.length, isWhole: some.isWhole }).toEqual({
      items: 1,
      isWhole: false,
    })
    const found = await reader.call('listHoldings', { query: { glob: 'dir/*' } })
    expect(found.items).toHaveLength(1)
    for (const query of [{ limit: '0' }, { limit: 'x' }, { glob: '' }, { what: '1' }])
      await reader.call('listHoldings', { query, status: 400 })
  })

  it('removes what it holds for who may', async () => {
    const params = { name: 'dir/two words.bin' }
    const refused = await reader.call('removeHolding', { params, status: 401 })
    expect(refused).toMatchObject({ code: 'ERR_FR_AUTH', retryable: false })
    const removed = await api.call('removeHolding', { params })
    expect(removed).toMatchObject({ event: 'removed', name: params.name, entries: 1 })
    const gone = await api.call('removeHolding', { params, status: 404 })
    expect(gone.code).toBe('ERR_FR_NOT_HELD')
    for (const name of ['../x', 'a\0b', '.fastreplica/node-key'])
      expect((await api.call('removeHolding', { params: { name }, status: 400 })).code).toBe(
        'ERR_FR_NAME',
      )
  })

  it('limits its rates', async () => {
    const body = { upBytesPerSecond: 1_000_000, downBytesPerSecond: null }
    const limited = await api.call('limitNode', { body })
    expect(limited).toMatchObject({ transfer: null, ...body })
    expect(node.status().limits.upBytesPerSecond).toBe(1_000_000)
    await api.call('limitNode', { body: { upBytesPerSecond: null } })
    await reader.call('limitNode', { body, status: 401 })
    for (const wrong of [{}, { upBytesPerSecond: 1 }, { up: 1 }, [], null])
      await api.call('limitNode', { body: wrong, status: 400 })
  })

  it('tells its disks, and who matches criteria', async () => {
    const { items } = await reader.call('listDisks')
    expect(items).toEqual([expect.objectContaining({ event: 'disk', state: 'ok' })])
    const found = await reader.call('findNodes', { query: { where: 'site=here' } })
    expect(found.nodes).toEqual([expect.objectContaining({ nodeId: node.nodeId })])
    const wrong = await reader.call('findNodes', { query: { where: 'site=' }, status: 400 })
    expect(wrong.code).toBe('ERR_FR_CRITERIA')
  })

  it('describes itself, and its errors', async () => {
    const description = await reader.call('describe')
    expect(description).toMatchObject({ openapi: '3.1.0' })
    const params = { code: 'ERR_FR_BUSY' }
    expect(await reader.call('getProblem', { params })).toMatchObject({ retryable: true })
    await reader.call('getProblem', { params: { code: 'ERR_FR_NONE' }, status: 400 })
  })

  it('takes no other methods, paths, bodies', async () => {
    const ask = async (path: string, init: RequestInit = {}) => {
      const headers = { authorization: `Bearer ${httpToken(key)}`, ...init.headers }
      const said = await fetch(`${api.origin}/api/v1${path}`, { ...init, headers })
      return {
        status: said.status,
        allow: said.headers.get('allow'),
        ...((await said.json()) as object),
      }
    }
    expect(await ask('/node', { method: 'DELETE' })).toMatchObject({ status: 405, allow: 'GET' })
    for (const path of ['', '/', '/nothing', '/node/', '/node/x', '/holdings'.toUpperCase()])
      expect(await ask(path)).toMatchObject({ status: 404, code: 'ERR_FR_REQUEST' })
    const patch = (body: string, type = 'application/json', more = {}) =>
      ask('/node/limits', { method: 'PATCH', body, headers: { 'content-type': type, ...more } })
    expect(await patch('{', undefined)).toMatchObject({ status: 400 })
    expect(await patch('{}', 'text/plain')).toMatchObject({ status: 415 })
    expect(await patch('{}', undefined, { 'content-encoding': 'gzip' })).toMatchObject({
      status: 415,
    })
    expect(await patch(`"${'x'.repeat(1024 * 1024)}"`)).toMatchObject({ status: 413 })
    expect(await ask('/holdings?limit=1&limit=2')).toMatchObject({ status: 400 })
    expect(await ask('/holdings/%ff', { method: 'DELETE' })).toMatchObject({ status: 400 })
    expect(await ask('/holdings/..%2fnode', { method: 'DELETE' })).toMatchObject({
      ...{ status: 400, code: 'ERR_FR_NAME' },
    })
  })

  it('has every route called', () => {
    expect([...new Set([...api.called, ...reader.called])].sort()).toEqual(
      [...api.operations.keys()].sort(),
    )
  })
})
