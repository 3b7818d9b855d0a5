/** What is kept of a growing file that was sent: right, or not there. */
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import { type GrowthRun, KeptGrowth } from '../../../src/store/growing/kept-growth.js'

const directory = mkdtempSync(join(tmpdir(), 'fr-growth-'))
afterAll(() => rmSync(directory, { recursive: true }))

let count = 0
let cache: string
beforeEach(() => {
  cache = join(directory, String(count++))
})

const block = limits.blockBytesMin
const key = { device: '2049', inode: '12', author: 'ab'.repeat(32) }
const [first, second] = ['11'.repeat(16), '22'.repeat(16)]

function run(offset: number, length: number, mark: number): GrowthRun {
  const digests = new Uint8Array(32 * Math.ceil(length / block)).fill(mark)
  return { offset, length, digests }
}

const open = (freshId: string, isSame = true, of = key) =>
  KeptGrowth.open(of, freshId, () => Promise.resolve(isSame), { XDG_CACHE_HOME: cache })

const plain = (runs: readonly GrowthRun[]) =>
  runs.map(({ offset, length, digests }) => [offset, length, digests[0], digests.length])

const path = () => {
  const kept = join(cache, 'fastreplica', 'growing')
  return join(kept, readdirSync(kept)[0] ?? '')
}

async function kept(...runs: readonly GrowthRun[]): Promise<void> {
  const growth = await open(first)
  for (const one of runs) growth.keep(one)
  await growth.close()
}

it('goes on with the same id and what was signed, the newest cut last', async () => {
  await kept(run(0, 2 * block, 1), run(2 * block, 10, 7), run(2 * block, 20, 8))
  const growth = await open(second)
  expect(growth.contentId).toBe(first)
  expect(plain(growth.runs)).toEqual([
    [0, 2 * block, 1, 64],
    [2 * block, 20, 8, 32],
  ])
  growth.keep(run(0, 2 * block, 1))
  growth.keep(run(2 * block, block, 2))
  growth.keep(run(3 * block, 5, 3))
  await growth.close()
  expect(plain((await open(second)).runs)).toEqual([
    [0, 2 * block, 1, 64],
    [2 * block, block, 2, 32],
    [3 * block, 5, 3, 32],
  ])
})

it('knows nothing of a cut that lies inside what was signed as a whole since', async () => {
  await kept(run(0, 10, 7), run(0, block, 1))
  expect(plain((await open(second)).runs)).toEqual([[0, block, 1, 32]])
})

it('begins anew for another author or another content, and where it was forgotten', async () => {
  await kept(run(0, block, 1))
  expect((await open(second, true, { ...key, author: 'cd'.repeat(32) })).contentId).toBe(second)
  const other = await open(second, false)
  expect([other.contentId, other.runs]).toEqual([second, []])
  await other.close()
  const again = await open(first)
  expect(again.contentId).toBe(second)
  await again.forget()
  await again.close()
  expect((await open(first)).contentId).toBe(first)
})

it('takes what is whole of a file that is cut off or spoilt anywhere', async () => {
  await kept(run(0, block, 1), run(block, block, 2), run(2 * block, 9, 3))
  const { size } = statSync(path())
  truncateSync(path(), size - 1)
  expect(plain((await open(second)).runs)).toEqual([[0, block, 1, 32]])
  writeFileSync(path(), 'not a file of ours')
  expect((await open(second)).contentId).toBe(second)
})

it('is nothing where there is no place for it', async () => {
  writeFileSync(cache, 'a file')
  const growth = await open(first)
  growth.keep(run(0, block, 1))
  await growth.close()
  expect([growth.contentId, growth.runs]).toEqual([first, []])
})

it('knows a stream for one process at a time, and where it has to end', async () => {
  const stream = { stream: 'a name', author: key.author }
  const sizes: (number | null)[] = []
  const openStream = (freshId: string, isSame = true) => {
    const same = (_: readonly GrowthRun[], size: number | null) => {
      sizes.push(size)
      return Promise.resolve(isSame)
    }
    return KeptGrowth.open(stream, freshId, same, { XDG_CACHE_HOME: cache })
  }
  const growth = await openStream(first)
  growth.keep(run(0, block, 1))
  expect(await openStream(second)).toMatchObject({ contentId: second, runs: [] })
  growth.seal(block)
  await growth.close()
  // A file of the same user is none of its concern.
  expect((await open(second)).contentId).toBe(second)
  const again = await openStream(second)
  expect(plain(again.runs)).toEqual([[0, block, 1, 32]])
  expect(again.contentId).toBe(first)
  await again.close()
  expect((await openStream(second, false)).contentId).toBe(second)
  expect(sizes).toEqual([block, block])
})
