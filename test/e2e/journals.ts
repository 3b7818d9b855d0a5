/** What a node has written down of a transfer that is under way. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readJournal } from '../../src/store/journal/journal.js'
import type { Door } from './door.js'
import { until } from './push-support.js'

export const journals = (dataDir: string): string[] =>
  readdirSync(join(dataDir, '.fastreplica/journals'))

const bytesOf = (runs: readonly { readonly length: number }[]): number =>
  runs.reduce((sum, { length }) => sum + length, 0)

/** Bytes that a journal tells of: that are verified, and whose digests are signed. */
export async function journalled(dataDir: string): Promise<{ verified: number; signed: number }> {
  const [name] = existsSync(join(dataDir, '.fastreplica/journals')) ? journals(dataDir) : []
  const path = join(dataDir, '.fastreplica/journals', name ?? '')
  const { runs = [], signed = [] } = (await readJournal(path, null)) ?? {}
  return { verified: bytesOf(runs), signed: bytesOf(signed) }
}

/** Lets pass as little as it takes; digests may wait behind payload. */
export async function writtenDown(
  dataDir: string,
  door: Door,
  bytes: number,
  signedBytes = 0,
): Promise<void> {
  let sippedMs = 0
  await until(async () => {
    // Slowly: before the node is through, its journal is there.
    if (performance.now() > sippedMs + 10) {
      door.sip()
      sippedMs = performance.now()
    }
    const { verified, signed } = await journalled(dataDir)
    return verified >= bytes && signed >= signedBytes
  }, 'blocks are written down')
}
