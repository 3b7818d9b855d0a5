/** Who asks what a node holds against the rules, and nodes that answer against them. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { client, fetchStatus } from '../../src/api/index.js'
import { limits } from '../../src/base/limits.js'
import type { Frame } from '../../src/control/messages/types.js'
import { encodeName } from '../../src/protocol/manifest.js'
import { plant } from './held-support.js'
import { Hostile, keyText } from './hostile.js'
import { HostileNode } from './hostile-node.js'
import { until, useWorld } from './push-support.js'

const named = (name: string) => encodeName(Buffer.from(name))
const list: Frame = { type: 'list', glob: null, after: '', limit: 1 }

const removed = { type: 'removed', entries: 1, kept: 0, failedCount: 0, text: '' } as const

describe('questions against the rules', () => {
  const world = useWorld('portable')

  async function asked() {
    const dataDir = world.dataDir()
    await plant(dataDir, { 'a.bin': 'content', 'b.bin': '' })
    const node = await world.node({ dataDir, key: keyText })
    const hostile = new Hostile(node.address)
    world.defer(() => hostile.dispose())
    return { node, dataDir, hostile, link: await hostile.question() }
  }

  it('a question before the last answer closes the link, and says why', async () => {
    const { link } = await asked()
    link.say(list, list)
    expect(await link.next('refuse')).toMatchObject({
      code: 'ERR_FR_PROTOCOL',
      text: 'a question before the answer',
    })
    await link.closed()
  })

  it('what is no question closes the link, and says why', async () => {
    const { link } = await asked()
    link.say(removed)
    const refusal = { code: 'ERR_FR_PROTOCOL', text: "unexpected frame 'removed'" }
    expect(await link.next('refuse')).toMatchObject(refusal)
    await link.closed()
  })

  it('one that is malformed closes the link', async () => {
    const { node, link } = await asked()
    link.sayBody(38, { name: 'YQ', nameIsBase64: true, isGlob: false })
    expect(await link.next('refuse')).toMatchObject({ code: 'ERR_FR_PROTOCOL' })
    await link.closed()
    expect((await fetchStatus(node.address, { key: keyText })).held.files).toBe(2)
  })

  it('a refusal does not end the link', async () => {
    const { dataDir, link } = await asked()
    link.say({ ...list, after: 'nowhere' } as Frame)
    expect(await link.next('refuse')).toMatchObject({ code: 'ERR_FR_PROTOCOL' })
    for (const name of ['../a.bin', '/etc/passwd', '.fastreplica/node-key', 'a.bin/..', 'c.bin']) {
      link.say({ type: 'remove', isGlob: false, ...named(name) })
      expect(await link.next('refuse')).toMatchObject({ code: 'ERR_FR_NOT_HELD' })
    }
    expect(existsSync(join(dataDir, '.fastreplica/node-key'))).toBe(true)
    link.say(list)
    const { entries, next } = await link.next('listed')
    expect(entries.map(({ name }) => name)).toEqual(['a.bin'])
    link.say({ ...list, after: next } as Frame)
    expect((await link.next('listed')).entries.map(({ name }) => name)).toEqual(['b.bin'])
  })

  it('what a transfer is writing is not removed', async () => {
    const { node, dataDir, hostile, link } = await asked()
    const writing = await hostile.accepted({ name: 'a.bin', bytes: 100_000 })
    link.say({ type: 'remove', isGlob: false, ...named('a.bin') })
    expect(await link.next('refuse')).toMatchObject({ code: 'ERR_FR_BUSY' })
    expect(existsSync(join(dataDir, 'a.bin'))).toBe(true)
    writing.socket.destroy()
    await until(() => node.status().transfers.length === 0, 'the transfer ends')
    link.say({ type: 'remove', isGlob: false, ...named('a.bin') })
    await link.next('removed')
    expect(existsSync(join(dataDir, 'a.bin'))).toBe(false)
  })
})

describe('a node that answers against the rules', () => {
  const world = useWorld('portable')

  /** What a list fails with when the node answers it with these frames. */
  async function answered(...frames: readonly Frame[]): Promise<unknown> {
    const node = new HostileNode()
    world.defer(() => node.close())
    const address = await node.listening()
    const files = client.list(address, { key: keyText, timeoutMs: 2_000 })
    const first = files.next().then(({ value }) => value)
    const link = await node.question()
    await link.next('list')
    link.say(...frames)
    return first.catch((error: unknown) => error)
  }

  it.each<[string, Frame[], string]>([
    ['with something else', [removed], 'ERR_FR_PROTOCOL'],
    ['with progress', [{ type: 'verifying', readBytes: 0, bytes: 0 }], 'ERR_FR_PROTOCOL'],
    ['with a refusal', [{ type: 'refuse', code: 'ERR_FR_LIMIT', text: 'no' }], 'ERR_FR_LIMIT'],
    ['not at all', [], 'ERR_FR_TIMEOUT'],
  ])('%s', async (_, frames, code) => {
    expect(await answered(...frames)).toMatchObject({ code })
  })

  it('with another name than it may have', async () => {
    const node = new HostileNode()
    world.defer(() => node.close())
    const address = await node.listening()
    const first = client.list(address, { key: keyText }).next()
    const link = await node.question()
    await link.next('list')
    link.sayBody(37, {
      nowMs: 0,
      entries: [{ name: 'a'.repeat(limits.nameBytes + 1) }],
      next: null,
    })
    await expect(first).rejects.toMatchObject({ code: 'ERR_FR_PROTOCOL', node: address })
  })

  it('and a client that is called off hangs up', async () => {
    const node = new HostileNode()
    world.defer(() => node.close())
    const address = await node.listening()
    const off = new AbortController()
    const removal = client.remove(address, 'a', { key: keyText, signal: off.signal })
    const link = await node.question()
    await link.next('remove')
    off.abort(new Error('enough'))
    await expect(removal).rejects.toThrow('enough')
    await link.closed()
  })

  it('and one that leaves its list in the middle hangs up', async () => {
    const node = new HostileNode()
    world.defer(() => node.close())
    const files = client.verify(await node.listening(), { key: keyText, names: ['a'] })
    const first = files.next()
    const link = await node.question()
    await link.next('verify')
    link.say({ type: 'verifying', readBytes: 1, bytes: 2 })
    expect(await first).toMatchObject({ value: { event: 'verifying', readBytes: 1, bytes: 2 } })
    await files.return()
    await link.closed()
  })
})
