/** The listing of a bundle that has landed in a data directory. */
import { join } from 'node:path'
import { FrError } from '../../base/errors.js'
import { hiddenDir } from '../../base/names.js'
import { listingHeadBytes } from '../../protocol/listing.js'
import { readListingHead } from '../../protocol/listing-reader.js'
import { openKept } from '../files/durable.js'

/** `id`: of the partial, which is whole; `bytes`: of it. */
export async function listingOf(
  dataDir: string,
  { id, bytes }: { readonly id: string; readonly bytes: number },
): Promise<Uint8Array> {
  const file = await openKept(join(dataDir, hiddenDir, 'partials', id))
  if (file === null) throw new FrError('ERR_FR_IO', 'the bundle is gone')
  try {
    const head = Buffer.alloc(listingHeadBytes)
    const { bytesRead } = await file.read(head, 0, head.length, 0)
    const { bytes: listingBytes } = readListingHead(head.subarray(0, bytesRead))
    const listing = Buffer.alloc(Math.min(listingBytes, bytes))
    for (let at = 0; at < listing.length; ) {
      const read = await file.read(listing, at, listing.length - at, at)
      if (read.bytesRead === 0) break
      at += read.bytesRead
    }
    return listing
  } finally {
    await file.close()
  }
}
