/**
 * Contents by criteria at a node: it pulls what is announced for it, serves what it has of that,
 * and removes what was withdrawn, is over, or is for it no more.
 *
 * The idea: what is to be here follows from the announcements that are known and the attributes of
 * the node, and is looked at anew when either changes. A file is one that was announced when its
 * record has the content id of an announcement, so what somebody pushed under the same name is
 * never taken for it, and stays.
 */
import { attributeOf } from '../../base/attributes.js'
import { utf8 } from '../../base/bytes.js'
import { matchesCriteria, parseCriteria } from '../../base/criteria.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { nowMs } from '../../base/time/awake.js'
import type { Announcement } from '../../control/messages/announcing.js'
import type { CopyOrder } from '../../control/messages/mastering.js'
import type { SwarmFrame, SwarmPeer } from '../../control/messages/swarming.js'
import { unitsTouched } from '../../control/swarm/units.js'
import { formatAddress, parseAddress } from '../../net/address.js'
import type { Established } from '../../net/handshake.js'
import { holderFault } from '../../session/holders.js'
import type { HeldChange, InstructedCopies } from '../../session/instructed-ports.js'
import type { HeldStream } from '../../store/catalogue/record.js'
import type { NodeService } from '../node-service.js'
import { PulledContent } from './pulled-content.js'

export interface NodeSwarmSpec {
  readonly nodeId: string
  /** HOST:PORT that others dial; absent: the one it listens on. */
  readonly advertise: string | undefined
  readonly isReadOnly: boolean
  readonly log: Logger
}

type Asked = Extract<SwarmFrame, { type: 'swarm' }>

const longestMs = 86_400_000

export class NodeSwarm {
  readonly #service: NodeService
  readonly #spec: NodeSwarmSpec
  readonly #copies: InstructedCopies
  readonly #contents = new Map<string, PulledContent>()
  readonly #ending = new Map<number, (isRight: boolean) => void>()
  readonly #ends: (() => void)[] = []
  /** By content and name. */
  readonly #dropping = new Map<string, Promise<void>>()
  /** Until when what just gets its name goes again; by content and name. */
  readonly #dropped = new Map<string, number>()
  #nextCopy = 0
  #isLooking = false
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** Of a service that listens. */
  constructor(service: NodeService, spec: NodeSwarmSpec) {
    this.#service = service
    this.#spec = spec
    this.#copies = service.instructed.copies({
      ended: (copy, { cause }) => this.#ended(copy, cause === null),
    })
    service.swarm = (frame, asker) => this.#asked(frame, asker)
  }

  /** Contents that are pulled, and those of which all that is wanted is here. */
  get status(): { readonly known: number; readonly pulling: number } {
    const all = [...this.#contents.values()]
    return { known: all.length, pulling: all.filter(({ isPulling }) => isPulling).length }
  }

  start(): void {
    const { directory, instructed } = this.#service
    this.#ends.push(
      directory.onAnnouncement((announcement) => {
        if (announcement.kind === 'unpublish') this.#withdrawn(announcement)
        this.#look()
      }),
      directory.onAttributes(() => this.#look()),
      instructed.held.onChange((change) => this.#changed(change)),
    )
    this.#look()
  }

  /** Before the service; idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const end of this.#ends.splice(0)) end()
    for (const content of this.#contents.values()) content.close()
    await this.#copies.close()
    await Promise.allSettled(this.#dropping.values())
  }

  // --- what is to be here ---

  /** Once for all that has changed by now. */
  #look(): void {
    if (this.#isLooking || this.#isClosed) return
    this.#isLooking = true
    setImmediate(() => {
      this.#isLooking = false
      if (!this.#isClosed) this.#lookNow()
    })
  }

  #lookNow(): void {
    const { directory, log } = this.#service
    const known = new Map<string, Announcement>()
    const newest = new Map<string, Announcement>()
    let nextMs = Number.POSITIVE_INFINITY
    for (const announcement of directory.known) {
      known.set(announcement.id, announcement)
      const other = newest.get(announcement.name)
      if (other === undefined || isNewer(announcement, other))
        newest.set(announcement.name, announcement)
      nextMs = Math.min(nextMs, announcement.expiresAtMs ?? Number.POSITIVE_INFINITY)
    }
    for (const [id, content] of this.#contents)
      if (!known.has(id)) {
        content.close()
        this.#contents.delete(id)
        // One that is only forgotten, or said anew, takes nothing away.
        const { expiresAtMs } = content.announcement
        const isSaid = [...known.values()].some((one) => isOfContent(one, content.announcement))
        const isOver = expiresAtMs !== null && expiresAtMs <= Date.now()
        if (isOver && !isSaid) this.#drop(content.announcement)
      }
    for (const announcement of newest.values())
      try {
        this.#judge(announcement)
      } catch (error) {
        const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
        log({
          level: 'warn',
          event: 'pull-failed',
          fields: { name: announcement.name, code, text },
        })
      }
    clearTimeout(this.#timer)
    // Looks again a moment after the next has expired.
    if (nextMs < Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(
        () => this.#look(),
        Math.min(longestMs, Math.max(1, nextMs - Date.now() + 10)),
      )
  }

  #judge(announcement: Announcement): void {
    const { nodeId, isReadOnly, log } = this.#spec
    const { id, where, initiator, name, size } = announcement
    const content = this.#contents.get(id)
    const isInitiator = initiator.nodeId === nodeId
    const { attributes } = this.#service.directory
    if (!isInitiator && !matchesCriteria(parseCriteria(where), attributes)) {
      // It is for this node no more, or was never.
      content?.close()
      this.#contents.delete(id)
      return this.#drop(announcement)
    }
    this.#dropped.delete(`${announcement.contentId} ${name}`)
    const here = content ?? this.#meet(announcement)
    if (here === null || isInitiator || isReadOnly || here.isPulling) return
    const record = this.#recordOf(name)
    if (record !== undefined && !isSame(record, announcement)) {
      // Somebody else's file has the name: it stays.
      if (!this.#mayReplace(record, announcement)) {
        const text = 'a file that was not published by its author has the name'
        return log({ level: 'warn', event: 'pull-refused', fields: { name, text } })
      }
    } else if (record !== undefined) return
    const { tracks } = announcement.division
    const order = unitsTouched(
      here.geometry,
      tracks.flatMap(({ ranges }) => ranges),
    )
    log({ level: 'info', event: 'pulling', fields: { name, size, from: initiator.address } })
    here.pull(order.length > 0 ? order : [0])
  }

  /** Null: there are too many. */
  #meet(announcement: Announcement): PulledContent | null {
    const { log } = this.#spec
    const { id, name, contentId } = announcement
    if (this.#contents.size >= limits.swarmContents) {
      const text = `the node knows ${limits.swarmContents} contents already`
      log({ level: 'warn', event: 'pull-refused', fields: { name, text } })
      return null
    }
    const content = new PulledContent({
      announcement,
      self: this.#self,
      dialler: () => this.#service.dialler(),
      mates: () => this.#service.directory.siteMates().map((mate) => this.#mate(mate)),
      copy: (order, ended) => this.#copy(order, ended),
      complete: () => log({ level: 'info', event: 'pulled', fields: { name, contentId } }),
    })
    this.#contents.set(id, content)
    const record = this.#recordOf(name)
    if (record !== undefined && isSame(record, announcement)) content.held(null)
    else void this.#findPart(content)
    return content
  }

  /** What an earlier run of the process has left of it. */
  async #findPart(content: PulledContent): Promise<void> {
    const { name, digest, size } = content.announcement
    for (const { store } of this.#service.disks.likely(null))
      for await (const { header, whole, here } of store.leftovers.told()) {
        const isOfName = Buffer.compare(header.name, utf8(name)) === 0
        if (!isOfName || whole.fileDigest !== digest || header.size !== size) continue
        if (this.#contents.get(content.announcement.id) === content) content.held(here.toArray())
      }
  }

  #mayReplace({ author, contentId }: HeldStream, announcement: Announcement): boolean {
    if (author === announcement.author) return true
    for (const { announcement: other } of this.#contents.values())
      if (other.contentId === contentId && other.name === announcement.name) return true
    return false
  }

  /** What another author publishes as well stays. */
  #withdrawn(withdrawal: Announcement): void {
    for (const known of this.#service.directory.known) if (isOfContent(known, withdrawal)) return
    this.#drop(withdrawal)
  }

  /** Only this content; what an unfinished copy left goes once that is closed. */
  #drop({ name, contentId }: Pick<Announcement, 'name' | 'contentId'>): void {
    const key = `${contentId} ${name}`
    if (this.#spec.isReadOnly || this.#dropping.has(key)) return
    const { log } = this.#spec
    this.#dropped.delete(key)
    this.#dropped.set(key, nowMs() + 2 * limits.swarmDropMs)
    for (const [other, untilMs] of this.#dropped)
      if (untilMs < nowMs() || this.#dropped.size > limits.swarmContents)
        this.#dropped.delete(other)
    const dropping = this.#dropNow(utf8(name), contentId)
      .then((isDropped) => {
        if (isDropped) log({ level: 'info', event: 'dropped', fields: { name, contentId } })
      })
      .catch((error: unknown) => {
        const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
        log({ level: 'warn', event: 'drop-failed', fields: { name, code, text } })
        // A transfer has the name: once more later.
        if (code === 'ERR_FR_BUSY' && !this.#isClosed)
          setTimeout(() => this.#isClosed || this.#drop({ name, contentId }), limits.swarmDropMs)
      })
      .finally(() => this.#dropping.delete(key))
    this.#dropping.set(key, dropping)
  }

  async #dropNow(name: Uint8Array, contentId: string): Promise<boolean> {
    let isDropped = false
    for (const disk of this.#service.disks.likely(name))
      if (disk.recordOf(name)?.contentId === contentId)
        isDropped = (await disk.held.removeContent(name, contentId)) || isDropped
    return isDropped
  }

  // --- copies ---

  #copy(order: Omit<CopyOrder, 'copy'>, ended: (isRight: boolean) => void): void {
    const copy = this.#nextCopy++
    this.#ending.set(copy, ended)
    this.#copies.start({ ...order, copy })
  }

  #ended(copy: number, isRight: boolean): void {
    const ended = this.#ending.get(copy)
    this.#ending.delete(copy)
    ended?.(isRight)
  }

  #changed(change: HeldChange): void {
    const { name, contentId } = 'held' in change ? change.held : change.gone
    const untilMs = this.#dropped.get(`${contentId} ${name}`) ?? 0
    if ('held' in change && change.held.ranges === null && nowMs() < untilMs)
      this.#drop({ name, contentId })
    for (const content of this.#contents.values()) {
      const { announcement } = content
      if (announcement.name !== name) continue
      if ('gone' in change) {
        const isThis = change.gone.contentId === announcement.contentId
        if (isThis) content.gone()
      } else if (isSame(change.held, announcement)) content.held(change.held.ranges)
    }
  }

  #recordOf(name: string): HeldStream | undefined {
    const bytes = utf8(name)
    for (const disk of this.#service.disks.likely(bytes)) {
      const record = disk.recordOf(bytes)
      if (record !== undefined) return record
    }
    return undefined
  }

  // --- others ---

  get #self(): SwarmPeer {
    const { nodeId, advertise } = this.#spec
    return { nodeId, address: advertise ?? this.#service.address, site: this.#site }
  }

  get #site(): string {
    return siteOf(attributeOf(this.#service.directory.attributes, 'site'))
  }

  #mate({ nodeId, address }: { nodeId: string; address: string }): SwarmPeer {
    return { nodeId, address, site: this.#site }
  }

  async #asked(frame: Asked, asker: Established): Promise<SwarmFrame> {
    const { type: _, name, ...ask } = frame
    const content = [...this.#contents.values()].find(({ announcement }) => {
      return announcement.contentId === ask.contentId && announcement.name === name
    })
    if (content === undefined)
      throw new FrError('ERR_FR_NOT_HELD', 'the node knows of no such publication')
    const { authority } = this.#service
    const attributesOf = authority.attributesOf.bind(authority)
    const fault = holderFault(content.announcement.where, asker.peer, attributesOf)
    if (fault !== null) throw fault
    const site = siteOf(attributeOf(attributesOf(asker.peer), 'site'))
    const address = reachedAt(ask.address, asker.remoteAddress)
    const peer = { nodeId: asker.peer?.nodeId ?? '', address, site }
    return { type: 'swarmed', ...(await content.asked(peer, ask)) }
  }
}

function siteOf(value: string | undefined): string {
  return value?.slice(0, limits.siteChars) ?? ''
}

/** Where a node is reached that listens at `said` and dials from `from`. */
function reachedAt(said: string, from: string): string {
  const listening = parseAddress(said)
  const isAny = listening !== null && ['0.0.0.0', '::', ''].includes(listening.host)
  const host = parseAddress(from)?.host
  return isAny && host !== undefined ? formatAddress({ ...listening, host }) : said
}

function isNewer(a: Announcement, b: Announcement): boolean {
  return a.issuedAtMs === b.issuedAtMs ? a.id > b.id : a.issuedAtMs > b.issuedAtMs
}

function isOfContent(a: Announcement, b: Announcement): boolean {
  return a.contentId === b.contentId && a.name === b.name
}

function isSame(
  held: { readonly digest: string | null; readonly size: number } | HeldStream,
  { digest, size }: Announcement,
): boolean {
  const known = 'fileDigest' in held ? held.fileDigest : held.digest
  return known === digest && held.size === size
}
