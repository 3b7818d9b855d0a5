/** Room on the disk, which the transfers of a node share. */
import { FrError } from '../base/errors.js'
import { formatBytes } from '../base/limits.js'
import type { Guest } from '../session/receiver/node-host.js'
import type { NodeStore } from '../store/node-store.js'
import type { KeptFiles } from '../store/versions/kept-files.js'

export interface SpaceRules {
  /** Of the free bytes: what stays free, and what other transfers will still write. */
  readonly reservedBytes: () => number
  /** For messages. */
  readonly dataDir: string
}

/** Sets aside what the guest needs. Rejects with ERR_FR_NO_SPACE. */
export async function requireSpace(
  guest: Guest,
  store: Pick<NodeStore, 'free' | 'expire'> & { readonly versions: Pick<KeptFiles, 'evict'> },
  { reservedBytes, dataDir: path }: SpaceRules,
): Promise<void> {
  let free = await store.free()
  if (guest.neededBytes > free - reservedBytes()) {
    // Partials of transfers that are over give way.
    await store.expire(0)
    free = await store.free()
  }
  const missing = guest.neededBytes - (free - reservedBytes())
  if (missing > 0) {
    // So do earlier versions of files.
    await store.versions.evict(missing)
    free = await store.free()
  }
  // No await from here on: the reserved bytes must include this transfer and all others.
  const reserved = reservedBytes()
  if (guest.neededBytes > free - reserved) {
    const [needed, has, kept] = [guest.neededBytes, free, reserved].map(formatBytes)
    const text = `${needed} needed; ${has} free in ${path}, ${kept} set aside`
    throw new FrError('ERR_FR_NO_SPACE', text, { path })
  }
  guest.hasSpace = true
}
