/** A node reports offers and their outcomes to its program, and asks whether to accept them. */
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  FrError,
  type FrNode,
  type NodeFailure,
  type NodeOffer,
  type NodeOptions,
  type NodePublication,
  push,
} from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { usualEngines } from './engines.js'
import { Hostile, keyText } from './hostile.js'
import { expectCopies, partials, until, useWorld } from './push-support.js'

type Heard = ['offer', NodeOffer] | ['published', NodePublication] | ['failed', NodeFailure]

describe.each(usualEngines)('events of a %s node', (engine) => {
  const world = useWorld(engine)

  async function listening(options: Partial<NodeOptions> = {}) {
    const node = await world.node(options)
    const heard: Heard[] = []
    node.on('offer', (offer) => heard.push(['offer', offer]))
    node.on('published', (publication) => heard.push(['published', publication]))
    node.on('failed', (failure) => heard.push(['failed', failure]))
    return { node, heard }
  }

  const pushTo = ({ address }: FrNode, path: string) =>
    push(path, { to: [address], engine, retries: 0 })

  it('of a file that is taken: the offer, and its publication once it is in place', async () => {
    const { node, heard } = await listening()
    const { path, content } = world.file('data.bin', 2 * MIB)
    const published = once(node, 'published').then(() => {
      expectCopies(content, 'data.bin', [node])
    })
    const { transfer, digest, nodes } = await pushTo(node, path).result
    await published
    expect(nodes[0]).toMatchObject({ status: 'complete', digest })
    const about = {
      transfer,
      name: 'data.bin',
      bytes: 2 * MIB,
      sender: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    }
    expect(heard).toEqual([
      ['offer', { ...about, dataBytes: 2 * MIB }],
      ['published', { ...about, digest, seconds: expect.any(Number) }],
    ])
    const [, [, { seconds }]] = heard as [Heard, ['published', NodePublication]]
    expect(seconds).toBeGreaterThan(0)
  })

  it('of a commit: the publication once the version has the name, and none before', async () => {
    const all = await Promise.all([listening(), listening()])
    const to = all.map(({ node }) => node.address)
    const { path, content } = world.file('data.bin', 2 * MIB)
    const places: boolean[] = []
    for (const { node } of all)
      node.on('published', () => void places.push(existsSync(join(node.dataDir, 'data.bin'))))
    const { nodes, transfer, digest } = await push(path, { to, engine, commit: 'all' }).result
    expect(nodes.map(({ status }) => status)).toEqual(['complete', 'complete'])
    await until(() => places.length === 2, 'both have told of it')
    expect(places).toEqual([true, true])
    expectCopies(
      content,
      'data.bin',
      all.map(({ node }) => node),
    )
    for (const { heard } of all) {
      expect(heard.map(([event]) => event)).toEqual(['offer', 'published'])
      expect(heard[1]?.[1]).toMatchObject({ transfer, name: 'data.bin', digest, bytes: 2 * MIB })
    }
    // What no node takes up nobody hears of.
    const other = world.file('other.bin', MIB)
    const failing = await world.node({ accept: () => false })
    const none = push(other.path, { to: [...to, failing.address], engine, commit: 'all' })
    expect((await none.result).nodes.map(({ status }) => status)).not.toContain('complete')
    for (const { heard } of all)
      expect(heard.filter(([event]) => event === 'published')).toHaveLength(1)
  })

  it('of a push that is cancelled: the failure, when everything is given back', async () => {
    const { node, heard } = await listening()
    const { path } = world.file('data.bin', 8 * MIB)
    const door = await world.holding(node.address, MIB)
    const running = push(path, { to: [door.address], engine })
    await until(door.isHolding, 'the push is in the middle')
    expect(heard.map(([event]) => event)).toEqual(['offer'])
    const failed = once(node, 'failed').then(() => node.status().transfers.length)
    running.cancel(new Error('enough'))
    await expect(running.result).rejects.toThrow('enough')
    expect(await failed).toBe(0)
    const [[, offer], [, failure]] = heard as [['offer', NodeOffer], ['failed', NodeFailure]]
    const { transfer, name, bytes, sender } = offer
    expect(failure).toEqual({
      transfer,
      name,
      bytes,
      sender,
      code: failure.code,
      reason: expect.stringContaining(`${failure.code}: `),
    })
    expect(failure.code).toMatch(/^ERR_FR_(ABORTED|ORIGIN_LOST)$/)
    expect(heard).toHaveLength(2)
  })

  it('reach a listener that throws as its own error, and the node goes on', async () => {
    const node = await world.node()
    const uncaught: unknown[] = []
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => uncaught.push(error))
    try {
      const errors = [new Error('at the offer'), new Error('at the publication')]
      node.on('offer', () => {
        throw errors[0]
      })
      node.on('published', () => {
        throw errors[1]
      })
      const { nodes } = await pushTo(node, world.file('data.bin', MIB).path).result
      expect(nodes[0]?.reason).toBeNull()
      await until(() => uncaught.length === 2, 'both errors were seen')
      expect(uncaught).toEqual(errors)
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of before) process.on('uncaughtException', listener)
    }
  })

  describe('the accept hook', () => {
    it('holds up the answer, not the data connection of the origin', async () => {
      let answer: ((takes: boolean) => void) | undefined
      const { node } = await listening({
        key: keyText,
        accept: () =>
          new Promise((resolve) => {
            answer = resolve
          }),
      })
      const origin = new Hostile(node.address)
      world.defer(() => origin.dispose())
      const content = Buffer.alloc(1000, 'x')
      const link = await origin.control()
      link.say(...origin.offer({ name: 'data.bin', bytes: content.length }))
      await until(() => answer !== undefined, 'the hook is asked')
      const feed = await origin.data()
      answer?.(true)
      await link.next('accept')
      link.say(origin.plan([]))
      feed.record({ offset: 0, length: content.length }, content)
      const landed = () => node.status().transfers[0]?.landedBytes
      await until(() => landed() === content.length, 'what the connection brings has landed')
    })

    it('takes a file, and another one when the first came to nothing', async () => {
      const asked: NodeOffer[] = []
      const { node, heard } = await listening({
        accept: async (offer) => {
          asked.push(offer)
          return offer.name === 'wanted.bin'
        },
      })
      const unwanted = await pushTo(node, world.file('other.bin', MIB).path).result
      expect(unwanted.nodes[0]).toMatchObject({
        status: 'refused',
        code: 'ERR_FR_REFUSED',
        retryable: false,
      })
      const { path, content } = world.file('wanted.bin', MIB)
      const { nodes } = await pushTo(node, path).result
      expect(nodes[0]?.reason).toBeNull()
      expectCopies(content, 'wanted.bin', [node])
      expect(existsSync(join(node.dataDir, 'other.bin'))).toBe(false)
      expect(heard.map(([event, { name }]) => `${event} ${name}`)).toEqual([
        'offer other.bin',
        'failed other.bin',
        'offer wanted.bin',
        'published wanted.bin',
      ])
      expect(asked).toEqual([heard[0]?.[1], heard[2]?.[1]])
    })

    it('refuses with the error it throws, which is no trouble of the disk', async () => {
      const { node, heard } = await listening({
        accept: () => {
          throw new FrError('ERR_FR_NO_SPACE', 'the quota of the team is used up')
        },
      })
      const { nodes } = await pushTo(node, world.file('data.bin', MIB).path).result
      const reason = 'ERR_FR_NO_SPACE: the quota of the team is used up'
      expect(nodes[0]).toMatchObject({ status: 'refused', code: 'ERR_FR_NO_SPACE', reason })
      await until(() => heard.length === 2, 'the node has told')
      expect(heard[1]).toMatchObject(['failed', { code: 'ERR_FR_NO_SPACE', reason }])
      expect(node.status().lastError).toBeNull()
    })

    it('that breaks refuses, and only the log of the node says why', async () => {
      const node = await world.node({ accept: () => Promise.reject(new Error('a secret')) })
      const { nodes } = await pushTo(node, world.file('data.bin', MIB).path).result
      expect(nodes[0]).toMatchObject({
        status: 'refused',
        reason: 'ERR_FR_INTERNAL: the accept hook of the node failed',
      })
      const lines = world.log.filter(({ event }) => event === 'accept-failed')
      expect(lines).toMatchObject([{ level: 'error', fields: { name: 'data.bin' } }])
      expect(lines[0]?.fields['text']).toContain('a secret')
    })

    it('is asked before anything is set aside, and a node that closes does not wait', async () => {
      let isAsked = false
      const { node, heard } = await listening({
        accept: () => {
          isAsked = true
          return new Promise(() => {})
        },
      })
      const running = pushTo(node, world.file('data.bin', MIB).path)
      await until(() => isAsked, 'the hook is asked')
      expect(node.status().transfers).toMatchObject([{ waitsFor: 'the accept hook' }])
      expect(partials(node.dataDir)).toEqual([])
      expect(readdirSync(node.dataDir)).toEqual(['.fastreplica'])
      await node.close()
      // Not ERR_FR_TIMEOUT, the code for a hook that takes too long.
      expect(heard[1]).toMatchObject(['failed', { code: 'ERR_FR_NODE_CLOSED' }])
      expect((await running.result).nodes[0]).toMatchObject({ code: 'ERR_FR_NODE_CLOSED' })
    })
  })
})
