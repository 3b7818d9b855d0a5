/** A file that the node holds, opened as the source of a push. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { FrError } from '../base/errors.js'
import type { SourceFile, Storage } from '../ports.js'
import type { HeldStream } from '../store/catalogue/record.js'
import { isSameButLinked } from '../store/catalogue/same-file.js'
import type { Holdings } from '../store/held/holdings.js'
import { descriptorPath } from '../store/spool.js'

/**
 * Opens the file of a record with what it came with: mode, modification time. The caller closes it.
 * ERR_FR_NOT_HELD when it is not the file that the record describes, which is dropped then.
 */
export async function openHeldSource(
  holdings: Holdings,
  storage: Storage,
  dataDir: string,
  record: HeldStream,
): Promise<SourceFile> {
  if (!(await holdings.isUnchanged(record))) throw notHeld()
  const source = await openByPath(storage, dataDir, record.name)
  // The path may have led elsewhere meanwhile.
  const isSame = await storage.identityOf(source.file).then(
    (identity) => isSameButLinked(identity, record.identity),
    () => false,
  )
  if (isSame) return { ...source, mode: record.mode, mtime: record.mtime }
  storage.closeFile(source.file)
  throw notHeld()
}

/** Names are bytes, and the path of a descriptor is text. */
async function openByPath(
  storage: Storage,
  dataDir: string,
  name: Uint8Array,
): Promise<SourceFile> {
  const path = Buffer.concat([Buffer.from(join(dataDir, '/')), name])
  const handle = await open(path).catch(() => {
    throw notHeld()
  })
  try {
    return await storage.openSource(descriptorPath(handle.fd))
  } finally {
    await handle.close()
  }
}

function notHeld(): FrError {
  return new FrError('ERR_FR_NOT_HELD', 'somebody else changed or removed the file at the node')
}
