/**
 * Contents by criteria at a node: it pulls what is announced for it, serves what it has of that,
 * and removes what was withdrawn, is over, or is for it no more.
 *
 * The idea: what is to be here follows from the announcements that are known and the attributes of
 * the node, and is looked at anew when either changes. A file is one that was announced when its
 * record has the content id of an announcement, so what somebody pushed under the same name is
 * never taken for it, and stays.
 */
import { siteOf } from '../../base/attributes.js'
import { utf8 } from '../../base/bytes.js'
import { matchesCriteria, parseCriteria } from '../../base/criteria.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { Glob } from '../../base/glob.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { nowMs } from '../../base/time/awake.js'
import { wallMs } from '../../base/time/wall.js'
import type { Announcement } from '../../control/messages/announcing.js'
import type { CopyOrder } from '../../control/messages/mastering.js'
import type { SwarmFrame, SwarmPeer } from '../../control/messages/swarming.js'
import { unitsTouched } from '../../control/swarm/units.js'
import { chosen, type Wants, wantedRanges } from '../../control/swarm/wants.js'
import { reachedAt } from '../../net/address.js'
import type { Established } from '../../net/handshake.js'
import { holderFault } from '../../session/holders.js'
import type { HeldChange, InstructedCopies } from '../../session/instructed-ports.js'
import type { HeldStream } from '../../store/catalogue/record.js'
import type { NodeService } from '../node-service.js'
import { type ContentName, isOfContent, isSame, keyOf, newestOf } from './announced.js'
import { LeftParts } from './left-parts.js'
import { PulledContent, type PullProgress } from './pulled-content.js'
import { PulledList } from './pulled-list.js'

export interface NodeSwarmSpec {
  readonly nodeId: string
  /** HOST:PORT that others dial; absent: the one it listens on. */
  readonly advertise: string | undefined
  readonly isReadOnly: boolean
  readonly wants: Wants
  /** A master wants this name here, so it is none of the swarm's business; null: it may. */
  readonly isRequired: (name: string) => boolean | null
  /** The first data directory; null: nothing may be written there. */
  readonly keptIn: string | null
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
  readonly #pulled: PulledList
  /** Contents of which it was said why they are not pulled. */
  readonly #refused = new Set<string>()
  /** By content and name. */
  readonly #dropping = new Map<string, Promise<void>>()
  /** Until when what just gets its name goes again; by content and name. */
  readonly #dropped = new Map<string, number>()
  /** Contents for the node that are not pulled now, and why. */
  #waits: PullProgress[] = []
  readonly #parts: LeftParts
  readonly #retries = new Set<NodeJS.Timeout>()
  #nextCopy = 0
  #isLooking = false
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** Of a service that listens. */
  constructor(service: NodeService, spec: NodeSwarmSpec) {
    this.#service = service
    this.#spec = spec
    this.#pulled = new PulledList(spec.keptIn, ({ message: text }) =>
      spec.log({ level: 'warn', event: 'pulled-unkept', fields: { text } }),
    )
    this.#copies = service.instructed.copies({
      ended: (copy, { cause }) => this.#ended(copy, cause === null),
    })
    service.swarm = (frame, asker) => this.#asked(frame, asker)
    this.#parts = new LeftParts(() => service.disks.likely(null).map(({ store }) => store))
    service.removed = (name, isGlob) => this.#removed(name, isGlob)
  }

  /** Contents that are pulled, then those that wait; limits.swarmTold at most. */
  get status(): PullProgress[] {
    const pulled = [...this.#contents.values()].flatMap(({ progress }) => progress ?? [])
    return [...pulled, ...this.#waits].slice(0, limits.swarmTold)
  }

  contentOf(name: string, contentId: string | null): PulledContent | undefined {
    return [...this.#contents.values()].find((content) => content.isOf(name, contentId))
  }

  /** What a master requires here has changed. */
  required(): void {
    this.#look()
  }

  /** Resolves when it knows what it has pulled before. */
  async start(): Promise<void> {
    const { directory, instructed, disks } = this.#service
    await this.#pulled.load()
    if (this.#isClosed) return
    disks.keeps = (contentId) => this.#isKept(contentId)
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
    for (const timer of this.#retries) clearTimeout(timer)
    for (const end of this.#ends.splice(0)) end()
    for (const content of this.#contents.values()) content.close()
    await this.#copies.close()
    await Promise.allSettled([...this.#dropping.values(), this.#parts.close()])
    await this.#pulled.settled()
  }

  #isKept(contentId: string): boolean {
    for (const pulled of this.#pulled.all) if (pulled.contentId === contentId) return true
    return false
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
    const { directory } = this.#service
    const known = [...directory.known]
    const nowUnixMs = wallMs()
    const ids = new Set(known.map(({ id }) => id))
    for (const [id, content] of this.#contents) if (!ids.has(id)) this.#forget(id, content)
    // What is only forgotten, or said anew, takes nothing away.
    for (const pulled of this.#pulled.all) {
      const isOver = pulled.expiresAtMs !== null && pulled.expiresAtMs <= nowUnixMs
      if (isOver && !known.some((one) => isOfContent(one, pulled))) this.#drop(pulled)
    }
    this.#waits = []
    const qualified = this.#qualified(newestOf(known)).filter((one) => !this.#isDeclined(one))
    const wanted = chosen(qualified, this.#spec.wants, nowUnixMs)
    const isWanted = new Set(wanted)
    for (const announcement of qualified)
      if (!isWanted.has(announcement)) this.#unwanted(announcement)
    for (const announcement of wanted) this.#want(announcement)
    this.#lookAgain(known, nowUnixMs)
  }

  /** Those that are for this node; what it holds as their initiator is served. */
  #qualified(announcements: Iterable<Announcement>): Announcement[] {
    const { attributes } = this.#service.directory
    const qualified: Announcement[] = []
    for (const announcement of announcements) {
      if (announcement.initiator.nodeId === this.#spec.nodeId) this.#initiates(announcement)
      else if (matchesCriteria(parseCriteria(announcement.where), attributes))
        qualified.push(announcement)
      else this.#unwanted(announcement)
    }
    return qualified
  }

  /** It is for this node, and is not pulled all the same. */
  #isDeclined(announcement: Announcement): boolean {
    const { id, name } = announcement
    if (this.#pulled.isRemoved(announcement)) {
      this.#unwanted(announcement)
      this.#wait(announcement, 'it was removed here (fr rm): a newer announcement brings it')
      return true
    }
    const isRequired = this.#spec.isRequired(name)
    if (isRequired === false) return false
    if (isRequired === null) {
      this.#wait(announcement, 'the master has not said yet what it wants here')
      return true
    }
    // What is there is the master's.
    this.#pulled.delete(announcement)
    const content = this.#contents.get(id)
    if (content?.isPulled === true) this.#forget(id, content)
    const text = 'a set of the master has the name'
    this.#refuse(announcement, text)
    this.#wait(announcement, text)
    return true
  }

  #wait({ name, contentId, size, division }: Announcement, reason: string): void {
    if (this.#waits.length >= limits.swarmTold) return
    const ranges = wantedRanges(division, size, this.#spec.wants.part)
    const bytes = ranges.reduce((sum, [, length]) => sum + length, 0)
    this.#waits.push({ name, contentId, bytes, hereBytes: 0, sources: 0, holders: 0, reason })
  }

  /** By somebody who asked for that: it does not come again by itself. */
  #removed(name: Uint8Array, isGlob: boolean): void {
    const glob = isGlob ? new Glob(name) : null
    for (const pulled of this.#pulled.all) {
      const its = utf8(pulled.name)
      // Of several that match some may have stayed. What one name had may be here again by now.
      const isHere = glob !== null && this.#recordOf(pulled.name)?.contentId === pulled.contentId
      const isMeant = glob === null ? Buffer.compare(its, name) === 0 : glob.matches(its)
      if (!isMeant || isHere) continue
      const known = [...this.#service.directory.known].filter((one) => one.name === pulled.name)
      const issuedAtMs = Math.max(...known.map((one) => one.issuedAtMs))
      if (known.length > 0) this.#pulled.removed(pulled.name, issuedAtMs)
      const fields = { name: pulled.name, contentId: pulled.contentId }
      this.#spec.log({ level: 'info', event: 'pull-removed', fields })
    }
    this.#look()
  }

  /** What was published here goes as it does where it was pulled. */
  #initiates(announcement: Announcement): void {
    this.#meet(announcement)
    const { name, contentId } = announcement
    if (this.#recordOf(name)?.contentId === contentId) this.#pulled.add(announcement)
  }

  /** A moment after the next is over. */
  #lookAgain(known: readonly Announcement[], nowUnixMs: number): void {
    const { ageMs } = this.#spec.wants
    const ends = known.flatMap(({ expiresAtMs, issuedAtMs }) => {
      return [expiresAtMs ?? [], ageMs === null ? [] : issuedAtMs + ageMs].flat()
    })
    const nextMs = Math.min(...ends.filter((end) => end > nowUnixMs))
    clearTimeout(this.#timer)
    if (nextMs === Number.POSITIVE_INFINITY) return
    const waitMs = Math.min(longestMs, nextMs - nowUnixMs + 10)
    this.#timer = setTimeout(() => this.#look(), waitMs)
  }

  #forget(id: string, content: PulledContent): void {
    content.close()
    this.#contents.delete(id)
  }

  /** It is for this node no more, or was never. */
  #unwanted(announcement: Announcement): void {
    const content = this.#contents.get(announcement.id)
    if (content !== undefined) this.#forget(announcement.id, content)
    if (this.#pulled.has(announcement)) this.#drop(announcement)
  }

  #want(announcement: Announcement): void {
    const { log, wants, isReadOnly } = this.#spec
    const { name, size, initiator, division } = announcement
    this.#dropped.delete(keyOf(announcement))
    const content = this.#meet(announcement)
    if (content === null || content.isPulled || isReadOnly) return
    const record = this.#recordOf(name)
    if (record !== undefined) {
      if (this.#pulled.has(announcement)) this.#pulled.add(announcement)
      if (isSame(record, announcement)) return
      // Somebody else's file has the name: it stays.
      if (record.author !== announcement.author && !this.#isPublished(name, record)) {
        const text = 'a file that was not published by its author has the name'
        this.#wait(announcement, text)
        return this.#refuse(announcement, text)
      }
    }
    const pulling = [...this.#contents.values()].filter(({ isPulling }) => isPulling).length
    if (pulling >= limits.swarmPulls)
      return this.#wait(announcement, `${pulling} others are pulled first`)
    const order = unitsTouched(content.geometry, wantedRanges(division, size, wants.part))
    if (order.length === 0 && size > 0) return
    this.#pulled.add(announcement)
    log({ level: 'info', event: 'pulling', fields: { name, size, from: initiator.address } })
    content.pull(order.length > 0 ? order : [0])
  }

  /** Once for each content. */
  #refuse({ name, contentId }: ContentName, text: string): void {
    const key = keyOf({ name, contentId })
    if (this.#refused.has(key)) return
    if (this.#refused.size >= limits.swarmContents) this.#refused.clear()
    this.#refused.add(key)
    this.#spec.log({ level: 'warn', event: 'pull-refused', fields: { name, text } })
  }

  /** Null: there are too many. */
  #meet(announcement: Announcement): PulledContent | null {
    const { id, name, contentId } = announcement
    const known = this.#contents.get(id)
    if (known !== undefined) return known
    if (this.#contents.size >= limits.swarmContents) {
      this.#refuse(announcement, `the node knows ${limits.swarmContents} contents already`)
      return null
    }
    const content = new PulledContent({
      announcement,
      self: this.#self,
      dialler: () => this.#service.dialler(),
      mates: () => this.#service.directory.siteMates().map((mate) => this.#mate(mate)),
      copy: (order, ended) => this.#copy(order, ended),
      complete: () => {
        this.#spec.log({ level: 'info', event: 'pulled', fields: { name, contentId } })
        this.#look()
      },
    })
    this.#contents.set(id, content)
    const record = this.#recordOf(name)
    if (record !== undefined && isSame(record, announcement)) content.held(null)
    else this.#parts.find(content, () => this.#contents.get(id) === content)
    return content
  }

  /** Whoever announced it: the newest of a name takes the place of what was announced before. */
  #isPublished(name: string, { contentId }: HeldStream): boolean {
    if (this.#pulled.has({ name, contentId })) return true
    for (const known of this.#service.directory.known)
      if (isOfContent(known, { name, contentId })) return true
    return false
  }

  /** What another author publishes as well stays. */
  #withdrawn(withdrawal: Announcement): void {
    for (const known of this.#service.directory.known) if (isOfContent(known, withdrawal)) return
    if (this.#pulled.has(withdrawal)) this.#drop(withdrawal)
  }

  /** Only this content; what an unfinished copy left goes once that is closed. */
  #drop({ name, contentId }: ContentName): void {
    const key = keyOf({ name, contentId })
    if (this.#spec.isReadOnly || this.#dropping.has(key)) return
    const { log } = this.#spec
    this.#dropped.delete(key)
    this.#dropped.set(key, nowMs() + 2 * limits.swarmDropMs)
    for (const [other, untilMs] of this.#dropped)
      if (untilMs < nowMs() || this.#dropped.size > limits.swarmContents)
        this.#dropped.delete(other)
    const dropping = this.#dropNow(utf8(name), contentId)
      .then((isDropped) => {
        this.#pulled.delete({ name, contentId })
        if (isDropped) log({ level: 'info', event: 'dropped', fields: { name, contentId } })
      })
      .catch((error: unknown) => {
        const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
        log({ level: 'warn', event: 'drop-failed', fields: { name, code, text } })
        // A transfer has the name: once more later.
        if (code === 'ERR_FR_BUSY' && !this.#isClosed) this.#dropLater({ name, contentId })
      })
      .finally(() => this.#dropping.delete(key))
    this.#dropping.set(key, dropping)
  }

  #dropLater(content: ContentName): void {
    const timer = setTimeout(() => {
      this.#retries.delete(timer)
      this.#drop(content)
    }, limits.swarmDropMs)
    this.#retries.add(timer)
  }

  async #dropNow(name: Uint8Array, contentId: string): Promise<boolean> {
    let isDropped = false
    for (const { held, store } of this.#service.disks.likely(name)) {
      if (await held.removeContent(name, contentId)) isDropped = true
      if ((await store.leftovers.removeContent(contentId)) > 0) isDropped = true
    }
    return isDropped
  }

  // --- copies ---

  #copy(order: Omit<CopyOrder, 'copy'>, ended: (isRight: boolean) => void): () => void {
    const copy = this.#nextCopy++
    this.#ending.set(copy, ended)
    this.#copies.start({ ...order, copy })
    return () => {
      this.#ending.delete(copy)
      this.#copies.stop(copy)
    }
  }

  #ended(copy: number, isRight: boolean): void {
    this.#ending.get(copy)?.(isRight)
    this.#ending.delete(copy)
  }

  #changed(change: HeldChange): void {
    const { name, contentId } = 'held' in change ? change.held : change.gone
    const untilMs = this.#dropped.get(keyOf({ name, contentId })) ?? 0
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
    return this.#service.disks.recordOf(utf8(name))
  }

  // --- others ---

  get #self(): SwarmPeer {
    const { nodeId, advertise } = this.#spec
    return { nodeId, address: advertise ?? this.#service.address, site: this.#site }
  }

  get #site(): string {
    return siteOf(this.#service.directory.attributes)
  }

  #mate({ nodeId, address }: { nodeId: string; address: string }): SwarmPeer {
    return { nodeId, address, site: this.#site }
  }

  async #asked(frame: Asked, asker: Established): Promise<SwarmFrame> {
    const { type: _, name, ...ask } = frame
    const content = this.contentOf(name, ask.contentId)
    if (content === undefined) throw new FrError('ERR_FR_NOT_HELD', 'it is not published here')
    const { authority } = this.#service
    const attributesOf = authority.attributesOf.bind(authority)
    const fault = holderFault(content.announcement.where, asker.peer, attributesOf)
    if (fault !== null) throw fault
    const site = siteOf(attributesOf(asker.peer))
    const address = reachedAt(ask.address, asker.remoteAddress)
    const peer = { nodeId: asker.peer?.nodeId ?? '', address, site }
    return { type: 'swarmed', ...(await content.asked(peer, ask)) }
  }
}
