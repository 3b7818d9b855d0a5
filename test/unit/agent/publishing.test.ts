/** What a node announces for a client, and what it refuses to. */
import { describe, expect, it } from 'vitest'
import { Publishing } from '../../../src/agent/publishing.js'
import { wantedBy } from '../../../src/agent/requests.js'
import { base64urlOf, hexOf } from '../../../src/base/bytes.js'
import { linearBytes } from '../../../src/base/division.js'
import { FrError } from '../../../src/base/errors.js'
import { Rights } from '../../../src/base/rights.js'
import type { Announcement } from '../../../src/control/messages/announcing.js'
import { nodePrimitives } from '../../../src/net/crypto.js'
import {
  type AnnouncementDraft,
  readAnnouncement,
  signAnnouncement,
} from '../../../src/protocol/announcement.js'
import { nodeIdOf } from '../../../src/protocol/greeting.js'
import { seededSigner } from '../protocol/support.js'
import { recordOf } from '../store/records.js'

const author = seededSigner(1)
const authorId = nodeIdOf(nodePrimitives, author.publicKey)
const initiator = { nodeId: 'ab'.repeat(16), address: '10.0.0.1:7400', site: 'ams' }
const draft: AnnouncementDraft = {
  kind: 'publish',
  name: 'film',
  contentId: 'cd'.repeat(16),
  digest: `blake3:${'ef'.repeat(32)}`,
  size: 1_000,
  where: 'a && b',
  allow: null,
  issuedAtMs: 5,
  expiresAtMs: null,
  initiator,
  division: linearBytes(1_000),
}
const record = {
  ...recordOf('film'),
  ...{ contentId: draft.contentId, fileDigest: draft.digest, size: 1_000, only: 'a && b' },
}

/** A node that holds that record, or another, and knows of these publications. */
function node({ held = record, known = [] as Announcement[] } = {}) {
  const announced: Uint8Array[] = []
  const publishing = new Publishing({
    directory: {
      known,
      announce: async (given) => {
        announced.push(given)
      },
    },
    initiator: () => initiator,
    recordOf: (name) => (Buffer.from(name).toString() === 'film' ? held : undefined),
  })
  return { publishing, announced }
}

function frame(changes: Partial<AnnouncementDraft> = {}, said: { name?: string } = {}) {
  const all = { ...draft, ...changes }
  const signed = signAnnouncement(author, all)
  const withdraws = all.kind === 'unpublish'
  return {
    ...({ type: 'announce', nameIsBase64: false, name: said.name ?? all.name, withdraws } as const),
    record: base64urlOf(signed),
  }
}

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  return error instanceof FrError ? error.code : 'none'
}

const withdrawal = { kind: 'unpublish', division: { ...draft.division, tracks: [] } } as const

describe('a node', () => {
  it('announces what it holds, as its author has signed it', async () => {
    const { publishing, announced } = node()
    const { id } = await publishing.announce(frame(), authorId)
    const [signed] = announced as [Uint8Array]
    expect(readAnnouncement(nodePrimitives, signed)).toMatchObject({ ...draft, id })
  })

  it.each([
    ['another content', { contentId: '00'.repeat(16) }, 'ERR_FR_NOT_HELD'],
    ['another digest', { digest: `blake3:${'00'.repeat(32)}` }, 'ERR_FR_NOT_HELD'],
    ['another size', { size: 999, division: linearBytes(999) }, 'ERR_FR_NOT_HELD'],
    ['other criteria', { where: 'a' }, 'ERR_FR_ONLY'],
    ['others who may have it', { allow: 'c' }, 'ERR_FR_ONLY'],
    ['a name that it does not hold', { name: 'other' }, 'ERR_FR_NOT_HELD'],
    ['another node', { initiator: { ...initiator, nodeId: '00'.repeat(16) } }, 'ERR_FR_PROTOCOL'],
    ['a withdrawal of what nobody has published', withdrawal, 'ERR_FR_NOT_HELD'],
  ])('announces nothing of %s', async (_, changes, code) => {
    const { publishing, announced } = node()
    expect(await codeOf(publishing.announce(frame(changes), authorId))).toBe(code)
    expect(announced).toEqual([])
  })

  it('announces nothing that is forged, passed on, or not as it was asked for', async () => {
    const { publishing, announced } = node()
    const other = nodeIdOf(nodePrimitives, seededSigner(2).publicKey)
    expect(await codeOf(publishing.announce(frame(), other))).toBe('ERR_FR_RIGHT')
    const renamed = publishing.announce(frame({}, { name: 'allowed' }), authorId)
    expect(await codeOf(renamed)).toBe('ERR_FR_PROTOCOL')
    const turned = publishing.announce({ ...frame(), withdraws: true }, authorId)
    expect(await codeOf(turned)).toBe('ERR_FR_PROTOCOL')
    for (const bad of ['', '!', base64urlOf(new Uint8Array(80))]) {
      const forged = publishing.announce({ ...frame(), record: bad }, authorId)
      expect(await codeOf(forged)).toBe('ERR_FR_PROTOCOL')
    }
    expect(announced).toEqual([])
  })

  it('withdraws for the author what it knows to be published, and tells of that', async () => {
    const known = readAnnouncement(nodePrimitives, signAnnouncement(author, draft))
    const { publishing, announced } = node({ known: [known] })
    expect(publishing.tell(Buffer.from('film'))).toMatchObject({
      held: { contentId: draft.contentId, only: 'a && b' },
      published: [{ author: hexOf(author.publicKey), contentId: draft.contentId, issuedAtMs: 5 }],
    })
    expect(publishing.tell(Buffer.from('none'))).toMatchObject({ held: null, published: [] })
    await publishing.announce(frame(withdrawal), authorId)
    expect(announced).toHaveLength(1)
  })
})

it('publishing takes the right to push the name, withdrawing that to remove it', () => {
  const missing = (rights: string, asked: ReturnType<typeof frame>) =>
    wantedBy(asked).map((wanted) => Rights.parse(rights).missing(wanted))
  expect(missing('push films/**', frame({ name: 'films/a' }))).toEqual([null])
  expect(missing('push films/**', frame())).not.toEqual([null])
  expect(missing('push', frame(withdrawal))).not.toEqual([null])
  expect(missing('rm', frame(withdrawal))).toEqual([null])
})
