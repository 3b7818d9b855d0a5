/** The directory of a master: its lock, its key, and what it keeps. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { FrError } from '../../base/errors.js'
import { hiddenDir } from '../../base/names.js'
import { acquireLock } from '../../engine/lock.js'
import { type NodeKey, nodeKey } from '../../store/identity.js'

export interface MasterDir extends NodeKey {
  /** Where it keeps what it has to know after a restart. */
  readonly statePath: string
  /** Idempotent. */
  readonly unlock: () => void
}

/** Rejects with ERR_FR_DATA_DIR, ERR_FR_DATA_DIR_LOCKED, ERR_FR_KEY. */
export async function openMasterDir(dataDir: string): Promise<MasterDir> {
  const unlock = await lockOf(dataDir)
  try {
    return { ...(await nodeKey(dataDir)), statePath: join(dataDir, hiddenDir), unlock }
  } catch (error) {
    unlock()
    throw error
  }
}

async function lockOf(dataDir: string): Promise<() => void> {
  try {
    await mkdir(join(dataDir, hiddenDir), { recursive: true, mode: 0o700 })
    return await acquireLock(join(dataDir, hiddenDir, 'lock-master'))
  } catch (cause) {
    if (cause instanceof FrError) throw cause
    const text = `the directory of the master cannot be used: ${(cause as Error).message}`
    throw new FrError('ERR_FR_DATA_DIR', text, { cause, path: dataDir })
  }
}
