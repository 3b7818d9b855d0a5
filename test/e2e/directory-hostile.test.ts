/** Neighbours in a directory that do not keep to the rules. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { client } from '../../src/api/index.js'
import { base64urlOf } from '../../src/base/bytes.js'
import { limits } from '../../src/base/limits.js'
import type { Frame } from '../../src/control/messages/types.js'
import { freshSigner, nodePrimitives, selfOf } from '../../src/net/crypto.js'
import { dial } from '../../src/net/handshake.js'
import { openKey } from '../../src/net/keys.js'
import { ControlLink } from '../../src/net/link.js'
import { readAnnouncement, signAnnouncement } from '../../src/protocol/announcement.js'
import { announcementOf } from '../unit/control/directory/announcements.js'
import { useWorld } from './push-support.js'

const author = freshSigner()
const dictionary = '00'.repeat(16)

function recordOf(name: string, initiator: string, changes: object = {}) {
  const { announcement } = announcementOf({ name, size: 0, issuedAtMs: Date.now() })
  const { id: _, author: _author, ...draft } = announcement
  const place = { nodeId: initiator, address: '127.0.0.1:1', site: '' }
  const record = signAnnouncement(author, { ...draft, initiator: place, ...changes })
  return { record, ...readAnnouncement(nodePrimitives, record) }
}

function spread({ id, record }: { id: string; record: Uint8Array }): Frame {
  return { type: 'spread', id, record: base64urlOf(record) }
}

describe('a directory', () => {
  const world = useWorld('native')

  /** Somebody who speaks as a child or a mate does. */
  async function peer(address: string, first?: Frame) {
    const self = selfOf(freshSigner())
    const how = { keys: [openKey], self, channel: 'directory' } as const
    const heard: Frame[] = []
    const link = new ControlLink(await dial({ ...how, address }), {
      onFrame: (frame) => void heard.push(frame),
      onClose: () => {},
    })
    world.defer(() => link.destroy())
    const enroll = {
      address: '127.0.0.1:1',
      site: '',
      below: 0,
      dictionary,
      bits: 0,
      depth: null,
    } as const
    link.send(first ?? { type: 'enroll', ...enroll })
    const next = async <T extends Frame['type']>(type: T) => {
      for (;;) {
        const at = heard.findIndex((frame) => frame.type === type)
        if (at >= 0) return heard.splice(at, 1)[0] as Extract<Frame, { type: T }>
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    return { ...self, link, heard, next }
  }

  it('spreads what is signed, once, and never to its initiator', async () => {
    const { address } = await world.node()
    const [one, other] = [await peer(address), await peer(address)]
    await Promise.all([one.next('lineage'), other.next('lineage')])
    const film = recordOf('film', other.nodeId)
    one.link.send(spread(film))
    one.link.send(spread(film))
    const song = recordOf('song', one.nodeId)
    one.link.send(spread(song))
    expect(await other.next('spread')).toMatchObject({ id: song.id })
    one.link.send({ type: 'askKnown' })
    await one.next('known')
    expect((await one.next('known')).ids).toEqual([film.id])
    other.link.send({ type: 'wanted', ids: [film.id] })
    await other.next('given')
    for (const { heard } of [one, other])
      expect(heard.some(({ type }) => type === 'spread')).toBe(false)
    // A forged one, one under another id, and what no child says, end the link.
    const forged = {
      ...recordOf('forged', one.nodeId),
      record: Uint8Array.from(film.record).fill(7, 9, 10),
    }
    const renamed = { ...recordOf('renamed', one.nodeId), id: `${'0'.repeat(31)}1` }
    for (const wrong of [spread(forged), spread(renamed), { type: 'finish' } as const]) {
      const bad = await peer(address)
      await bad.next('lineage')
      bad.link.send(wrong)
      expect(await bad.next('refuse')).toMatchObject({ code: 'ERR_FR_PROTOCOL' })
    }
    const silent = await peer(address, { type: 'askKnown' })
    expect(await silent.next('refuse')).toMatchObject({ code: 'ERR_FR_PROTOCOL' })
    // Replayed after it was withdrawn, it is nothing.
    const issuedAtMs = film.issuedAtMs + 1
    const gone = recordOf('film', one.nodeId, { kind: 'unpublish', issuedAtMs })
    one.link.send(spread(gone))
    expect(await other.next('spread')).toMatchObject({ id: gone.id })
    one.link.send(spread(film))
    one.link.send({ type: 'askKnown' })
    expect((await one.next('known')).ids).toEqual([])
  })

  it('takes only so much of an author at once', async () => {
    // It has no disk to keep them on.
    const { address } = await world.node({ relayOnly: true })
    const [loud, other] = [await peer(address), await peer(address)]
    await Promise.all([loud.next('lineage'), other.next('lineage')])
    // So many that a busy machine is not given all of them in time, either.
    const count = limits.authorBurst + 400
    for (let i = 0; i < count; i++) loud.link.send(spread(recordOf(`n${i}`, '1'.repeat(32))))
    loud.link.send({ type: 'askKnown' })
    await loud.next('known')
    const { ids } = await loud.next('known')
    expect(ids.length).toBeGreaterThanOrEqual(limits.authorBurst)
    expect(ids.length).toBeLessThan(count)
  })

  it('has children with the right relay, and answers who has the right status', async () => {
    const authorize = join(world.dir, 'peers')
    const { nodeId } = selfOf(author)
    writeFileSync(authorize, `${nodeId} somebody get\n`)
    const { address } = await world.node({ authorize })
    const how = { keys: [openKey], self: selfOf(author), channel: 'directory' } as const
    const refused = new Promise<string>((resolve, reject) => {
      dial({ ...how, address }).then((established) => {
        const link = new ControlLink(established, {
          onFrame: (frame) => frame.type === 'refuse' && resolve(frame.text),
          onClose: () => {},
        })
        link.send({ type: 'mate', address: '127.0.0.1:1', site: 'x' })
      }, reject)
    })
    expect(await refused).toContain("the right 'relay' is missing")
    await expect(client.where('a', { via: address })).rejects.toThrow()
  })
})
