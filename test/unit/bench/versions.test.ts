/** What the suite of versions makes of its figures, and the new versions that it makes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { withByteInFront, withChangedPages } from '../../../bench/edits.mjs'
import { labVersionsReport } from '../../../bench/lab/versions.mjs'
import { versionsReport } from '../../../bench/versions.mjs'

const took = (wireBytes: number) => ({ wireBytes, seconds: 1 })
const absent = { why: 'not installed: zsync' }

describe('the report of versions', () => {
  const of = (ours: number) => [
    {
      name: 'a file',
      wanted: { 'of all': 0.02 },
      trials: [
        {
          wholeBytes: 1000,
          taken: { 'fr push': took(ours), rsync: took(30), casync: absent, zsync: absent },
        },
      ],
    },
  ]

  test('has a row for each program, and is judged by ours alone', () => {
    const { rows, missed } = versionsReport(of(15))
    expect(rows).toMatchObject([
      { program: 'fr push', ofAll: 0.015, wanted: '<= 0.0200', met: 'yes' },
      { program: 'rsync', ofAll: 0.03 },
      { program: 'casync', moved: absent.why },
      { program: 'zsync', moved: absent.why },
    ])
    expect(missed).toEqual([])
    expect(versionsReport(of(25)).missed).toHaveLength(1)
  })

  test('says why nothing was measured in the lab', () => {
    const scenario = { about: 'two nodes', bytes: 2 ** 20 }
    const none = labVersionsReport(scenario, [], 'network namespaces need root')
    expect(none).toMatchObject({ rows: [], missed: [], isJudged: false })
    expect(none.notes).toEqual(['not measured: network namespaces need root'])
    const figures = (seconds: number) => ({ seconds, sent: seconds * 2 ** 20 })
    const trials = [{ whole: figures(10), next: figures(1) }]
    const { rows, missed } = labVersionsReport(scenario, trials, null)
    expect(rows.at(-1)).toMatchObject({ ratio: 0.1, met: 'no: of whole', sent: 1 })
    expect(missed).toHaveLength(1)
  })
})

describe('a new version', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'fr-edits-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  test('has other bytes in so many pages, or one byte more', () => {
    const [before, changed, moved] = ['before', 'changed', 'moved'].map((name) =>
      path.join(directory, name),
    ) as [string, string, string]
    const content = Buffer.alloc(100 * 4096, 'content')
    writeFileSync(before, content)
    withChangedPages(before, changed, 0.05)
    const after = readFileSync(changed)
    const pages = Array.from({ length: 100 }, (_, i) => [i * 4096, (i + 1) * 4096] as const)
    const other = pages.filter((page) => !after.subarray(...page).equals(content.subarray(...page)))
    expect([after.length, other.length]).toEqual([content.length, 5])
    withByteInFront(before, moved)
    expect(readFileSync(moved).equals(Buffer.concat([Buffer.from('a'), content]))).toBe(true)
  })
})
