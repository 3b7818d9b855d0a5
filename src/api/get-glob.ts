/**
 * `get` of all that matches a pattern: files, whole trees and directories of trees, each under its
 * whole name beneath one directory.
 *
 * The idea: one node lists what matches, and then each is fetched for itself, some at the same
 * time. What is in a tree or a directory that matches as a whole comes with it. What fails is
 * named, and the others arrive.
 */
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { listHeld } from '../agent/held-client.js'
import { textOf } from '../base/bytes.js'
import { type Failure, FrError, type FrErrorCode } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import { nameFault } from '../base/names.js'
import { nowMs } from '../base/time/awake.js'
import { isUnfinished } from '../control/messages/held.js'
import type { HeldEntry } from '../control/messages/types.js'
import { SeenHolders } from '../session/fetch/seen-holders.js'
import type { TreeFetchView } from '../session/fetch/tree-fetch.js'
import type { Running, Seen } from './get-running.js'
import type { GetTree } from './get-types.js'
import { asking, pageMs } from './inquiry.js'
import type { StatusOptions } from './types.js'

export interface Match {
  readonly name: Uint8Array
  /** A tree, or a directory of one. */
  readonly isTree: boolean
  readonly bytes: number
  /** Why it cannot be fetched. */
  readonly fault: Failure | null
}

const slash = 0x2f

/**
 * What matches, as the first of the nodes that answers lists it; null: something has the pattern
 * for its name, and is meant. Rejects with ERR_FR_NOT_HELD where
 * nothing does, ERR_FR_LIMIT for more than limits.getMatches.
 */
export async function matchesOf(
  nodes: readonly string[],
  glob: Uint8Array,
  options: StatusOptions,
): Promise<Match[] | null> {
  let failure: FrError | undefined
  for (const node of nodes) {
    try {
      return await asking(node, options, pageMs, async ({ inquiry, ...within }) => {
        const entries: Listed[] = []
        for await (const { name, entry } of listHeld(inquiry, within, glob)) {
          if (entries.length === limits.getMatches)
            throw new FrError('ERR_FR_LIMIT', `more than ${limits.getMatches} names match`)
          if (Buffer.compare(name, glob) === 0) return null
          entries.push({ name, entry })
        }
        return chosen(entries)
      })
    } catch (error) {
      options.signal?.throwIfAborted()
      if (!(error instanceof FrError)) throw error
      failure ??= error
    }
  }
  throw failure
}

interface Listed {
  readonly name: Uint8Array
  readonly entry: HeldEntry
}

function chosen(entries: readonly Listed[]): Match[] {
  const wholes = new Set<string>()
  for (const { name, entry } of entries) if (isWhole(entry)) wholes.add(latin1(name))
  const matches = new Map<string, Match>()
  for (const { name, entry } of entries) {
    if ((entry.kind === 'file' && isUnfinished(entry.state)) || isBeneath(name, wholes)) continue
    // A node with several disks may have a name on two; it serves one of them.
    const key = latin1(name)
    if (matches.get(key)?.fault === null) continue
    const [isTree, fault] = [isWhole(entry), faultOf(name, entry)]
    matches.set(key, { name, isTree, bytes: entry.size, fault })
  }
  if (matches.size === 0) throw new FrError('ERR_FR_NOT_HELD', 'the node holds nothing like it')
  return [...matches.values()]
}

function isWhole({ kind }: HeldEntry): boolean {
  return kind === 'tree' || kind === 'directory'
}

function isBeneath(name: Uint8Array, wholes: ReadonlySet<string>): boolean {
  for (let at = name.indexOf(slash); at !== -1; at = name.indexOf(slash, at + 1))
    if (wholes.has(latin1(name.subarray(0, at)))) return true
  return false
}

/** Names come from the node, and lead nowhere but beneath the directory. */
function faultOf(name: Uint8Array, { kind, state }: HeldEntry): Failure | null {
  const fault = nameFault(name)
  if (fault !== null) return { code: 'ERR_FR_NAME', text: fault }
  if (textOf(name) === null) return { code: 'ERR_FR_NAME', text: 'the name is not UTF-8' }
  if (kind === 'symlink')
    return { code: 'ERR_FR_UNSUPPORTED', text: 'it is a link, which comes only with its directory' }
  if (state === 'changed' || state === 'missing')
    return { code: 'ERR_FR_NOT_HELD', text: 'somebody else changed or removed it' }
  return null
}

function latin1(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}

export interface GlobSpec {
  /** Path of the directory. */
  readonly output: string
  readonly holders: readonly string[]
  readonly matches: readonly Match[]
  /** What fetches one of them to this path. */
  readonly begin: (match: Match, path: string) => Running<Seen | TreeFetchView>
}

/** Failures that end all of it: of this machine, or because it is to end. */
const lastCodes: ReadonlySet<FrErrorCode> = new Set<FrErrorCode>([
  ...(['ERR_FR_ABORTED', 'ERR_FR_NO_SPACE', 'ERR_FR_ENGINE', 'ERR_FR_INTERNAL'] as const),
])

export class GlobFetch implements Running<TreeFetchView> {
  readonly #spec: GlobSpec
  readonly #startMs = nowMs()
  readonly #running = new Set<Running<Seen>>()
  readonly #holders: SeenHolders
  #past = { verifiedBytes: 0, foundBytes: 0 }
  #tree: GetTree = { entries: 0, files: 0, isWhole: true, failedCount: 0, failures: [] }
  #cancelled: string | undefined

  constructor(spec: GlobSpec) {
    this.#spec = spec
    this.#holders = new SeenHolders(spec.holders)
  }

  /** Rejects where nothing arrives, with what failed first. */
  async run(): Promise<TreeFetchView> {
    const left = this.#spec.matches.values()
    const work = async (): Promise<void> => {
      for (const match of left) await this.#fetch(match)
    }
    const workers = Array.from({ length: limits.getFilesAtOnce }, async () => {
      try {
        await work()
      } catch (error) {
        this.cancel('another part of the fetch has failed')
        throw error
      }
    })
    const ends = await Promise.allSettled(workers)
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    const { entries, failures } = this.#tree
    const [first] = failures
    if (entries === 0 && first !== undefined)
      throw new FrError(first.code, `${first.name}: ${first.text}`)
    return this.view()
  }

  cancel(text: string): void {
    this.#cancelled ??= text
    for (const one of this.#running) one.cancel(text)
  }

  view(): TreeFetchView {
    const views = [...this.#running].map((one) => one.view())
    const sum = (of: 'verifiedBytes' | 'foundBytes'): number =>
      views.reduce((all, view) => all + view[of], this.#past[of])
    const verifiedBytes = sum('verifiedBytes')
    // Nobody says how much is in a directory of a tree.
    const bytes = this.#spec.matches.reduce((all, match) => all + match.bytes, 0)
    return {
      bytes: Math.max(bytes, verifiedBytes),
      verifiedBytes,
      foundBytes: sum('foundBytes'),
      seconds: (nowMs() - this.#startMs) / 1000,
      digest: null,
      holders: this.#holders.with(views),
      tree: this.#tree,
    }
  }

  async #fetch(match: Match): Promise<void> {
    if (this.#cancelled !== undefined) throw new FrError('ERR_FR_ABORTED', this.#cancelled)
    if (match.fault !== null) return this.#fail(match, match.fault)
    const path = join(this.#spec.output, textOf(match.name) ?? '')
    let running: Running<Seen> | undefined
    try {
      await mkdir(dirname(path), { recursive: true })
      running = this.#spec.begin(match, path)
      this.#running.add(running)
      const view = await running.run()
      const { entries, files, isWhole, failedCount, failures } =
        'tree' in view ? (view as TreeFetchView).tree : file
      this.#count({ entries, files, isWhole, failedCount, failures })
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_IO')
      if (lastCodes.has(code) || this.#cancelled !== undefined) throw error
      this.#fail(match, { code, text })
    } finally {
      if (running !== undefined) this.#end(running)
    }
  }

  #end(running: Running<Seen>): void {
    this.#running.delete(running)
    const view = running.view()
    this.#past.verifiedBytes += view.verifiedBytes
    this.#past.foundBytes += view.foundBytes
    this.#holders.add(view)
  }

  #fail({ name }: Match, why: Failure): void {
    const failures = [{ name: Buffer.from(name).toString(), ...why }]
    this.#count({ ...file, entries: 0, files: 0, failedCount: 1, failures })
  }

  #count(more: GetTree): void {
    const { entries, files, isWhole, failedCount, failures } = this.#tree
    this.#tree = {
      entries: entries + more.entries,
      files: files + more.files,
      isWhole: isWhole && more.isWhole,
      failedCount: failedCount + more.failedCount,
      failures: [...failures, ...more.failures].slice(0, limits.treeFailuresTold),
    }
  }
}

const file: GetTree = { entries: 1, files: 1, isWhole: true, failedCount: 0, failures: [] }
