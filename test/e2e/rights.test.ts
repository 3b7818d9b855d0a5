/** What peers may ask of a node that has a list with rights: all that can be asked is asked. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { questionTypes, wordOf } from '../../src/agent/requests.js'
import { addNode, client, copy, fetchStatus, get, identity, push } from '../../src/api/index.js'
import { originNumber } from '../../src/control/messages/types.js'
import { sampleFrames } from '../unit/protocol/frame-support.js'
import { Hostile, keyText as key } from './hostile.js'
import { expectCopies, useWorld } from './push-support.js'

const before = process.env['XDG_CONFIG_HOME']
afterEach(() => {
  if (before === undefined) delete process.env['XDG_CONFIG_HOME']
  else process.env['XDG_CONFIG_HOME'] = before
})

describe('a peer of a list with rights', () => {
  const world = useWorld('portable')
  let own: string
  /** Clients of this process have a key of their own, whose fingerprint is `own`. */
  beforeEach(async () => {
    const home = join(world.dir, 'home')
    mkdirSync(home)
    process.env['XDG_CONFIG_HOME'] = home
    own = await identity()
  })

  let lists = 0
  function list(...lines: string[]): string {
    const path = join(world.dir, `peers-${lists++}`)
    writeFileSync(path, lines.map((line) => `${line}\n`).join(''), { mode: 0o644 })
    return path
  }
  const refusedFor = (right: string) => ({
    code: 'ERR_FR_RIGHT',
    message: expect.stringContaining(`the right '${right}' is missing`),
  })

  /** A node that holds nothing, and a peer without a right there. */
  async function withNone() {
    const authorize = list()
    const node = await world.node({ key, authorize })
    const peer = new Hostile(node.address)
    world.defer(() => peer.dispose())
    writeFileSync(authorize, `${peer.nodeId} mallory none\n`)
    await node.reload()
    return { node, peer }
  }

  it('that has none is refused every question by name, and each is written down', async () => {
    const { node, peer } = await withNone()
    const link = await peer.question()
    for (const type of questionTypes) {
      const question = sampleFrames.find((frame) => frame.type === type)
      if (question === undefined) throw new Error(`no sample of ${type}`)
      link.say(question)
      const { code, text } = await link.next('refuse')
      expect([type, code]).toEqual([type, 'ERR_FR_RIGHT'])
      expect(text).toMatch(/^the right '[a-z-]+.*' is missing/)
    }
    const { audit } = node.status()
    expect(audit.map(({ what }) => what)).toEqual(
      [...questionTypes].reverse().map((type) => expect.stringContaining(wordOf(type))),
    )
    expect(new Set(audit.map(({ decision, name }) => `${name} ${decision}`))).toEqual(
      new Set(['mallory refused']),
    )
  })

  it('that has none is no member: it may neither offer, take over, nor ask as a mate', async () => {
    const { node, peer } = await withNone()
    const offering = await peer.control()
    offering.say(...peer.offer({ name: 'a.bin', bytes: 70_000 }))
    expect(await offering.next('refuse')).toMatchObject({
      code: 'ERR_FR_RIGHT',
      text: expect.stringContaining("the right 'push a.bin' is missing"),
    })
    await expect(peer.pull(1)).rejects.toMatchObject({ code: 'ERR_FR_RIGHT' })
    const succeeding = await peer.control()
    succeeding.say(sampleFrames.find(({ type }) => type === 'succeed') as never)
    expect(await succeeding.next('refuse')).toMatchObject({ code: 'ERR_FR_RIGHT' })
    // Without an accepted offer nothing waits for its bytes.
    await expect(peer.data(originNumber)).rejects.toMatchObject({ code: 'ERR_FR_TIMEOUT' })
    expect(existsSync(join(node.dataDir, 'a.bin'))).toBe(false)
    expect(node.status().transfers).toEqual([])
  })

  it('may do what its line says, and nothing else', async () => {
    const line = (rights: string) => list(`${own} alice ${rights}`)
    const first = await world.node({ authorize: line('push in/**, status') })
    const { path, content } = world.file('a.bin', 100_000)
    const pushed = async (as: string) =>
      (await push(path, { to: [first.address], as }).result).nodes[0]
    expect(await pushed('in/a.bin')).toMatchObject({ status: 'complete' })
    expectCopies(content, 'in/a.bin', [first])
    expect(await pushed('b.bin')).toMatchObject({
      ...{ status: 'refused', code: 'ERR_FR_RIGHT', retryable: false },
      reason: expect.stringContaining("the right 'push b.bin' is missing"),
    })
    expect((await fetchStatus(first.address)).audit[1]).toMatchObject({
      ...{ peer: own, name: 'alice', what: 'push b.bin', decision: 'refused' },
      missing: 'push b.bin',
    })
    const output = join(world.dir, 'got')
    await expect(get('in/a.bin', { from: [first.address], output }).result).rejects.toMatchObject(
      refusedFor('get in/a.bin'),
    )
    expect(existsSync(output)).toBe(false)
    const to = [(await world.node()).address]
    const copied = copy('in/a.bin', { from: first.address, to }).result
    await expect(copied).rejects.toMatchObject(refusedFor('be-origin'))
    const removed = client.remove(first.address, 'in/a.bin')
    await expect(removed).rejects.toMatchObject(refusedFor('rm in/a.bin'))
    const limited = client.limit(first.address, { upBytesPerSecond: 1e6 })
    await expect(limited).rejects.toMatchObject(refusedFor('limit'))
    const changed = client.changeAttributes(first.address, { set: { tier: 'edge' } })
    await expect(changed).rejects.toMatchObject(refusedFor('admin'))
    const added = addNode('ab'.repeat(16), 'h:1', { via: first.address })
    await expect(added).rejects.toMatchObject(refusedFor('add'))
    expectCopies(content, 'in/a.bin', [first])
  })

  it('that may fetch and remove some names may not by a pattern that means more', async () => {
    const dataDir = world.dataDir()
    const open = await world.node({ dataDir })
    const { path, content } = world.file('a.bin', 1_000)
    for (const as of ['a/1', 'b/1']) await push(path, { to: [open.address], as }).result
    await open.close()
    const authorize = list(`${own} alice get a/**, rm a/*, status`)
    const node = await world.node({ dataDir, authorize })
    const output = join(world.dir, 'a1')
    await get('a/1', { from: [node.address], output }).result
    const away = get('b/1', { from: [node.address], output: `${output}.b` }).result
    await expect(away).rejects.toMatchObject(refusedFor('get b/1'))
    for (const pattern of ['**', '?/1', 'a/**'])
      await expect(client.remove(node.address, pattern, { glob: true })).rejects.toMatchObject(
        refusedFor(`rm ${pattern}`),
      )
    expectCopies(content, 'b/1', [{ dataDir }])
    await client.remove(node.address, 'a/*', { glob: true })
    expect(existsSync(join(dataDir, 'a/1'))).toBe(false)
  })
})
