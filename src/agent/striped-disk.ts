/**
 * The disk of a node that is none: its files are striped over the others
 * (store/striped-storage.ts), and all else is as at any disk. It comes behind them, and is there
 * from the first striped file on.
 *
 * What stays in one piece has its place on one of the others: trees, bundles, coded content, files
 * that grow or have holes, and what is not longer than a unit.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '../base/limits.js'
import { hiddenDir } from '../base/names.js'
import { overlaid } from '../base/overlaid.js'
import type { DataDirHandle, Storage } from '../ports.js'
import { unitBytesFor } from '../store/disks/head.js'
import { Stripes } from '../store/striped-storage.js'
import { Disk, type DiskRules, type DiskTools } from './disk.js'
import type { Arriving } from './offers.js'

export interface StripedDir {
  readonly dir: DataDirHandle
  readonly dataDir: string
  /** New files are striped; else there are only those of before. */
  readonly takesNew: boolean
}

/** Undefined: there is none, and `takesNew` is false. Rejects as `openDataDir`. */
export async function openStripes(
  storage: Pick<Storage, 'openDataDir'>,
  first: string,
  takesNew: boolean,
  isReadOnly: boolean,
): Promise<StripedDir | undefined> {
  const dataDir = join(first, hiddenDir, 'stripes')
  const isThere = await stat(dataDir).then(
    () => true,
    () => false,
  )
  if (!isThere && (!takesNew || isReadOnly)) return undefined
  return { dir: await storage.openDataDir(dataDir, isReadOnly), dataDir, takesNew }
}

export class StripedDisk {
  readonly disk: Disk
  readonly stripes: Stripes
  readonly #takesNew: boolean

  constructor(
    tools: DiskTools,
    rules: DiskRules,
    { dir, dataDir, takesNew }: StripedDir,
    others: { readonly disks: () => readonly Disk[]; readonly isAll: () => boolean },
  ) {
    const { engine } = tools
    const { minFreeBytes: reserveBytes, log } = rules
    const { storage } = engine
    this.stripes = new Stripes({ storage, dir, dataDir, reserveBytes, log, ...others })
    const own = { ...tools, engine: overlaid(engine, { storage: this.stripes.storage }) }
    const number = limits.disksPerNode
    this.disk = new Disk({ dir, dataDir, number }, own, { ...rules, isStriped: true })
    this.#takesNew = takesNew && !rules.isReadOnly
  }

  /**
   * Whether an offer may land here: `new`, also under a name that nothing has; `named`, only where
   * its name is here already.
   */
  placeOf({ offer, entry }: Arriving): 'new' | 'named' | 'none' {
    const { size, dataBytes, coded, growing } = entry
    if (this.disk.store.isAway || coded !== undefined || growing === true) return 'none'
    const isWhole = offer.tree === undefined && dataBytes === size
    const isLong = size > unitBytesFor(size)
    return this.#takesNew && isWhole && isLong ? 'new' : 'named'
  }
}
