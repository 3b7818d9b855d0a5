/** At which disk of a node the version is about which nodes decide. */
import { digestDigits } from '../base/versions.js'
import { begunAtMs } from '../control/commit/decree.js'
import type { Decree } from '../control/messages/commit.js'
import { decodeName } from '../protocol/manifest.js'
import type { HeldStream } from '../store/catalogue/record.js'
import type { Disk } from './disk.js'
import type { Disks } from './disks.js'

export interface Kept {
  readonly disk: Disk
  /** It may have the name. */
  readonly version: HeldStream
}

export function keptFor(
  { name, nameIsBase64, fileDigest }: Decree,
  disks: Pick<Disks, 'likely'>,
): Kept | undefined {
  const bytes = decodeName({ name, nameIsBase64 })
  for (const disk of disks.likely(bytes)) {
    const version = disk.store.versions.version(bytes, digestDigits(fileDigest))
    if (version?.fileDigest === fileDigest) return { disk, version }
  }
  return undefined
}

/**
 * Whether somebody has published another content under the name, not by a decision, after this one
 * was begun: then a node that had no part in it keeps that. Clocks of author and node are compared.
 * `placed`: what the last decision has put there.
 */
export function isOutdated(
  { name, nameIsBase64, id, fileDigest }: Decree,
  placed: string | undefined,
  disks: Pick<Disks, 'likely'>,
): boolean {
  const bytes = decodeName({ name, nameIsBase64 })
  for (const disk of disks.likely(bytes)) {
    const present = disk.recordOf(bytes)
    if (present === undefined) continue
    const isOther = present.fileDigest !== placed && present.fileDigest !== fileDigest
    return isOther && present.publishedAtMs > begunAtMs(id)
  }
  return false
}

/** Nothing evicts it until the answer is called. */
export function pin({ disk, version }: Kept): () => void {
  return disk.store.versions.use(version)
}
