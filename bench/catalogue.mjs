/**
 * Time and memory that a node's start takes for the catalogue of 100,000 files:
 *
 *     node bench/catalogue.mjs
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Catalogue } from '../dist/store/catalogue/catalogue.js'
import { headLine, textOfLine } from '../dist/store/catalogue/index-file.js'

const count = 100_000

function write(directory) {
  const time = { seconds: 1_700_000_000, nanos: 123_456_789 }
  const lines = Array.from({ length: count }, (_, n) => {
    const mark = n.toString(16).padStart(64, '0')
    const size = 1e6 + n
    const put = {
      name: Buffer.from(`datasets/part-${n}/some-file-${n}.bin`),
      contentId: mark.slice(32),
      author: 'ab'.repeat(32),
      algorithm: 'blake3',
      blockBytes: 65_536,
      size,
      dataBytes: size,
      fileDigest: `blake3:${mark}`,
      mode: 0o644,
      mtime: time,
      publishedAtMs: 1.7e12,
      verifiedAtMs: 1.7e12,
      identity: { size, mtime: time, ctime: time, inode: String(n) },
      via: 'push',
    }
    return textOfLine({ n, put })
  })
  writeFileSync(join(directory, 'catalogue'), [headLine(), ...lines].join(''))
}

const directory = process.argv[2]
if (directory === undefined) {
  // In a process of its own: what making the index takes is not what reading it takes.
  const { execFileSync } = await import('node:child_process')
  const made = mkdtempSync(join(tmpdir(), 'fr-catalogue-'))
  write(made)
  execFileSync(process.execPath, [import.meta.filename, made], { stdio: 'inherit' })
  rmSync(made, { recursive: true })
} else {
  const before = process.memoryUsage().rss
  const fromMs = performance.now()
  const catalogue = await Catalogue.open(directory)
  const ms = performance.now() - fromMs
  if (catalogue.totals.streams !== count) throw new Error('records are missing')
  const mib = (process.memoryUsage().rss - before) / 2 ** 20
  console.log(`${count} records: ${ms.toFixed(0)} ms, ${mib.toFixed(0)} MiB`)
  await catalogue.close()
}
