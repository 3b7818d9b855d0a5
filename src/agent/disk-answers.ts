/**
 * What a node with any number of disks answers about the files it holds. Lists go through one disk
 * after the other; where one goes on is `NUMBER:` and the place at that disk. What is asked of one
 * name is asked of the disk that most likely has it, then of the others.
 */
import { FrError } from '../base/errors.js'
import type { Frame, HeldEntry, SetEntry } from '../control/messages/types.js'
import { decodeName } from '../protocol/manifest.js'
import { atFirst } from '../store/disks/at-first.js'
import { type ClusterParts, heldByAll } from './cluster-removal.js'
import type { Disk } from './disk.js'
import type { Disks } from './disks.js'
import type { ListSpec } from './held-files.js'
import type { Answers } from './questions.js'
import type { Removing } from './tree-answers.js'
import type { Reading } from './version-answers.js'

type FrameOf<T extends Frame['type']> = Extract<Frame, { type: T }>

type Listing = FrameOf<'listed'> | FrameOf<'versionsListed'>

export class DiskAnswers {
  readonly #disks: Disks

  constructor(disks: Disks) {
    this.#disks = disks
  }

  async list({ glob, after, limit }: ListSpec): Promise<FrameOf<'listed'>> {
    const { disk, place } = this.#goOn(after)
    const page = await disk.held.list({ glob, after: place, limit })
    const { isSeveral } = this.#disks
    const entries = page.entries.filter((entry) => this.#isOf(disk, entry))
    return { ...this.#placed({ ...page, entries }, disk), ...(isSeveral && { disk: disk.dataDir }) }
  }

  /** Where nodes share a directory several have a name: the last whole file is it. */
  #isOf(disk: Disk, { kind, ...name }: HeldEntry): boolean {
    if (!this.#disks.isFollowing || kind !== 'file') return true
    const bytes = decodeName(name)
    const [first] = this.#disks.likely(bytes)
    return first === disk || first?.recordOf(bytes) === undefined
  }

  /** Wherever it is: one that was away may have come back with an older file of the name. */
  async remove(name: Uint8Array, isGlob: boolean, how: Removing): Promise<FrameOf<'removed'>> {
    const { signal } = how
    let [entries, kept, failedCount, text, isHeld] = [0, 0, 0, '', false]
    for (const { held } of this.#disks.likely(name)) {
      signal.throwIfAborted()
      const before = entries
      const isRemoving = (more: number): void => how.isRemoving(before + more)
      const removed = await held.remove(name, isGlob, { signal, isRemoving }).catch(unlessNotHeld)
      if (removed === undefined) continue
      isHeld = true
      entries += removed.entries
      kept += removed.kept
      failedCount += removed.failedCount
      if (text === '') text = removed.text
    }
    if (!isHeld) throw new FrError('ERR_FR_NOT_HELD')
    return { type: 'removed', entries, kept, failedCount, text }
  }

  async verify(
    name: Uint8Array,
    isReading: (readBytes: number, bytes: number) => void,
    signal: AbortSignal,
  ): Promise<FrameOf<'verified'>> {
    let first: FrameOf<'verified'> | undefined
    for (const { held } of this.#disks.likely(name)) {
      const found = await held.verify(name, isReading, signal)
      if (found.code !== 'ERR_FR_NOT_HELD') return found
      first ??= found
    }
    return first as FrameOf<'verified'>
  }

  async versions(glob: Uint8Array | null, after: string): Promise<FrameOf<'versionsListed'>> {
    const { disk, place } = this.#goOn(after)
    return this.#placed(await disk.versions.list(glob, place), disk)
  }

  rollBack(name: Uint8Array, version: string, reading: Reading): Promise<FrameOf<'rolledBack'>> {
    return atFirst(this.#disks.likely(name), (disk) =>
      disk.versions.rollBack(name, version, reading),
    )
  }

  /** What no disk has; of that, what the first that has anything has instead. */
  async lacks(entries: readonly SetEntry[]): Promise<FrameOf<'lacking'>> {
    let lacking: Map<number, string | null> | undefined
    for (const disk of this.#disks.likely(null)) {
      const found = await disk.versions.lacks(entries)
      const before = lacking
      lacking = new Map()
      for (const { index, has } of found.entries)
        if (before?.has(index) !== false) lacking.set(index, before?.get(index) ?? has)
    }
    const left = [...(lacking ?? [])].map(([index, has]) => ({ index, has }))
    return { type: 'lacking', entries: left }
  }

  /** The disk where a list goes on, or the next one that answers, from its start. */
  #goOn(after: string): { readonly disk: Disk; readonly place: string } {
    const [, digits, place = ''] = /^(\d{1,2}):(.*)$/s.exec(after === '' ? '0:' : after) ?? []
    if (digits === undefined) throw noPlace()
    const number = Number(digits)
    const disk = this.#disks.likely(null).find((one) => one.number >= number)
    if (disk === undefined) throw noPlace()
    return { disk, place: disk.number === number ? place : '' }
  }

  /** Where the disk has no more the list goes on at the next one. */
  #placed<Page extends Listing>(page: Page, { number }: Disk): Page {
    if (page.next !== null) return { ...page, next: `${number}:${page.next}` }
    const next = this.#disks.likely(null).find((disk) => disk.number > number)
    return next === undefined ? page : { ...page, next: `${next.number}:` }
  }
}

export function answersOf(
  disks: Disks,
  commits: Answers['commits'],
  others: Pick<ClusterParts, 'cluster' | 'dialler'>,
): Pick<Answers, 'held' | 'versions' | 'commits' | 'disks'> {
  const answers = new DiskAnswers(disks)
  return {
    held: heldByAll(answers, { ...others, disks }),
    versions: {
      list: (glob, after) => answers.versions(glob, after),
      rollBack: (name, version, reading) => answers.rollBack(name, version, reading),
      lacks: (entries) => answers.lacks(entries),
    },
    commits,
    disks: async () => ({ type: 'disksTold', disks: await disks.told() }),
  }
}

function unlessNotHeld(error: unknown): undefined {
  if (!(error instanceof FrError) || error.code !== 'ERR_FR_NOT_HELD') throw error
  return undefined
}

function noPlace(): FrError {
  return new FrError('ERR_FR_PROTOCOL', 'a list goes on at a place that no page named')
}
