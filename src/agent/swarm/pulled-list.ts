/**
 * What a node has pulled, or begun to, because it was announced, and what was published at it: so
 * that it removes that and nothing else when it was withdrawn or is over, also where that happened
 * while the node was stopped. And what was removed by hand, so that it does not come again.
 */
import { join } from 'node:path'
import { limits } from '../../base/limits.js'
import { hiddenDir } from '../../base/names.js'
import type { Announcement } from '../../control/messages/announcing.js'
import { type Fields, parseObject } from '../../protocol/fields.js'
import { readPlainName } from '../../protocol/mastering.js'
import { readChecked, replaceChecked } from '../../store/files/checked.js'
import { type ContentName, keyOf } from './announced.js'

export type Pulled = ContentName & Pick<Announcement, 'expiresAtMs'>

/** A name that somebody has removed here; what was announced of it later is wanted. */
interface Removed extends Pick<Announcement, 'name' | 'issuedAtMs'> {}

const mostBytes = (limits.swarmPulled + limits.swarmRemoved) * 8_192

export class PulledList {
  readonly #path: string | null
  readonly #failed: (error: Error) => void
  readonly #all = new Map<string, Pulled>()
  /** By name, when what was removed had been announced. */
  readonly #removed = new Map<string, number>()
  #saving: Promise<void> | undefined
  #isChanged = false

  /** In the hidden directory of a data directory; null: it is kept nowhere. */
  constructor(dataDir: string | null, failed: (error: Error) => void) {
    this.#path = dataDir === null ? null : join(dataDir, hiddenDir, 'pulled')
    this.#failed = failed
  }

  /** What is damaged counts for nothing: then it stays on the disk, and is not taken for pulled. */
  async load(): Promise<void> {
    if (this.#path === null) return
    try {
      const body = await readChecked(this.#path, mostBytes)
      if (body === null) return
      const fields = parseObject(body, 'pulled')
      const kept = fields.list('pulled', limits.swarmPulled, readPulled)
      for (const one of kept) this.#all.set(keyOf(one), one)
      if (!fields.has('removed')) return
      const removed = fields.list('removed', limits.swarmRemoved, readRemoved)
      for (const { name, issuedAtMs } of removed) this.#removed.set(name, issuedAtMs)
    } catch (error) {
      this.#failed(error as Error)
    }
  }

  get all(): Iterable<Pulled> {
    return [...this.#all.values()]
  }

  has(content: ContentName): boolean {
    return this.#all.has(keyOf(content))
  }

  /** Beyond limits.swarmPulled the oldest is forgotten, and stays on the disk. */
  add({ name, contentId, expiresAtMs }: Pulled): void {
    const key = keyOf({ name, contentId })
    const known = this.#all.get(key)
    if (known !== undefined && known.expiresAtMs === expiresAtMs) return
    const [oldest] = this.#all.keys()
    if (this.#all.size >= limits.swarmPulled && oldest !== undefined) this.#all.delete(oldest)
    this.#all.set(key, { name, contentId, expiresAtMs })
    this.#save()
  }

  delete(content: ContentName): void {
    if (this.#all.delete(keyOf(content))) this.#save()
  }

  /** What was announced of this name until then is not wanted. The oldest is forgotten. */
  removed(name: string, issuedAtMs: number): void {
    this.#removed.delete(name)
    const [oldest] = this.#removed.keys()
    if (this.#removed.size >= limits.swarmRemoved && oldest !== undefined)
      this.#removed.delete(oldest)
    this.#removed.set(name, issuedAtMs)
    this.#save()
  }

  isRemoved({ name, issuedAtMs }: Removed): boolean {
    const untilMs = this.#removed.get(name)
    return untilMs !== undefined && issuedAtMs <= untilMs
  }

  /** Resolves when all so far is on the disk. Never rejects. */
  async settled(): Promise<void> {
    while (this.#saving !== undefined) await this.#saving
  }

  #save(): void {
    this.#isChanged = true
    this.#saving ??= this.#write().finally(() => {
      this.#saving = undefined
    })
  }

  async #write(): Promise<void> {
    const path = this.#path
    while (this.#isChanged && path !== null) {
      this.#isChanged = false
      try {
        const removed = [...this.#removed].map(([name, issuedAtMs]) => ({ name, issuedAtMs }))
        const pulled = [...this.#all.values()]
        await replaceChecked(path, JSON.stringify({ pulled, removed }))
      } catch (error) {
        this.#failed(error as Error)
      }
    }
  }
}

function readPulled(fields: Fields): Pulled {
  return {
    name: readPlainName(fields),
    contentId: fields.hex('contentId', 32),
    expiresAtMs: fields.isNull('expiresAtMs')
      ? null
      : fields.integer('expiresAtMs', 0, Number.MAX_SAFE_INTEGER),
  }
}

function readRemoved(fields: Fields): Removed {
  const issuedAtMs = fields.integer('issuedAtMs', 0, Number.MAX_SAFE_INTEGER)
  return { name: readPlainName(fields), issuedAtMs }
}
