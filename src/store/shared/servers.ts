/**
 * The processes of a node that is several of them, as each says it in a file of the directory that
 * all of them use: where it is, what it does, how much it has to do.
 *
 * The idea is that of leases: each writes its file again every `sharedRenewMs`, with a number that
 * changes. Who reads takes a process for dead once its file has stayed the same for
 * `sharedExpireMs` of its own time, or its process is provably gone. Nothing rests on it: who is
 * sent to a process that is dead finds nobody there, and asks again.
 */
import { readdir, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseAddress } from '../../base/addresses.js'
import { limits } from '../../base/limits.js'
import { nowMs } from '../../base/time/awake.js'
import { isTemporary, readKept, replaceFile, writeAll } from '../files/durable.js'
import { isCount, isObject } from '../files/plain.js'

export interface ServerWord {
  readonly role: 'distribute' | 'control'
  /** HOST:PORT at which others reach it. */
  readonly address: string
  /** That run there now. */
  readonly transfers: number
  /** A controller: it is the one that acts. */
  readonly acts: boolean
}

export interface ServersSpec {
  readonly directory: string
  /** Of this process, for others; one line. */
  readonly holder: string
  /** Whether a process that is described so cannot be running any more. */
  readonly isGone: (holder: string) => boolean
  readonly renewMs?: number
  readonly expireMs?: number
}

interface Seen {
  readonly text: string
  readonly atMs: number
  readonly holder: string
  readonly word: ServerWord
}

/** Says what this process is until it is closed. */
export class Registration {
  readonly #spec: ServersSpec
  readonly #path: string
  readonly #word: () => ServerWord
  readonly #timer: NodeJS.Timeout
  #count = 0
  #work: Promise<void> = Promise.resolve()
  #isClosed = false

  /** `id`: file name, of letters, digits and dashes, that no other process has. */
  constructor(spec: ServersSpec, id: string, word: () => ServerWord) {
    this.#spec = spec
    this.#path = join(spec.directory, id)
    this.#word = word
    const { renewMs = limits.sharedRenewMs } = spec
    this.#timer = setInterval(() => void this.say(), renewMs).unref()
  }

  /** Never rejects: a disk that is gone is seen elsewhere. */
  say(): Promise<void> {
    this.#work = this.#work.then(() => this.#say()).catch(() => {})
    return this.#work
  }

  async #say(): Promise<void> {
    if (this.#isClosed) return
    if (this.#count === 0) await this.#tidy()
    const row = { n: ++this.#count, holder: this.#spec.holder, ...this.#word() }
    const bytes = Buffer.from(JSON.stringify(row))
    await replaceFile(this.#path, (file) => writeAll(file, bytes, 0), { isDurable: false })
  }

  /** A process of this place was killed in the middle of a word. */
  async #tidy(): Promise<void> {
    const { directory } = this.#spec
    const own = `${basename(this.#path)}.`
    for (const name of await readdir(directory))
      if (name.startsWith(own) && isTemporary(name)) await unlink(join(directory, name))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    await this.#work
    await unlink(this.#path).catch(() => {})
  }
}

export class Servers {
  readonly #spec: ServersSpec
  #seen = new Map<string, Seen>()
  /** When something was handed over to each, lately. */
  readonly #handed = new Map<string, number[]>()

  constructor(spec: ServersSpec) {
    this.#spec = spec
  }

  /** Those that are alive, as far as can be told now. Rejects with what the system said. */
  async look(): Promise<readonly ServerWord[]> {
    const { directory, expireMs = limits.sharedExpireMs, isGone } = this.#spec
    const names = (await readdir(directory)).filter((name) => /^[0-9a-z-]{1,64}$/.test(name))
    const now = nowMs()
    const seen = new Map<string, Seen>()
    for (const name of names.sort().slice(0, limits.sharedPlaces)) {
      const bytes = await readKept(join(directory, name), limits.sharedServerBytes)
      const text = bytes?.toString('utf8') ?? ''
      const before = this.#seen.get(name)
      const found = before?.text === text ? before : parsed(text, now)
      if (found !== undefined) seen.set(name, found)
    }
    this.#seen = seen
    const alive = [...seen.values()].filter(({ atMs, holder }) => {
      return now - atMs < expireMs && !isGone(holder)
    })
    return alive.map(({ word }) => word)
  }

  /**
   * Where the next transfer goes: to the process with the fewest, of several to the one that was
   * given nothing for the longest time. Null: none is there. Rejects as `look`.
   */
  async next(): Promise<string | null> {
    const now = nowMs()
    const those = (await this.look()).filter(({ role }) => role === 'distribute')
    const known = new Set(those.map(({ address }) => address))
    for (const address of this.#handed.keys()) if (!known.has(address)) this.#handed.delete(address)
    const loads = those.map(({ address, transfers }) => {
      const handed = this.#handed.get(address) ?? []
      const late = handed.filter((atMs) => now - atMs < limits.sharedHandedMs)
      return { address, load: transfers + late.length, atMs: handed.at(-1) ?? -1, late }
    })
    const [best] = loads.sort((a, b) => a.load - b.load || a.atMs - b.atMs)
    if (best === undefined) return null
    this.#handed.set(best.address, [...best.late.slice(-limits.transfersPerNode), now])
    return best.address
  }
}

/** Undefined: nobody has written it so. */
function parsed(text: string, atMs: number): Seen | undefined {
  let row: unknown
  try {
    row = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isObject(row)) return undefined
  const { holder, role, address, transfers, acts } = row
  if (typeof holder !== 'string' || typeof address !== 'string' || !isCount(transfers)) return
  if (role !== 'distribute' && role !== 'control') return undefined
  if (parseAddress(address) === null) return undefined
  return { text, atMs, holder, word: { role, address, transfers, acts: acts === true } }
}
