/** RESULTS.md: the newest figure of every row on top, every table below. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { Matter } from '../../../bench/report.mjs'
import { withResults, writeResults } from '../../../bench/results.mjs'

const circumstances = { machine: '2 cores', command: 'fr-bench fast', date: '2026-01-02' }
const matter = (what: string, measured: string, more: Partial<Matter> = {}): Matter => ({
  ...{ what, of: 'nginx', measured, wanted: '<= 1.20', met: 'yes', cpu: '0.98' },
  ...more,
})

const reportOf = (...matters: Matter[]) => ({
  suite: 'fast',
  title: 'two runs',
  columns: [
    { key: 'name', title: 'program' },
    { key: 'seconds', title: 's', digits: 1 },
    { key: 'why', title: 'why' },
  ],
  rows: [{ name: 'fr push', seconds: 5.617, why: null }],
  notes: ['a note'],
  missed: ['fr push: too slow'],
  matters,
})

/** Rows of the table on top. */
const topOf = (text: string) =>
  text
    .slice(text.indexOf('<!-- matters -->'), text.indexOf('<!-- /matters -->'))
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)

test('a new file has the row on top and the table in the history', () => {
  const text = withResults(null, reportOf(matter('4 nodes', '1.50', { met: 'no: nginx' })), {
    ...circumstances,
  })
  expect(text).toMatch(/^# Results\n/)
  expect(topOf(text)).toEqual([
    '| 4 nodes | 1.50 | nginx | <= 1.20 | no | 0.98 | 2026-01-02, 2 cores |',
  ])
  const history = text.slice(text.indexOf('## History'))
  expect(history).toContain('### fast: two runs\n\n2026-01-02. 2 cores. `fr-bench fast`\n\n')
  expect(history).toContain('| program | s | why |\n| --- | --- | --- |\n| fr push | 5.6 | - |\n')
  expect(history).toContain('- a note\n- missed: fr push: too slow\n')
})

test('a row that is measured again takes its place, others stay, new ones come last', () => {
  const first = reportOf(matter('4 nodes', '1.50'), matter('1 node', '1.04'))
  const later = { ...circumstances, date: '2026-02-03', machine: '4 cores' }
  const other = matter('4 nodes', '0.80', { of: 'rsync', cpu: null })
  const text = withResults(
    withResults(null, first, circumstances),
    reportOf(other, matter('4 nodes', '1.10')),
    later,
  )
  expect(topOf(text)).toEqual([
    '| 4 nodes | 1.10 | nginx | <= 1.20 | yes | 0.98 | 2026-02-03, 4 cores |',
    '| 1 node | 1.04 | nginx | <= 1.20 | yes | 0.98 | 2026-01-02, 2 cores |',
    '| 4 nodes | 0.80 | rsync | <= 1.20 | yes | - | 2026-02-03, 4 cores |',
  ])
  expect(text.match(/^### fast: two runs$/gm)).toHaveLength(2)
})

test('small sizes go into the history alone', () => {
  const report = reportOf(matter('4 nodes', '9.00'))
  const text = withResults(null, report, { ...circumstances, isQuick: true })
  expect(topOf(text)).toEqual([])
  expect(text).toContain('### fast: two runs')
})

test('what else is in the file stays, and a file without the table keeps its form', () => {
  const report = reportOf(matter('4 nodes', '1.50'))
  const own = '# Mine\n\n'
  const appended = withResults(own, report, circumstances)
  expect(appended.startsWith('# Mine\n\n### fast: two runs\n')).toBe(true)
  const noted = withResults(null, report, circumstances).replace(
    '## History',
    'A note.\n\n## History',
  )
  const text = withResults(noted, reportOf(matter('4 nodes', '1.40')), circumstances)
  expect(text).toContain('A note.')
  expect(topOf(text)).toHaveLength(1)
})

test('the file is written where it is told, also into a new directory', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'fr-bench-test-'))
  try {
    const place = path.join(directory, 'new')
    writeResults(place, reportOf(), circumstances)
    writeResults(place, reportOf(matter('4 nodes', '1.50')), circumstances)
    const text = readFileSync(path.join(place, 'RESULTS.md'), 'utf8')
    expect(text.match(/^# Results$/gm)).toHaveLength(1)
    expect(text.match(/^### fast: two runs$/gm)).toHaveLength(2)
    expect(topOf(text)).toHaveLength(1)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
