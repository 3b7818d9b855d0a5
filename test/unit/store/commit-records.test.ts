/** Votes on the disk: what was written is read again, and nothing that was changed since. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.js'
import type { CommitRecord, Decree } from '../../../src/control/messages/commit.js'
import { CommitRecords, type KeptDecision } from '../../../src/store/commits/commit-records.js'

let dataDir = ''
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'fr-commits-'))
  mkdirSync(join(dataDir, '.fastreplica'))
})
afterEach(() => rmSync(dataDir, { recursive: true }))

const member = (number: number) => ({
  nodeId: number.toString(16).padStart(32, '0'),
  address: `[${'1234:'.repeat(7)}${number.toString(16)}]:7400`,
})
const decree: Decree = {
  ...{ id: 'ab'.repeat(16), name: 'dir/model', nameIsBase64: false, mode: 'quorum' },
  fileDigest: `blake3:${'ab'.repeat(32)}`,
  members: [member(1), { ...member(2), nodeId: '' }],
}
const blank: CommitRecord = {
  ...{ decree, you: 0, prepared: null, promised: { round: 0, by: 0xffff_ffff }, accepted: null },
  ...{ verdict: null, isApplied: false },
}
const voted: CommitRecord = {
  ...{ ...blank, prepared: 3, promised: { round: 2, by: 1 }, isApplied: true },
  accepted: { ballot: { round: 1, by: 0 }, verdict: { type: 'commit', order: 4 } },
  verdict: { type: 'commit', order: 4 },
}
const decision = (record: CommitRecord): KeptDecision => ({ record, isNew: true, sinceMs: 5 })

it('are what was written last, in the next process', async () => {
  const none = { orders: new Map(), placed: new Map(), over: new Map(), forgotten: '' }
  const nothing = { decisions: [], ...none }
  expect(await new CommitRecords(dataDir).load()).toEqual(nothing)
  const other = { ...blank, decree: { ...decree, id: 'cd'.repeat(16) } }
  const records = new CommitRecords(dataDir)
  for (const record of [blank, other, voted]) await records.put(decision(record))
  const orders = new Map([['text dir/model', 4]])
  const over = new Map([['ef'.repeat(16), { type: 'abort' } as const]])
  const placed = new Map([['text dir/model', `blake3:${'ab'.repeat(32)}`]])
  const settled = { orders, placed, over, forgotten: '0d'.repeat(16) }
  await records.settle(settled)
  // What a process leaves that is killed while it writes.
  writeFileSync(join(dataDir, '.fastreplica/commits', `${decree.id}.${'0'.repeat(16)}`), 'half')
  const decisions = [decision(voted), decision(other)]
  expect(await new CommitRecords(dataDir).load()).toEqual({ decisions, ...settled })
  await records.remove(decree.id)
  await records.remove(decree.id)
  expect((await new CommitRecords(dataDir).load()).decisions).toEqual([decision(other)])
})

it('make no data directory where it was removed', async () => {
  rmSync(dataDir, { recursive: true })
  const put = new CommitRecords(dataDir).put(decision(voted))
  await expect(put).rejects.toMatchObject({ code: 'ENOENT' })
  mkdirSync(join(dataDir, '.fastreplica'), { recursive: true })
  await new CommitRecords(dataDir).put(decision(voted))
  expect((await new CommitRecords(dataDir).load()).decisions).toEqual([decision(voted)])
})

it('hold as many members as a commit has', async () => {
  const members = Array.from({ length: limits.commitMembers }, (_, at) => member(at + 1))
  const record = { ...voted, decree: { ...decree, members } }
  await new CommitRecords(dataDir).put(decision(record))
  expect((await new CommitRecords(dataDir).load()).decisions).toEqual([decision(record)])
})

it('are not guessed at', async () => {
  await new CommitRecords(dataDir).put(decision(voted))
  const [name] = readdirSync(join(dataDir, '.fastreplica/commits')) as [string]
  const path = join(dataDir, '.fastreplica/commits', name)
  const right = readFileSync(path)
  for (const wrong of [right.subarray(1), right.subarray(0, -1), Buffer.alloc(0)]) {
    writeFileSync(path, wrong)
    const loaded = new CommitRecords(dataDir).load()
    await expect(loaded).rejects.toMatchObject({ code: 'ERR_FR_CATALOGUE' })
  }
})

it('are read again with as many names as a node keeps, as long as they may be', async () => {
  const digest = `xxh64-blocks/65536:${'ab'.repeat(32)}`
  const quoted = '"'.repeat(limits.commitNamesBytes / limits.commitNames / 2 - 16)
  const keys = Array.from({ length: limits.commitNames }, (_, at) => `text ${quoted}${at}`)
  const orders = new Map(keys.map((key) => [key, Number.MAX_SAFE_INTEGER]))
  const placed = new Map(keys.map((key) => [key, digest]))
  const id = (at: number): string => at.toString(16).padStart(32, '0')
  const verdict = { type: 'commit', order: Number.MAX_SAFE_INTEGER } as const
  const over = new Map(
    Array.from({ length: limits.commitsKept }, (_, at) => [id(at), verdict] as const),
  )
  const settled = { orders, placed, over, forgotten: id(1) }
  await new CommitRecords(dataDir).settle(settled)
  const { decisions, ...loaded } = await new CommitRecords(dataDir).load()
  expect(loaded).toEqual(settled)
})
