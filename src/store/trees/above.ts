/** Directories that shut their owner out, while something changes in them. */
import type { DataDirHandle, EntryLook, EntryStep, Storage } from '../../ports.js'

const ownerBits = 0o700
const slash = 0x2f

/** Its mode keeps its owner from working in it. */
export function isShut({ mode }: EntryLook): boolean {
  return (mode & ownerBits) !== ownerBits
}

type Shut = readonly (readonly [Uint8Array, EntryLook])[]

/** Opens the directories above these names that shut their owner out. */
export async function openAbove(
  storage: Pick<Storage, 'lookAt' | 'placeEntries'>,
  dir: DataDirHandle,
  names: readonly Uint8Array[],
): Promise<Shut> {
  const above = new Map<string, Uint8Array>()
  for (const name of names) {
    const parent = name.subarray(0, Math.max(0, name.lastIndexOf(slash)))
    if (parent.length > 0) above.set(Buffer.from(parent).toString('latin1'), parent)
  }
  const parents = [...above.values()]
  const looks = await storage.lookAt(dir, parents)
  const shut = parents.flatMap((name, at): (readonly [Uint8Array, EntryLook])[] => {
    const look = looks[at]
    return look?.kind === 'directory' && isShut(look) ? [[name, look]] : []
  })
  const steps = shut.map(([name, { mode }]): EntryStep => ({ kind: 'directory', name, mode }))
  if (steps.length > 0) await storage.placeEntries(dir, steps)
  return shut
}

/** With the modes and times that they had; those that are gone are passed over. */
export async function shutAgain(
  storage: Pick<Storage, 'placeEntries'>,
  dir: DataDirHandle,
  shut: Shut,
): Promise<void> {
  if (shut.length === 0) return
  const steps = shut.map(([name, { mode, identity }]): EntryStep => {
    return { kind: 'attributes', name, attributes: { mode, mtime: identity.mtime } }
  })
  await storage.placeEntries(dir, steps)
}
