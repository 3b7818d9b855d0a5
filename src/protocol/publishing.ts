/** Bodies of what a client that publishes says to a node, and of its answers. */
import { parseAddress } from '../base/addresses.js'
import { limits } from '../base/limits.js'
import type { Initiator } from '../control/messages/announcing.js'
import type {
  Publishable,
  PublishedContent,
  PublishingFrame,
} from '../control/messages/publishing.js'
import type { Fields } from './fields.js'
import { readFileDigest } from './file-digest.js'
import { readName } from './manifest.js'
import { readOnly } from './only.js'

type BodyOf<T extends PublishingFrame['type']> = Omit<Extract<PublishingFrame, { type: T }>, 'type'>

export function readInitiator(fields: Fields): Initiator {
  const address = fields.string('address', limits.addressChars)
  if (parseAddress(address) === null) fields.refuse('address', 'is not HOST:PORT')
  return {
    nodeId: fields.hex('nodeId', 32),
    address,
    site: fields.string('site', limits.siteChars),
  }
}

function readHeld(fields: Fields): Publishable {
  return {
    contentId: fields.hex('contentId', 32),
    fileDigest: readFileDigest(fields, 'fileDigest'),
    size: fields.integer('size', 0, limits.fileBytes),
    only: fields.isNull('only') ? null : (readOnly(fields).only ?? null),
  }
}

function readPublished(fields: Fields): PublishedContent {
  return {
    ...readHeld(fields),
    author: fields.hex('author', 2 * limits.publicKeyBytes),
    initiator: readInitiator(fields.object('initiator')),
    issuedAtMs: fields.integer('issuedAtMs', 0, Number.MAX_SAFE_INTEGER),
  }
}

function readPublishable(body: Fields): BodyOf<'publishable'> {
  return {
    initiator: readInitiator(body.object('initiator')),
    held: body.isNull('held') ? null : readHeld(body.object('held')),
    published: body.list('published', limits.publishedPerName, readPublished),
  }
}

function readAnnounce(body: Fields): BodyOf<'announce'> {
  return {
    ...readName(body),
    withdraws: body.boolean('withdraws'),
    record: body.string('record', Math.ceil((limits.announcementBytes * 4) / 3)),
  }
}

/** Number and reader of each. */
export const publishingFrames = {
  publishing: [180, readName],
  publishable: [181, readPublishable],
  announce: [182, readAnnounce],
  announced: [183, (body: Fields): BodyOf<'announced'> => ({ id: body.hex('id', 32) })],
} as const
