/**
 * What a push with `--delete` has not listed goes from the tree.
 *
 * The idea: the names that were listed are marked (name-table.ts), and at the end the tree is
 * walked once. What is mounted in it belongs to somebody else and stays, with a warning. A
 * directory that loses entries keeps the mode and time that it was given.
 */
import { FrError } from '../../base/errors.js'
import { nameBelow } from '../../base/names.js'
import type { DataDirHandle, EntryStep, ListedEntry, Storage } from '../../ports.js'
import { fullName, shown } from './full-name.js'
import { type HashTable, hashOf } from './name-table.js'

export interface SweepSpec {
  readonly storage: Pick<Storage, 'lookAt' | 'listEntries' | 'placeEntries'>
  readonly dir: DataDirHandle
  /** Name of the tree. */
  readonly name: Uint8Array
  readonly listed: HashTable
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
    const found = await entriesOf(spec, full)
    const isListed = ({ name: last }: ListedEntry): boolean =>
      listed.get(hashOf(nameBelow(above as Uint8Array, last))) !== undefined
    const goes = found.filter((entry) => !isListed(entry))
    for (const entry of found)
      if (entry.look.kind === 'directory' && !entry.look.isMount && isListed(entry))
        waiting.push(nameBelow(above, entry.name))
    if (goes.length === 0) continue
    const [before] = await storage.lookAt(dir, [full])
    if (before === null || before === undefined) continue
    // It must let its owner in.
    await storage.placeEntries(dir, [{ kind: 'directory', name: full, mode: before.mode }])
    for (const entry of goes) removed += await removeEntry(spec, full, entry)
    const attributes = { mode: before.mode, mtime: before.identity.mtime }
    await storage.placeEntries(dir, [{ kind: 'attributes', name: full, attributes }])
  }
  return removed
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

/** With all that is in it. Resolves to the number of entries. */
async function removeEntry(
  spec: SweepSpec,
  above: Uint8Array,
  entry: ListedEntry,
): Promise<number> {
  let removed = 0
  let steps: EntryStep[] = []
  const flush = async (): Promise<void> => {
    const outcomes = await spec.storage.placeEntries(spec.dir, steps)
    for (const [at, { failure }] of outcomes.entries()) {
      const step = steps[at] as EntryStep
      if (failure !== null) spec.warn(`${shown(step.name)} was not removed: ${failure.text}`)
      else if (step.kind === 'remove') removed++
    }
    steps = []
  }
  const take = async (full: Uint8Array, { look }: ListedEntry): Promise<void> => {
    if (look.isMount) {
      spec.warn(`${shown(full)} was not removed: another file system is mounted there`)
      return
    }
    if (look.kind === 'directory') {
      await spec.storage.placeEntries(spec.dir, [
        { kind: 'directory', name: full, mode: look.mode },
      ])
      for (const inner of await entriesOf(spec, full))
        await take(nameBelow(full, inner.name), inner)
    }
    steps.push({ kind: 'remove', name: full })
    if (steps.length >= stepsAtOnce) await flush()
  }
  await take(nameBelow(above, entry.name), entry)
  await flush()
  return removed
}
