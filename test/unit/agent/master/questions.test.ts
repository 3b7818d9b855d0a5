/** Questions to a master over real links: rows in pages, sets in parts, drained nodes, rights. */
import { afterEach, describe, expect, it } from 'vitest'
import { Inquiry } from '../../../../src/agent/client.js'
import { giveSets, rowsOf } from '../../../../src/agent/master/asking.js'
import type { MasterService } from '../../../../src/agent/master/master-service.js'
import { questionsOf } from '../../../../src/agent/master/questions.js'
import { rowIn } from '../../../../src/agent/master/row-shapes.js'
import { limits } from '../../../../src/base/limits.js'
import type { MasterSubject } from '../../../../src/control/messages/asking-master.js'
import { selfOf } from '../../../../src/net/crypto.js'
import { Resolver } from '../../../../src/net/resolver.js'
import { keyA } from '../../net/handshake-support.js'
import { seededSigner } from '../../protocol/support.js'
import { cleanUp, contentOf, setFor, startMaster, until, WordNode } from './support.js'

const inquiries: Inquiry[] = []
afterEach(async () => {
  for (const one of inquiries.splice(0)) one.close()
  await cleanUp()
})

const within = { timeoutMs: 20_000, signal: undefined }

async function asked() {
  let isKept = true
  const started: { service: MasterService } = await startMaster({
    questions: questionsOf(
      () => started.service,
      async () => isKept,
      (node) => node === 'away',
    ),
  })
  const { service } = started
  const dialler = { keys: [keyA], self: selfOf(seededSigner(0xbb)), connectMs: 5_000 }
  const inquiry = new Inquiry({ ...dialler, resolver: new Resolver() }, service.address)
  inquiries.push(inquiry)
  const rows = async (about: MasterSubject, more: { node?: string; name?: string } = {}) => {
    const found = []
    for await (const row of rowsOf(inquiry, within, { about, ...more })) found.push(row)
    return found
  }
  const give = (sets: Parameters<typeof giveSets>[2]['sets'], more = {}) =>
    giveSets(inquiry, within, { sets, isPruned: false, isDry: false, ...more })
  const breakDisk = () => {
    isKept = false
  }
  return { service, inquiry, rows, give, breakDisk }
}

describe('a master that is asked', () => {
  it('takes sets, which count at once, and tells how far they are and why', async () => {
    const { service, rows, give, inquiry, breakDisk } = await asked()
    const held = { ...contentOf('f'), ranges: null }
    const a = new WordNode(service.address, 1, { name: 'a', site: 'x' }).start()
    const b = new WordNode(service.address, 2, { name: 'b', site: 'x' }).start()
    a.holds(held)
    b.isQuick = false
    await until(() => service.nodes.length === 2)
    const sets = [setFor('s', ['f'], 'site=x')]
    expect(await give(sets, { isDry: true })).toMatchObject({ changes: [{ change: 'added' }] })
    expect(service.master.sets).toEqual([])
    expect(await give(sets)).toMatchObject({ isKept: true, changes: [{ set: 's', added: 1 }] })
    expect((await give(sets)).changes).toEqual([])
    await until(() => b.orders.length > 0)
    expect(await rows('explain', { node: 'b', name: 'f' })).toMatchObject([
      { event: 'explain', state: 'copying', set: 's', copies: [{ source: 'a', target: 'b' }] },
    ])
    expect(await rows('plan', { name: 'f' })).toMatchObject([{ event: 'copy', name: 'f' }])
    expect(await rows('audit')).toMatchObject([{ node: 'b', fault: 'missing' }])
    b.end(b.orders[0]?.copy ?? -1)
    await until(() => b.running.size === 0 && service.master.scheduler.copies.size === 0)
    expect(await rows('sets')).toMatchObject([{ set: 's', nodes: 2, complete: 2, missingFiles: 0 }])
    expect(await rows('audit')).toEqual([])
    expect((await rows('links')).length).toBe(4)
    breakDisk()
    const drain = { type: 'drain', node: 'a', isDrained: true } as const
    expect(await inquiry.ask(drain, 'drained', within)).toMatchObject({ copies: 0, isKept: false })
    expect(await rows('nodes')).toMatchObject([{ node: 'a', isDrained: true }, { node: 'b' }])
    const other = setFor('t', ['g'], 'site=x')
    expect((await give([other], { isPruned: true })).changes.map(({ change }) => change)).toEqual([
      'added',
      'removed',
    ])
    const away = { ...drain, node: 'away', isDrained: false }
    expect(await inquiry.ask(away, 'drained', within)).toMatchObject({ copies: 0 })
    for (const ask of [
      () => inquiry.ask({ ...drain, node: 'none' }, 'drained', within),
      () => rows('explain', { node: 'none', name: 'f' }),
    ])
      await expect(ask()).rejects.toMatchObject({ code: 'ERR_FR_NO_NODE' })
  })

  it('tells as many rows as there are, in pages, and takes sets of any length', async () => {
    const { rows, give, service } = await asked()
    const names = Array.from({ length: 3_000 }, (_, i) => `models/ä"\\${i}/${'x'.repeat(60)}`)
    const long = setFor('long', names, 'site=x')
    const many = Array.from({ length: 900 }, (_, i) => setFor(`set-${i}`, [`${i}`], 'site'))
    const { changes } = await give([...many, long])
    expect(changes.length).toBe(901)
    const last = changes.at(-1)
    expect(last).toMatchObject({ set: 'long', added: 3_000 })
    expect(last?.filesAdded.length).toBeLessThanOrEqual(limits.masterNames)
    expect(service.master.sets.at(-1)?.files).toEqual(long.files)
    expect((await rows('sets')).length).toBe(901)
  })

  it('refuses sets that cannot be, and parts that are not the next ones', async () => {
    const { give, inquiry, service } = await asked()
    const one = setFor('s', ['f'], 'site')
    await expect(give([one, one], { isPruned: true })).rejects.toMatchObject({
      code: 'ERR_FR_DOCUMENT',
    })
    const names = Array.from({ length: limits.masterSets + 1 }, (_, i) => setFor(`${i}`, [], 'a'))
    await expect(give(names)).rejects.toMatchObject({ code: 'ERR_FR_PROTOCOL' })
    const part = { type: 'giveSets', upload: 'ab'.repeat(16), json: '{', isLast: false } as const
    const ask = (more: object) =>
      inquiry.ask({ ...part, at: 0, isPruned: false, isDry: false, ...more }, 'setsGiven', within)
    expect(await ask({})).toMatchObject({ at: 1 })
    await expect(ask({ at: 7 })).rejects.toMatchObject({ code: 'ERR_FR_PROTOCOL' })
    await expect(ask({ at: 1, json: 'no', isLast: true })).rejects.toMatchObject({
      code: 'ERR_FR_PROTOCOL',
    })
    expect(service.master.sets).toEqual([])
  })
})

describe('rows of a master', () => {
  it('are refused where they are not what they should be', () => {
    const row = { event: 'audit', node: 'n', name: 'f', fault: 'other', wanted: null, held: 'x' }
    expect(rowIn(JSON.stringify({ ...row, more: 1 }))).toMatchObject(row)
    for (const bad of ['{', '7', 'null', '{}', '{"event":"toString"}', { ...row, held: 7 }])
      expect(() => rowIn(typeof bad === 'string' ? bad : JSON.stringify(bad))).toThrow(
        'the master tells',
      )
    const component = { event: 'component', kind: 'disk', name: 'n', isFailed: true }
    const of = (causes: unknown) =>
      JSON.stringify({ ...component, retrySeconds: 1, failures: 2, causes })
    expect(rowIn(of([{ cause: 'x', count: 1 }]))).toMatchObject(component)
    expect(() => rowIn(of([{ cause: 1 }]))).toThrow('causes')
  })
})
