/** The control API of a node: every route, each answer as the door describes it. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FrNode, generateKey, push } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { MIB } from '../../src/base/limits.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { Api, uploadRoutes } from './http-support.js'
import { until, World } from './push-support.js'

const world = new World('native')
const key = generateKey()
const pathOf = (name: string) => join(world.dir, name)
const content = Buffer.alloc(300_000, 'fr')
let node: FrNode
let door: Door
let api: Api
let reader: Api
let other: FrNode
let third: FrNode

beforeAll(async () => {
  const here = { key, attributes: { site: 'here' } }
  ;[node, other, third] = await Promise.all([world.node(here), world.node(here), world.node(here)])
  const sources = [pathOf('sources')]
  door = await openDoor({ node }, { listen: '127.0.0.1:0', key, sources })
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
    const query = { limit: '1', after: some.next }
    const rest = await reader.call('listHoldings', { query })
    expect([...some.items, ...rest.items].map(({ name }: { name: string }) => name).sort()).toEqual(
      all.items.map(({ name }: { name: string }) => name).sort(),
    )
    expect({ isWhole: rest.isWhole, next: rest.next }).toEqual({ isWhole: true, next: null })
    for (const wrong of ['eA', 'OTk5OTk5OTk5IA', 'a'.repeat(7_000)])
      await reader.call('listHoldings', { query: { after: wrong }, status: 400 })
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

  it('lists versions, and goes back to one', async () => {
    const as = 'app.tar'
    for (const text of ['first', 'second'])
      await push(Buffer.from(text), { to: [node.address], key, as, keep: 2 }).result
    const digests = async () => {
      const { items, isWhole } = await reader.call('listVersions', { query: { glob: as } })
      expect(isWhole).toBe(true)
      return items.map(({ digest }: { digest: string }) => digest)
    }
    const [second, first] = await digests()
    expect((await reader.call('listVersions', { query: { limit: '1' } })).isWhole).toBe(false)
    await reader.call('rollBack', { body: { name: as }, status: 401 })
    const told = await api.call('rollBack', { body: { name: as } })
    expect(told).toMatchObject({ event: 'rolledBack', name: as, digest: first, before: second })
    expect(await digests()).toEqual([first, second])
    await api.call('rollBack', { body: { name: as, version: 'x' }, status: 400 })
    await api.call('rollBack', { body: { name: as, version: '-9' }, status: 404 })
    await api.call('removeHolding', { params: { name: as } })
  })

  it('verifies a file', async () => {
    const query = { name: 'film.bin' }
    const told = await reader.events('verify', { query }, ({ event }) => event === 'end')
    expect(told.find(({ event }) => event === 'verified')?.data).toMatchObject({ status: 'good' })
    expect(told.at(-1)).toMatchObject({ event: 'end', data: { good: 1, failed: 0 } })
    const wrong = { query: { name: 'no' } }
    const none = await reader.events('verify', wrong, ({ event }) => event === 'end')
    expect(none.at(-1)).toMatchObject({ event: 'end', data: { good: 0 } })
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

  describe('transfers', () => {
    it('begins a copy once, however often it is asked, and tells it to its end', async () => {
      const body = { kind: 'copy', name: 'film.bin', to: [other.address], as: 'copied.bin' }
      const wish = { body, headers: { 'idempotency-key': 'one' }, status: 201 }
      const [begun, again] = await Promise.all([
        api.call('createTransfer', wish),
        api.call('createTransfer', wish),
      ])
      expect(again.id).toBe(begun.id)
      const params = { id: begun.id }
      const events = await reader.events('watchTransfer', { params }, ({ id }) => id === 'end')
      const names = events.map(({ event }) => event)
      expect(names[0]).toBe('transfer')
      expect(names.filter((event) => event !== 'progress').slice(1)).toEqual([
        'plan',
        'node',
        'end',
      ])
      expect(events.at(-1)?.data).toMatchObject({ kind: 'copy', state: 'complete', share: 1 })
      const over = await reader.call('getTransfer', { params, query: { waitSeconds: '5' } })
      expect(over.result).toMatchObject({ bytes: content.length, nodes: [{ status: 'complete' }] })
      expect((await api.call('createTransfer', wish)).id).toBe(begun.id)
      const differs = { ...wish, body: { ...body, as: 'x' }, status: 422 }
      expect((await api.call('createTransfer', differs)).code).toBe('ERR_FR_REQUEST')
      const headers = { 'last-event-id': 'end' }
      await reader.call('watchTransfer', { params, headers, status: 204 })
      const { items } = await reader.call('listTransfers')
      expect(items.filter(({ id }: { id: string }) => id === begun.id)).toHaveLength(1)
    })

    it('pushes and publishes files of directories that it was given, and no others', async () => {
      mkdirSync(pathOf('sources/deep'), { recursive: true })
      writeFileSync(pathOf('sources/deep/sent.txt'), 'sent')
      writeFileSync(pathOf('secret.txt'), 'secret')
      symlinkSync(pathOf('secret.txt'), pathOf('sources/link'))
      const waited = async (body: object) => {
        const { id } = await api.call('createTransfer', { body, status: 201 })
        return api.call('getTransfer', { params: { id }, query: { waitSeconds: '20' } })
      }
      const push = { kind: 'push', path: 'deep/sent.txt', to: [{ address: other.address }] }
      expect(await waited(push)).toMatchObject({ name: 'sent.txt', state: 'complete', bytes: 4 })
      const publish = { kind: 'publish', path: pathOf('sources/deep/sent.txt') }
      const published = await waited({ ...publish, where: 'site=here', as: 'all.txt' })
      expect(published).toMatchObject({ state: 'complete', published: { where: 'site=here' } })
      const refused = async (path: string) =>
        (await api.call('createTransfer', { body: { ...push, path }, status: 403 })).code
      for (const path of ['../secret.txt', 'link', '/etc/hostname', 'deep/../../secret.txt'])
        expect(await refused(path)).toBe('ERR_FR_RIGHT')
      const body = { ...push, path: 'none' }
      expect((await api.call('createTransfer', { body, status: 404 })).code).toBe('ERR_FR_SOURCE')
    })

    it('lists what may be sent of those directories, page by page, for who may push', async () => {
      const root = pathOf('sources')
      const at = (name: string) => join(root, 'listed', name)
      mkdirSync(at('c'), { recursive: true })
      for (const name of ['a', 'b', 'e']) writeFileSync(at(name), name)
      writeFileSync(Buffer.concat([Buffer.from(at('')), Buffer.from([0xff])]), 'no UTF-8')
      symlinkSync(at('a'), at('d'))
      symlinkSync(pathOf('..'), at('out'))
      symlinkSync(root, at('round'))
      const list = (query: Record<string, string>) => api.call('listSources', { query })
      const directory = { kind: 'directory', bytes: null }
      expect(await list({})).toEqual({
        items: [{ name: root, path: root, ...directory }],
        next: null,
      })
      const names = async (query: Record<string, string>) =>
        (await list(query)).items.map(({ name }: { name: string }) => name)
      expect(await names({ path: root })).toContain('listed')
      const path = 'listed'
      expect(await list({ path, limit: '3' })).toEqual({
        items: [
          { name: 'a', path: at('a'), kind: 'file', bytes: 1 },
          { name: 'b', path: at('b'), kind: 'file', bytes: 1 },
          { name: 'c', path: at('c'), ...directory },
        ],
        next: 'c',
      })
      expect(await list({ path: at(''), limit: '3', after: 'c' })).toEqual({
        items: [
          { name: 'd', path: at('d'), kind: 'file', bytes: 1 },
          { name: 'e', path: at('e'), kind: 'file', bytes: 1 },
        ],
        next: 'out',
      })
      expect(await names({ path, after: 'out' })).toEqual([])
      expect(await names({ path: at('c') })).toEqual([])
      await reader.call('listSources', { status: 401 })
      const codes = [
        ...[
          [403, '..'],
          [403, '/etc'],
          [403, 'listed/out'],
          [403, `${root}more`],
        ],
        ...[
          [404, 'listed/a'],
          [404, 'none'],
          [400, 'a\0b'],
        ],
      ] as const
      for (const [status, path] of codes) await api.call('listSources', { query: { path }, status })
    })

    it('adds a node to one that runs, and cancels it', async () => {
      const to = [other.address, '127.0.0.1:1']
      const body = { kind: 'copy', name: 'film.bin', to, as: 'added.bin', connectMs: 60_000 }
      const { id } = await api.call('createTransfer', { body, status: 201 })
      const params = { id }
      await api.call('addNode', { params, body: { node: third.address } })
      const had = { params, body: { node: third.address }, status: 502 }
      expect((await api.call('addNode', had)).code).toBe('ERR_FR_SAME_NODE')
      await reader.call('cancelTransfer', { params, status: 401 })
      const cancelled = await api.call('cancelTransfer', { params })
      expect(cancelled).toMatchObject({ state: 'cancelled', problem: { code: 'ERR_FR_ABORTED' } })
      expect(await api.call('cancelTransfer', { params })).toMatchObject({ state: 'cancelled' })
    })

    it('watches and limits what others push to the node, and cannot cancel it', async () => {
      // It takes a minute, and is not waited for.
      const slow = { limitUpBytesPerSecond: 65_536 }
      const running = push(Buffer.alloc(4 * MIB, 'x'), {
        to: [node.address],
        key,
        as: 'slow.bin',
        ...slow,
      })
      running.result.catch(() => {})
      const params = { id: running.id }
      await until(
        () => node.status().transfers.some(({ transfer }) => transfer === running.id),
        'the node has it',
      )
      expect(await reader.call('getTransfer', { params })).toMatchObject({
        ...{ kind: 'other', state: 'running', here: { role: 'receiving' } },
      })
      const limits = { downBytesPerSecond: 200_000 }
      expect(await api.call('limitTransfer', { params, body: limits })).toMatchObject(limits)
      await api.call('cancelTransfer', { params, status: 409 })
      const seen = reader.events('watchTransfer', { params }, ({ event }) => event === 'status')
      expect((await seen)[0]?.data).toMatchObject({ transfer: running.id, name: 'slow.bin' })
      running.cancel()
      const rest = await reader.events('watchTransfer', { params }, ({ id }) => id === 'end')
      expect(rest.at(-1)).toMatchObject({ event: 'end', data: { state: 'failed' } })
    })

    it('refuses what it cannot begin, and what nobody knows', async () => {
      const copy = { kind: 'copy', name: 'film.bin', to: [other.address] }
      await reader.call('createTransfer', { body: copy, status: 401 })
      for (const wrong of [
        {},
        { ...copy, kind: 'move' },
        { ...copy, to: [] },
        { ...copy, to: ['a:b:c'] },
        { ...copy, to: [{ address: other.address, what: 1 }] },
        { ...copy, groupSize: 1_000 },
        { ...copy, priority: '1' },
        { ...copy, more: 1 },
      ])
        await api.call('createTransfer', { body: wrong, status: 400 })
      const headers = { 'idempotency-key': 'a'.repeat(256) }
      await api.call('createTransfer', { body: copy, headers, status: 400 })
      const params = { id: 'f'.repeat(32) }
      for (const id of ['getTransfer', 'watchTransfer', 'cancelTransfer'])
        expect((await api.call(id, { params, status: 404 })).code).toBe('ERR_FR_NO_TRANSFER')
      await api.call('getTransfer', { params: { id: 'x' }, status: 400 })
    })
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

  it('has every route called, but for uploads', () => {
    expect([...new Set([...api.called, ...reader.called])].sort()).toEqual(
      [...api.operations.keys()].filter((id) => !uploadRoutes.has(id)).sort(),
    )
  })
})
