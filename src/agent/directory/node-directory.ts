/**
 * The directory at one node: the machine, its links, and what is kept of announcements.
 *
 * Every node is part of a directory, one that was told of no parent as the root of its own.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { Attributes } from '../../base/attributes.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { wallMs } from '../../base/time/wall.js'
import { entriesOf } from '../../control/directory/dictionary.js'
import { Directory } from '../../control/directory/directory.js'
import type { DirectoryFact, DirectoryNote, DirectoryWish } from '../../control/directory/facts.js'
import type { Kept } from '../../control/directory/history.js'
import type { Announcement } from '../../control/messages/announcing.js'
import type { FoundNode } from '../../control/messages/directory.js'
import { nodePrimitives } from '../../net/crypto.js'
import type { Established } from '../../net/handshake.js'
import { readAnnouncement } from '../../protocol/announcement.js'
import { KeptAnnouncements } from './kept-announcements.js'
import { DirectoryLinks, type LinksHost } from './links.js'
import type { DirectoryPeer, DirectoryPort } from './port.js'

/** Its place, as the user has said. */
export interface DirectoryPlace {
  /** HOST:PORT of parents, the first is tried first; empty: it is a root. */
  readonly parents: readonly string[]
  readonly maxChildren: number
  /** HOST:PORT of who takes over when this root is gone. */
  readonly deputy: string | null
}

export interface NodeDirectorySpec extends Pick<LinksHost, 'dialler' | 'require'> {
  readonly nodeId: string
  /** With its name, if it has one. */
  readonly attributes: Attributes
  /** Data directory in which announcements are kept; null: nothing is written. */
  readonly keptIn: string | null
  readonly place?: DirectoryPlace | undefined
  readonly log: Logger
  /** Milliseconds of silence after which a link is over. */
  readonly silenceMs?: number
}

/** What a query has found, and how many nodes were asked for it. */
export interface WhereFound {
  readonly count: number
  readonly asked: number
  /** False: somebody who may match gave no answer in time. */
  readonly isWhole: boolean
}

type Told = (announcement: Announcement, record: Uint8Array) => void

interface Query {
  readonly found: (nodes: readonly FoundNode[]) => void
  readonly answered: (found: WhereFound) => void
  count: number
}

/** Records read from the disk before others have their turn. */
const loadedAtOnce = 16
const longestMs = 86_400_000
const full = 'ERR_FR_DICTIONARY_FULL'
const alone: DirectoryPlace = { parents: [], maxChildren: limits.children, deputy: null }

export class NodeDirectory implements DirectoryPort {
  readonly #spec: NodeDirectorySpec
  readonly #links: DirectoryLinks
  readonly #kept: KeptAnnouncements | undefined
  readonly #listeners = new Set<Told>()
  readonly #changed = new Set<() => void>()
  readonly #queries = new Map<number, Query>()
  #lastQuery = 0
  #machine: Directory | undefined
  #loaded: Promise<void> | undefined
  #attributes: Attributes
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(spec: NodeDirectorySpec) {
    const { keptIn, log, attributes, nodeId, dialler, require } = spec
    this.#spec = spec
    this.#attributes = { ...attributes, id: nodeId }
    this.#links = new DirectoryLinks({
      ...{ dialler, require, silenceMs: spec.silenceMs ?? limits.directorySilenceMs },
      fact: (fact) => this.#post(fact),
      isWanted: (link, id) => this.#machine?.isWanted(link, id, wallMs()) === true,
    })
    if (keptIn !== null)
      this.#kept = new KeptAnnouncements(keptIn, ({ message: text }) =>
        log({ level: 'warn', event: 'announcement-unkept', fields: { text } }),
      )
  }

  get attributes(): Attributes {
    return this.#attributes
  }

  get known(): Iterable<Announcement> {
    return this.#machine?.flood.history.published(wallMs()) ?? []
  }

  get status() {
    const tree = this.#machine?.tree
    const flood = this.#machine?.flood
    const dictionary = tree?.dictionary
    const parent = tree?.lineage.parent?.address ?? null
    const unknown = entriesOf(this.#attributes).filter((entry) => dictionary?.has(entry) !== true)
    const isFull = unknown.length > 0 && dictionary?.isFull === true
    return {
      ...{ parent, fault: parent === null ? tree?.lineage.fault || null : null },
      ...{ depth: tree?.lineage.path.length ?? 0, children: tree?.children.size ?? 0 },
      ...{ below: tree?.children.count ?? 0, mates: this.#machine?.mates.size ?? 0 },
      ...{ bits: dictionary?.size ?? 0, unknown, code: isFull ? full : null },
      ...{ announcements: flood?.history.count ?? 0, dropped: flood?.dropped ?? 0 },
    }
  }

  /** Once, of a node that listens there: HOST:PORT as others reach it. */
  start(address: string): void {
    if (this.#machine !== undefined || this.#isClosed) return
    const { nodeId, place = alone } = this.#spec
    const run = randomBytes(12).toString('hex')
    const seed = randomInt(2 ** 31)
    const spec = { nodeId, address, attributes: this.#attributes, run, seed, ...place }
    this.#machine = new Directory(spec, wallMs())
    this.#loaded = this.#load()
    this.#post({ type: 'due' })
  }

  /** A link that somebody has dialled. */
  serve(established: Established): void {
    if (this.#machine === undefined) return established.close()
    this.#links.serve(established)
  }

  async announce(record: Uint8Array): Promise<void> {
    const announcement = readAnnouncement(nodePrimitives, record)
    await this.#loaded
    if (this.#machine === undefined || this.#isClosed)
      throw new FrError('ERR_FR_NODE_CLOSED', 'the node is closing')
    this.#carryOut(this.#machine.announce({ announcement, record }, wallMs()))
    await this.#kept?.settled()
  }

  onAnnouncement(told: Told): () => void {
    const before: Kept[] = [...(this.#machine?.flood.history.all ?? [])]
    let isOn = true
    // What comes from now on is told behind what there is.
    queueMicrotask(() => {
      for (const { announcement, record } of before) if (isOn) told(announcement, record)
    })
    const later: Told = (announcement, record) =>
      queueMicrotask(() => {
        if (isOn) told(announcement, record)
      })
    this.#listeners.add(later)
    return () => {
      isOn = false
      this.#listeners.delete(later)
    }
  }

  siteMates(): readonly DirectoryPeer[] {
    return this.#machine?.siteMates ?? []
  }

  onAttributes(changed: () => void): () => void {
    this.#changed.add(changed)
    return () => this.#changed.delete(changed)
  }

  /** With its name, if it has one. */
  setAttributes(attributes: Attributes): void {
    this.#attributes = { ...attributes, id: this.#spec.nodeId }
    this.#post({ type: 'attributes', attributes: this.#attributes })
    for (const changed of this.#changed) queueMicrotask(changed)
  }

  /** Which nodes criteria in canonical form match, in all of the directory that is reached. */
  where(criteria: string, found: Query['found']): Promise<WhereFound> {
    return new Promise((answered) => {
      const query = ++this.#lastQuery
      this.#queries.set(query, { found, answered, count: 0 })
      if (this.#machine === undefined) this.#answered(query, 0, false)
      else this.#post({ type: 'where', query, criteria })
    })
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#links.close()
    for (const query of [...this.#queries.keys()]) this.#answered(query, 0, false)
    await this.#loaded
    await this.#kept?.settled()
  }

  async #load(): Promise<void> {
    let count = 0
    for await (const record of this.#kept?.load() ?? []) {
      if (++count % loadedAtOnce === 0) await turn()
      try {
        const announcement = readAnnouncement(nodePrimitives, record)
        const kept = { announcement, record }
        this.#carryOut(this.#machine?.restore(kept, wallMs()) ?? [])
      } catch (error) {
        const { message: text } = asFrError(error, 'ERR_FR_INTERNAL')
        this.#spec.log({ level: 'warn', event: 'announcement-damaged', fields: { text } })
      }
    }
  }

  #post(fact: DirectoryFact): void {
    if (this.#machine !== undefined && !this.#isClosed)
      this.#carryOut(this.#machine.post(fact, wallMs()))
  }

  #carryOut(wishes: readonly DirectoryWish[]): void {
    for (const wish of wishes) this.#do(wish)
    clearTimeout(this.#timer)
    if (this.#isClosed || this.#machine === undefined) return
    const waitMs = Math.min(Math.max(0, Math.ceil(this.#machine.dueMs - wallMs())), longestMs)
    this.#timer = setTimeout(() => this.#post({ type: 'due' }), waitMs).unref()
  }

  #do(wish: DirectoryWish): void {
    switch (wish.type) {
      case 'dial':
        return this.#links.dial(wish.kind, wish.address)
      case 'say':
        return this.#links.say(wish.link, wish.frame)
      case 'hangUp':
        return this.#links.hangUp(wish.link)
      case 'found': {
        const query = this.#queries.get(wish.query)
        if (query === undefined) return
        query.count += wish.nodes.length
        return query.found(wish.nodes)
      }
      case 'answered':
        return this.#answered(wish.query, wish.asked, wish.isWhole)
      case 'told':
        for (const told of this.#listeners) told(wish.announcement, wish.record)
        return
      case 'keep':
        return this.#kept?.keep(wish.announcement.id, wish.record)
      case 'forget':
        return this.#kept?.forget(wish.id)
      case 'note':
        return this.#note(wish.note)
      default:
        return wish satisfies never
    }
  }

  #answered(number: number, asked: number, isWhole: boolean): void {
    const query = this.#queries.get(number)
    this.#queries.delete(number)
    query?.answered({ count: query.count, asked, isWhole })
  }

  #note(note: DirectoryNote): void {
    const { log } = this.#spec
    switch (note.about) {
      case 'parent': {
        const { nodeId, address } = note
        return log({ level: 'info', event: 'parent-joined', fields: { nodeId, address } })
      }
      case 'orphan': {
        const { code, text } = note
        return log({ level: 'warn', event: 'parent-away', fields: { code, text } })
      }
      case 'full': {
        const known = `${limits.dictionaryBits} attributes are known`
        const text = `${known}: there is no bit for ${note.entry}`
        return log({ level: 'warn', event: 'dictionary-full', fields: { code: full, text } })
      }
      default:
        return note satisfies never
    }
  }
}
