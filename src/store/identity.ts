/**
 * Who a node is: the random id kept in its data directory, bound to the directory and the machine.
 *
 * The idea: the id is a file, and files are copied with a disk image or a directory. So a node is
 * known by a hash of that id, of the directory's inode and of the machine's id: a copy is another
 * node, without anybody writing anything. Device numbers are left out, because they change with a
 * reboot or a bind mount. `.fastreplica/place` remembers where the id was last used, so that a
 * change can be told once; nothing depends on that file.
 */
import { createHash } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DataDirHandle, Storage } from '../ports.js'

export interface NodeIdentity {
  /** 32 hex digits. */
  readonly nodeId: string
  /** The data directory was used on another machine, or is a copy. */
  readonly isNew: boolean
}

/** Rejects with FrError as the storage does. */
export async function identityOf(
  storage: Storage,
  dir: DataDirHandle,
  dataDir: string,
  machine: () => Promise<string> = machineId,
): Promise<NodeIdentity> {
  const id = await storage.nodeId(dir)
  const { ino } = await stat(dataDir, { bigint: true })
  const place = hash(`${await machine()} ${ino}`)
  const isNew = await moved(join(dataDir, '.fastreplica', 'place'), place)
  return { nodeId: hash(`${id} ${place}`), isNew }
}

/** Of the operating system's installation; empty where it has none. */
async function machineId(): Promise<string> {
  for (const path of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
    const text = (await readFile(path, 'latin1').catch(() => '')).trim()
    if (/^[0-9a-f]{32}$/.test(text)) return text
  }
  return ''
}

/** True when another place was remembered. Remembers this one. */
async function moved(path: string, place: string): Promise<boolean> {
  const before = await readFile(path, 'latin1').catch(() => '')
  if (before.trim() === place) return false
  // Without it a change is told again, and that is all.
  await writeFile(path, `${place}\n`, { mode: 0o600 }).catch(() => {})
  return before !== ''
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
