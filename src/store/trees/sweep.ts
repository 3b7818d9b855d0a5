/**
 * What a push with `--delete` has not listed goes from the tree.
 *
 * The idea: the names that were listed are marked (name-table.ts), and at the end the tree is
 * walked once. What the rules of the push leave out was never to be listed: it stays, as with
 * rsync. What is mounted in it belongs to somebody else and stays, with a warning. A directory that
 * loses entries keeps the mode and time that it was given.
 */
import { FrError } from '../../base/errors.js'
import { nameBelow } from '../../base/names.js'
import type { DataDirHandle, EntryStep, ListedEntry, Storage } from '../../ports.js'
import type { Filter, Verdict } from '../rules/filter.js'
import { fullName, shown } from './full-name.js'
import { type HashTable, hashOf } from './name-table.js'

export interface SweepSpec {
  readonly storage: Pick<Storage, 'lookAt' | 'listEntries' | 'placeEntries'>
  readonly dir: DataDirHandle
  /** Name of the tree. */
  readonly name: Uint8Array
  readonly listed: HashTable
  /** What it leaves out stays. */
  readonly filter: Filter
  readonly warn: (text: string) => void
}

const stepsAtOnce = 4_096

/** Resolves to the number of entries that were removed. */
export async function sweep(spec: SweepSpec): Promise<number> {
  const { storage, dir, name, listed } = spec
  let removed = 0
  const waiting: Uint8Array[] = [new Uint8Array()]
  for (let above = waiting.pop(); above !== undefined; above = waiting.pop()) {
    const full = fullName(name, above)
    const goes: ListedEntry[] = []
    for (const entry of await entriesOf(spec, full)) {
      const inner = nameBelow(above, entry.name)
      const isListed = listed.get(hashOf(inner)) !== undefined
      if (!isListed && verdictOn(spec, inner, entry) !== 'out') goes.push(entry)
      if (isListed && isOwnDirectory(entry)) waiting.push(inner)
    }
    if (goes.length === 0) continue
    const [before] = await storage.lookAt(dir, [full])
    if (before === null || before === undefined) continue
    // It must let its owner in.
    await storage.placeEntries(dir, [{ kind: 'directory', name: full, mode: before.mode }])
    for (const entry of goes) removed += await removeEntry(spec, above, entry)
    const attributes = { mode: before.mode, mtime: before.identity.mtime }
    await storage.placeEntries(dir, [{ kind: 'attributes', name: full, attributes }])
  }
  return removed
}

function isOwnDirectory({ look }: ListedEntry): boolean {
  return look.kind === 'directory' && !look.isMount
}

function verdictOn({ filter }: SweepSpec, name: Uint8Array, { look }: ListedEntry): Verdict {
  return filter.verdict(Buffer.from(name), look.kind === 'directory')
}

async function entriesOf({ storage, dir }: SweepSpec, full: Uint8Array): Promise<ListedEntry[]> {
  try {
    return await storage.listEntries(dir, full)
  } catch (error) {
    // It went, or something was mounted there meanwhile.
    const isGone =
      error instanceof FrError && ['ERR_FR_NOT_HELD', 'ERR_FR_NAME'].includes(error.code)
    if (isGone) return []
    throw error
  }
}

/**
 * With all that is in it, but what rules leave out and the directories around that. Resolves to the
 * number of entries.
 */
async function removeEntry(
  spec: SweepSpec,
  above: Uint8Array,
  entry: ListedEntry,
): Promise<number> {
  const { storage, dir, name: tree } = spec
  let removed = 0
  let steps: EntryStep[] = []
  const flush = async (): Promise<void> => {
    const outcomes = await storage.placeEntries(dir, steps)
    for (const [at, { failure }] of outcomes.entries()) {
      const step = steps[at] as EntryStep
      if (failure !== null) spec.warn(`${shown(step.name)} was not removed: ${failure.text}`)
      else if (step.kind === 'remove') removed++
    }
    steps = []
  }
  const remove = async (full: Uint8Array): Promise<boolean> => {
    steps.push({ kind: 'remove', name: full })
    if (steps.length >= stepsAtOnce) await flush()
    return true
  }
  /** False: it stays, or something in it. */
  const take = async (name: Uint8Array, found: ListedEntry): Promise<boolean> => {
    const { look } = found
    const full = fullName(tree, name)
    if (look.isMount) {
      spec.warn(`${shown(full)} was not removed: another file system is mounted there`)
      return false
    }
    const verdict = verdictOn(spec, name, found)
    if (verdict === 'out') return false
    if (look.kind !== 'directory') return remove(full)
    await storage.placeEntries(dir, [{ kind: 'directory', name: full, mode: look.mode }])
    let stay = 0
    let go = 0
    for (const inner of await entriesOf(spec, full)) {
      if (await take(nameBelow(name, inner.name), inner)) go++
      else stay++
    }
    // One that is sent for what is in it goes with that.
    if (stay === 0 && (verdict === 'in' || go > 0)) return remove(full)
    const attributes = { mode: look.mode, mtime: look.identity.mtime }
    steps.push({ kind: 'attributes', name: full, attributes })
    return false
  }
  await take(nameBelow(above, entry.name), entry)
  await flush()
  return removed
}
