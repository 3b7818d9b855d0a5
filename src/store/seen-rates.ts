/**
 * How fast this user's pushes went to some nodes, kept in the user's cache directory: what their
 * next push is predicted with where nobody tells an uplink.
 *
 * The idea: one small file for each set of nodes, named by their addresses; the newest counts. A
 * cache is only a help: whatever goes wrong here is as if nothing had been kept.
 */
import { hash } from 'node:crypto'
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '../base/limits.js'
import { readKept, replaceFile, writeAll } from './files/durable.js'
import { isCount, isObject } from './files/plain.js'
import { makeUserCache, pruneUserCache, userCache } from './files/user-cache.js'

const format = 'fastreplica rate 1'
const fileBytes = 256
const bounds = { files: limits.seenRates, bytes: limits.seenRates * fileBytes }

export class SeenRates {
  readonly #directory: string | null
  readonly #name: string

  /** To these nodes, HOST:PORT, by the user of this process. */
  constructor(nodes: readonly string[], environment: NodeJS.ProcessEnv = process.env) {
    this.#directory = userCache('rates', environment)
    const text = `${format}\n${[...new Set(nodes)].sort().join('\n')}`
    this.#name = hash('sha256', text, 'hex').slice(0, 32)
  }

  /** Bytes per second; undefined: not known, or too long ago. Never rejects. */
  async find(wallMs: number): Promise<number | undefined> {
    if (this.#directory === null) return undefined
    try {
      const path = join(this.#directory, this.#name)
      const bytes = await readKept(path, fileBytes)
      const kept: unknown = JSON.parse(bytes?.toString('utf8') ?? 'null')
      if (!isObject(kept)) return undefined
      const { bytesPerSecond, atMs } = kept
      if (!isCount(bytesPerSecond) || bytesPerSecond === 0 || !isCount(atMs)) return undefined
      if (Math.abs(wallMs - atMs) > limits.seenRateMs) return undefined
      const now = new Date(wallMs)
      await utimes(path, now, now)
      return bytesPerSecond
    } catch {
      return undefined
    }
  }

  /** Never rejects. */
  async keep(bytesPerSecond: number, wallMs: number): Promise<void> {
    if (this.#directory === null) return
    const kept = { bytesPerSecond: Math.ceil(bytesPerSecond), atMs: wallMs }
    try {
      await makeUserCache(this.#directory)
      const path = join(this.#directory, this.#name)
      const text = Buffer.from(JSON.stringify(kept))
      await replaceFile(path, (file) => writeAll(file, text, 0), { isDurable: false })
      await pruneUserCache(this.#directory, bounds)
    } catch {
      // As if nothing had been kept.
    }
  }
}
