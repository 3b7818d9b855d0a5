/**
 * A node that contents are published at: the initiator. It announces what it holds itself, for the
 * criteria that it was pushed with, and what its author asks for alone.
 */
import { siteOf } from '../base/attributes.js'
import { bytesOfBase64url, bytesOfHex } from '../base/bytes.js'
import { mayHave } from '../base/content-rights.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { isSameName } from '../base/names.js'
import type { Announcement, Initiator } from '../control/messages/announcing.js'
import type { PublishedContent } from '../control/messages/publishing.js'
import type { Frame } from '../control/messages/types.js'
import { nodePrimitives } from '../net/crypto.js'
import { readAnnouncement } from '../protocol/announcement.js'
import { nodeIdOf } from '../protocol/greeting.js'
import { decodeName } from '../protocol/manifest.js'
import type { HeldStream } from '../store/catalogue/record.js'
import type { DirectoryPort } from './directory/port.js'
import type { Disks } from './disks.js'
import type { NodeServiceSpec } from './node-spec.js'

type FrameOf<T extends Frame['type']> = Extract<Frame, { type: T }>

export interface PublishingParts {
  readonly directory: Pick<DirectoryPort, 'announce' | 'known'>
  /** This node, as others reach it. */
  readonly initiator: () => Initiator
  readonly recordOf: (name: Uint8Array) => HeldStream | undefined
}

export class Publishing {
  readonly #parts: PublishingParts

  constructor(parts: PublishingParts) {
    this.#parts = parts
  }

  /** What is there of a name. */
  tell(name: Uint8Array): FrameOf<'publishable'> {
    const { directory, initiator, recordOf } = this.#parts
    const record = recordOf(name)
    const published: PublishedContent[] = []
    for (const announcement of directory.known) {
      if (published.length === limits.publishedPerName) break
      if (isSameName(Buffer.from(announcement.name), name)) published.push(shown(announcement))
    }
    const held = record && {
      ...{ contentId: record.contentId, fileDigest: record.fileDigest, size: record.size },
      only: record.only ?? null,
    }
    return { type: 'publishable', initiator: initiator(), held: held ?? null, published }
  }

  /**
   * Spreads what a client has signed. Rejects with ERR_FR_PROTOCOL for what is not as it says,
   * ERR_FR_RIGHT for a record of another author, ERR_FR_NOT_HELD for what this node does not hold,
   * or does not know to be published, and as the directory does.
   */
  async announce(frame: FrameOf<'announce'>, askerId: string): Promise<FrameOf<'announced'>> {
    const record = bytesOfBase64url(frame.record) ?? new Uint8Array()
    const announcement = readAnnouncement(nodePrimitives, record)
    const { name, kind, author, id } = announcement
    const isAsSaid =
      isSameName(Buffer.from(name), decodeName(frame)) && (kind === 'unpublish') === frame.withdraws
    if (!isAsSaid) throw new FrError('ERR_FR_PROTOCOL', 'an announcement says something else')
    const key = bytesOfHex(author) ?? new Uint8Array()
    if (nodeIdOf(nodePrimitives, key) !== askerId)
      throw new FrError('ERR_FR_RIGHT', 'only its author may have something announced')
    if (kind === 'publish') this.#requireHeld(announcement)
    else this.#requirePublished(announcement)
    await this.#parts.directory.announce(record)
    return { type: 'announced', id }
  }

  #requireHeld(announcement: Announcement): void {
    const { name, contentId, digest, size, where, allow, initiator } = announcement
    if (initiator.nodeId !== this.#parts.initiator().nodeId)
      throw new FrError('ERR_FR_PROTOCOL', 'an announcement names another node than this')
    const record = this.#parts.recordOf(Buffer.from(name))
    const isHeld =
      record?.contentId === contentId && record.fileDigest === digest && record.size === size
    if (!isHeld)
      throw new FrError('ERR_FR_NOT_HELD', 'the node does not hold the content that is announced')
    if (record.only !== mayHave(where, allow))
      throw new FrError('ERR_FR_ONLY', 'the node holds the content for other nodes than announced')
  }

  #requirePublished(announcement: Announcement): void {
    const { name, contentId, author } = announcement
    for (const known of this.#parts.directory.known)
      if (known.name === name && known.contentId === contentId && known.author === author) return
    throw new FrError('ERR_FR_NOT_HELD', 'the node knows of no such publication')
  }
}

/** Of a node as it is when it is asked. */
export function publishingAt(
  node: {
    readonly address: string
    readonly directory: DirectoryPort
    readonly disks: Pick<Disks, 'recordOf'>
  },
  { self, advertise }: Pick<NodeServiceSpec, 'self' | 'advertise'>,
): Publishing {
  return new Publishing({
    directory: node.directory,
    initiator: () => ({
      nodeId: self.nodeId,
      address: advertise ?? node.address,
      site: siteOf(node.directory.attributes),
    }),
    recordOf: (name) => node.disks.recordOf(name),
  })
}

function shown(announcement: Announcement): PublishedContent {
  const { contentId, digest: fileDigest, size, where: only } = announcement
  const { author, initiator, issuedAtMs } = announcement
  return { contentId, fileDigest, size, only, author, initiator, issuedAtMs }
}
