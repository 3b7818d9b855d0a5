/**
 * What a node has pulled, or begun to, because it was announced, and what was published at it: so
 * that it removes that and nothing else when it was withdrawn or is over, also where that happened
 * while the node was stopped.
 */
import { join } from 'node:path'
import { limits } from '../../base/limits.js'
import { hiddenDir } from '../../base/names.js'
import type { Announcement } from '../../control/messages/announcing.js'
import { type Fields, parseObject } from '../../protocol/fields.js'
import { readPlainName } from '../../protocol/mastering.js'
import { readChecked, replaceChecked } from '../../store/files/checked.js'

export type Pulled = Pick<Announcement, 'name' | 'contentId' | 'expiresAtMs'>

const mostBytes = limits.swarmPulled * 8_192

export class PulledList {
  readonly #path: string | null
  readonly #failed: (error: Error) => void
  readonly #all = new Map<string, Pulled>()
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
      const kept = parseObject(body, 'pulled').list('pulled', limits.swarmPulled, readPulled)
      for (const one of kept) this.#all.set(keyOf(one), one)
    } catch (error) {
      this.#failed(error as Error)
    }
  }

  get all(): Iterable<Pulled> {
    return [...this.#all.values()]
  }

  has(content: Pick<Pulled, 'name' | 'contentId'>): boolean {
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

  delete(content: Pick<Pulled, 'name' | 'contentId'>): void {
    if (this.#all.delete(keyOf(content))) this.#save()
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
        await replaceChecked(path, JSON.stringify({ pulled: [...this.#all.values()] }))
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

export function keyOf({ name, contentId }: Pick<Pulled, 'name' | 'contentId'>): string {
  return `${contentId} ${name}`
}
