/** Files in a data directory, and their records, as a node that has published them leaves both. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { hiddenDir } from '../../src/base/names.js'
import { Catalogue } from '../../src/store/catalogue/catalogue.js'
import { headLine, textOfLine } from '../../src/store/catalogue/index-file.js'
import type { HeldStream } from '../../src/store/catalogue/record.js'
import { recordOf, runsOf } from '../unit/store/records.js'

export function pathOf(dataDir: string, name: string | Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${dataDir}/`), Buffer.from(name)])
}

/** The record of a file that is there; its digests are made up. */
export function recordOfFile(dataDir: string, name: string | Uint8Array): HeldStream {
  const stat = statSync(pathOf(dataDir, name), { bigint: true })
  const timeOf = (ns: bigint) => ({
    seconds: Number(ns / 1_000_000_000n),
    nanos: Number(ns % 1_000_000_000n),
  })
  const [size, mtime] = [Number(stat.size), timeOf(stat.mtimeNs)]
  const identity = { size, mtime, ctime: timeOf(stat.ctimeNs), inode: String(stat.ino) }
  return { ...recordOf(name), size, dataBytes: size, mtime, identity }
}

/** Before the node of this directory starts. */
export async function plant(
  dataDir: string,
  files: Readonly<Record<string, string>>,
): Promise<HeldStream[]> {
  const records = Object.entries(files).map(([name, content]) => {
    const path = join(dataDir, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
    return recordOfFile(dataDir, name)
  })
  await plantRecords(dataDir, records)
  return records
}

/** Many records whose digests nobody asks for: the catalogue is written as one file. */
export function plantIndex(dataDir: string, records: readonly HeldStream[]): void {
  const hidden = join(dataDir, hiddenDir)
  mkdirSync(hidden, { recursive: true, mode: 0o700 })
  const lines = records.map((put, n) => textOfLine({ n, put }))
  writeFileSync(join(hidden, 'catalogue'), headLine() + lines.join(''))
}

export async function plantRecords(dataDir: string, records: readonly HeldStream[]): Promise<void> {
  const hidden = join(dataDir, hiddenDir)
  mkdirSync(hidden, { recursive: true, mode: 0o700 })
  const catalogue = await Catalogue.open(hidden)
  await Promise.all(records.map((record) => catalogue.put(record, runsOf(record))))
  await catalogue.close()
}
