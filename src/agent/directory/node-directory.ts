/** The directory at one node. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Attributes } from '../../base/attributes.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import type { Logger } from '../../base/log.js'
import { Flood, type FloodWish } from '../../control/directory/flood.js'
import type { Announcement } from '../../control/messages/announcing.js'
import { nodePrimitives } from '../../net/crypto.js'
import { readAnnouncement } from '../../protocol/announcement.js'
import { KeptAnnouncements } from './kept-announcements.js'
import type { DirectoryPeer, DirectoryPort } from './port.js'

export interface NodeDirectorySpec {
  readonly nodeId: string
  /** With its name, if it has one. */
  readonly attributes: Attributes
  /** Data directory in which announcements are kept; null: nothing is written. */
  readonly keptIn: string | null
  readonly log: Logger
}

type Told = (announcement: Announcement, record: Uint8Array) => void

/** Records read from the disk before others have their turn. */
const loadedAtOnce = 16

export class NodeDirectory implements DirectoryPort {
  readonly #spec: NodeDirectorySpec
  readonly #flood = new Flood()
  readonly #kept: KeptAnnouncements | undefined
  readonly #listeners = new Set<Told>()
  readonly #changed = new Set<() => void>()
  #loaded: Promise<void> | undefined
  #attributes: Attributes
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(spec: NodeDirectorySpec) {
    const { keptIn, log, attributes, nodeId } = spec
    this.#spec = spec
    this.#attributes = { ...attributes, id: nodeId }
    if (keptIn !== null)
      this.#kept = new KeptAnnouncements(keptIn, ({ message: text }) =>
        log({ level: 'warn', event: 'announcement-unkept', fields: { text } }),
      )
  }

  get attributes(): Attributes {
    return this.#attributes
  }

  get known(): Iterable<Announcement> {
    return this.#flood.history.published(wallMs())
  }

  /** Once; `announce` waits for it. */
  start(): void {
    this.#loaded ??= this.#load()
  }

  async announce(record: Uint8Array): Promise<void> {
    const announcement = readAnnouncement(nodePrimitives, record)
    await this.#loaded
    if (this.#isClosed) throw new FrError('ERR_FR_NODE_CLOSED', 'the node is closing')
    this.#flood.announce({ announcement, record }, wallMs())
    this.#carryOut()
    await this.#kept?.settled()
  }

  onAnnouncement(told: Told): () => void {
    const before = [...this.#flood.history.all]
    // What comes from now on is told behind what there is.
    queueMicrotask(() => {
      for (const { announcement, record } of before) if (isOn) told(announcement, record)
    })
    let isOn = true
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
    return []
  }

  onAttributes(changed: () => void): () => void {
    this.#changed.add(changed)
    return () => this.#changed.delete(changed)
  }

  /** With its name, if it has one. */
  setAttributes(attributes: Attributes): void {
    this.#attributes = { ...attributes, id: this.#spec.nodeId }
    for (const changed of this.#changed) queueMicrotask(changed)
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#loaded
    await this.#kept?.settled()
  }

  async #load(): Promise<void> {
    let count = 0
    for await (const record of this.#kept?.load() ?? []) {
      if (++count % loadedAtOnce === 0) await turn()
      try {
        const announcement = readAnnouncement(nodePrimitives, record)
        this.#flood.restore({ announcement, record }, wallMs())
      } catch (error) {
        const { message: text } = asFrError(error, 'ERR_FR_INTERNAL')
        this.#spec.log({ level: 'warn', event: 'announcement-damaged', fields: { text } })
      }
    }
    this.#carryOut()
  }

  #carryOut(): void {
    for (const wish of this.#flood.takeWishes()) this.#do(wish)
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    const waitMs = Math.min(Math.max(0, this.#flood.dueMs - wallMs()), longestMs)
    this.#timer = setTimeout(() => {
      this.#flood.due(wallMs())
      this.#carryOut()
    }, waitMs).unref()
  }

  #do(wish: FloodWish): void {
    switch (wish.type) {
      case 'say':
        return
      case 'told':
        for (const told of this.#listeners) told(wish.announcement, wish.record)
        return
      case 'keep':
        return this.#kept?.keep(wish.announcement.id, wish.record)
      case 'forget':
        return this.#kept?.forget(wish.id)
      default:
        return wish satisfies never
    }
  }
}

const longestMs = 86_400_000

/** Unix milliseconds that never go back while the process runs. */
function wallMs(): number {
  return performance.timeOrigin + performance.now()
}
