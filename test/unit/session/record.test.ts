/** What the record of a published file says of its blocks. */
import { expect, it } from 'vitest'
import type { StreamEntry } from '../../../src/control/messages/types.js'
import type { SignedCopy } from '../../../src/session/receiver/arrival.js'
import type { NodeHost } from '../../../src/session/receiver/node-host.js'
import { recordPublished } from '../../../src/session/receiver/record.js'
import { SignedRuns } from '../../../src/session/receiver/signed-runs.js'
import { type DigestRun, digestsOf, type HeldStream } from '../../../src/store/catalogue/record.js'

const blockBytes = 65_536
const geometry = { size: 2 * blockBytes, blockBytes, algorithm: 'xxh64' } as const
const mtime = { seconds: 1_700_000_000, nanos: 0 }
const run = (block: number, blocks: number, fill: number): DigestRun => ({
  offset: block * blockBytes,
  length: blocks * blockBytes,
  payload: new Uint8Array(65 + 8 * blocks).fill(fill),
})

/** What is recorded of a file whose digests are all 7, signed by its author so. */
async function recorded(signed: readonly DigestRun[], copied?: SignedCopy) {
  const found: { record: HeldStream; runs: readonly DigestRun[] }[] = []
  const identity = { size: geometry.size, mtime, ctime: mtime, inode: '1' }
  const host = {
    storage: { identityOf: async () => identity },
    store: {
      holdings: {
        put: async (record: HeldStream, runs: readonly DigestRun[]) => {
          found.push({ record, runs })
        },
      },
    },
    work: { author: 'node', freshId: () => 'fresh', sign: () => [run(0, 2, 7)] },
    log: () => {},
  } as unknown as NodeHost
  const runs = new SignedRuns(geometry.size, blockBytes)
  for (const one of signed) runs.keep(one)
  const times = { mtimeSeconds: mtime.seconds, mtimeNanos: mtime.nanos }
  const entry = { contentId: 'theirs', author: 'them', mode: 0o644, ...times } as StreamEntry
  const published = { entry, name: new Uint8Array([97]), geometry, file: 1, fileDigest: 'x', runs }
  const digests = new Uint8Array(16).fill(7)
  await recordPublished(host, { ...published, copied, digests, hasMtime: true })
  return found[0]
}

it('is as the author signed it', async () => {
  const { record, runs = [] } = (await recorded([run(0, 1, 7), run(1, 1, 7)])) ?? {}
  expect([record?.author, runs.length]).toEqual(['them', 2])
})

it('is what was verified, where the author has signed other digests', async () => {
  const { record, runs = [] } = (await recorded([run(0, 2, 8)])) ?? {}
  expect([record?.author, record?.contentId]).toEqual(['node', 'fresh'])
  expect(runs.map(digestsOf)).toEqual([new Uint8Array(16).fill(7)])
})

it('is as the author signed it, also where the author has signed another digest too', async () => {
  const { record, runs } = (await recorded([run(0, 1, 8), run(0, 2, 7)])) ?? {}
  expect([record?.author, runs]).toEqual(['them', [run(0, 2, 7)]])
})

it('is as the author of the file it was copied from signed it', async () => {
  const copied = { contentId: 'earlier', author: 'another', signed: [run(0, 2, 7)] }
  const { record, runs } = (await recorded([run(0, 1, 7)], copied)) ?? {}
  expect([record?.author, record?.contentId, runs]).toEqual(['another', 'earlier', copied.signed])
  const wrong = { ...copied, signed: [run(0, 2, 8)] }
  expect((await recorded([], wrong))?.record.author).toBe('node')
})
