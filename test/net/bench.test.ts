/** The suites that need namespaces run, and leave nothing behind however they end. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type Contest, contests, quickContest, type Trial } from '../../bench/lab/contests.mjs'
import { gone, Lab } from '../../bench/lab/lab.mjs'
import type { Entry } from '../../bench/lab/tables.mjs'
import { Running, until } from '../../bench/running.mjs'

const entry = path.resolve('bench/main.mjs')

interface Report {
  readonly rows: readonly {
    readonly seconds?: string
    readonly met?: string
    readonly trials?: readonly Trial[]
  }[]
  readonly missed: readonly string[]
}

interface FaultRow {
  readonly name: string
  readonly verdict: string
  readonly injected: readonly string[]
}

const stream = path.resolve('test/net/stream.mjs')
const contestNames = Object.keys(contests)

const started: Running[] = []

// A process left over by a test takes its lab down with it.
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()))
})

function start(args: readonly string[]): Running {
  const running = new Running(process.execPath, [entry, ...args])
  started.push(running)
  return running
}

const directoriesOf = (pid: number | undefined) =>
  readdirSync('/dev/shm').filter((name) => name.startsWith(`fr-bench-${pid}-`))

function namespacesOf(pid: number | undefined): string[] {
  const tag = `frl-${pid?.toString(36)}.`
  const listed = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).split('\n')
  return listed.map((line) => line.split(' ')[0] ?? '').filter((name) => name.startsWith(tag))
}

const pidsIn = (namespace: string) =>
  execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' }).split('\n').filter(Boolean)

test('lab --quick measures every system it is told to, in turns', async () => {
  const few = ['--queue', 'fifo', '--strategy', 'unicast,adaptive']
  const bench = start(['lab', '--quick', '--json', ...few])
  await bench.succeed('the bench')
  const [report = {}, comparison] = bench.lines
  const runs = report['entries'].map((each: { system: string; runs: unknown[] }) => [
    each.system,
    each.runs.length,
  ])
  expect(runs).toEqual([
    ['unicast', 1],
    ['adaptive', 1],
  ])
  const [run] = report['entries'][1].runs
  expect(run.originCpuPerGB).toBeGreaterThan(0)
  expect(run.cpuPerGB).toBeGreaterThan(run.originCpuPerGB)
  expect(run.lastOfMedian).toBeGreaterThanOrEqual(1)
  // The origin's sent bytes tell the plans apart: a copy per node, or little more than one.
  expect(report['entries'][0].runs[0].originCopies).toBeGreaterThan(1.9)
  expect(run.originCopies).toBeLessThan(1.5)
  expect(comparison?.['title']).toMatch(/^quick, all systems/)
})

test('groups --quick: a chain behind a line that loses, sites, two at once, small', async () => {
  const names = 'chain32,sites24,twice16,small'
  const bench = start(['groups', '--quick', '--json', '--scenario', names])
  await bench.succeed('the bench')
  const [shaped = {}, small = {}] = bench.lines
  const entries: Entry[] = shaped['entries']
  expect(entries.map(({ name, system }) => [name, system])).toEqual([
    ['chain32', 'adaptive'],
    ['sites24', 'adaptive'],
    ['twice16', 'adaptive'],
  ])
  for (const { runs } of entries) {
    expect(runs[0]?.seconds).toBeGreaterThan(0)
    expect(runs[0]?.originCopies).toBeLessThan(1.5)
  }
  // What nodes say they received from another site has gone over the links between them.
  const crossings = entries[1]?.runs[0]?.crossings ?? []
  expect(crossings).toHaveLength(4)
  for (const { from, to, times, onTheWire } of crossings) {
    expect([`${from}${to}`, times]).toEqual([`${from}${to}`, from < to ? 1 : 0])
    expect(onTheWire).toBeGreaterThan(times)
  }
  expect(small['rows'].map((row: { name: string }) => row.name)).toContain('fr push, unicast')
})

test('faults --quick: a node is killed, the origin is, and rows say what came of it', async () => {
  const bench = start(['faults', '--quick', '--json', '--scenario', 'killed,origin-gone'])
  await bench.succeed('the bench')
  const rows: FaultRow[] = bench.lines[0]?.['rows']
  expect(rows.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['none', 'all 4 complete'],
    ['killed', 'all 3 complete'],
    ['origin-gone', expect.stringMatching(/^all 4 name the same \d+ bytes: [\d, -]+$/)],
  ])
  expect(rows.map(({ injected }) => injected)).toEqual([
    [],
    [expect.stringMatching(/^host 3: SIGKILL, cable cut at [4-9]\d % /)],
    [expect.stringMatching(/^the origin: SIGKILL at \d+ % /)],
  ])
})

test('fast --quick has every contest, and compares fr push with what is installed', async () => {
  const bench = start(['fast', '--quick', '--json'])
  await bench.succeed('the bench')
  const reports = bench.lines
  expect(reports.map((report) => report['suite'])).toEqual([
    ...contestNames.map(() => 'fast'),
    'small',
  ])
  for (const [at, name] of contestNames.entries()) {
    const { systems, wanted } = quickContest(contests[name] as Contest)
    const { rows, missed } = reports[at] as Report
    expect(rows).toHaveLength(systems.length + wanted.length)
    const ours = rows.filter((_, row) => systems[row]?.startsWith('fr push'))
    for (const { trials } of ours) {
      expect(trials).toHaveLength(1)
      expect(trials?.[0]?.seconds).toBeGreaterThan(0)
      expect(trials?.[0]?.busyPerGB).toBeGreaterThan(0)
    }
    const isMissing = rows.some((row) => String(row.seconds).startsWith('not installed'))
    const verdicts = rows.slice(systems.length)
    if (!isMissing) expect(verdicts.every(({ met }) => met === 'yes' || met === 'no')).toBe(true)
    expect(missed).toHaveLength(verdicts.filter(({ met }) => met === 'no').length)
  }
  const lan8 = reports[contestNames.indexOf('lan8')] as Report
  expect(lan8.rows[0]?.trials?.[0]?.firstByteSeconds).toBeGreaterThan(0)
})

test('one shared queue carries what all hosts send, and limits them together', async () => {
  const unlimited = { upMbit: Number.POSITIVE_INFINITY, downMbit: Number.POSITIVE_INFINITY }
  const lab = Lab.create({ hosts: Array.from({ length: 4 }, () => unlimited), sharedMbit: 80 })
  try {
    const begin = performance.now()
    const flows = [
      [0, 1],
      [2, 3],
    ].map(async ([from = 0, to = 0]) => {
      const sink = lab.start(to, process.execPath, [stream, 'sink', '5000'])
      await sink.ready('sink')
      const send = [stream, 'send', lab.address(to), '5000', String(2.5e6)]
      lab.start(from, process.execPath, send)
      await sink.ended
      return sink.lines.at(-1)
    })
    expect(await Promise.all(flows)).toEqual([{ bytes: 2.5e6 }, { bytes: 2.5e6 }])
    // 5 MB at 80 Mbit/s, less what the bucket holds at first.
    expect(performance.now() - begin).toBeGreaterThan(450)
  } finally {
    lab.close()
  }
})

/** As SIGTERM does, which test/e2e/bench.test.ts sends. */
test('SIGINT in the middle leaves nothing behind', async () => {
  const bench = start(['lab', '--scenario', 'slow8', '--rounds', '1'])
  const { pid } = bench.child
  // The push has begun once the namespaces of the origin and of the nodes have processes; while
  // the network is made, commands run in one or another for a moment.
  const isUnderWay = () => {
    const names = namespacesOf(pid)
    const origin = names.find((name) => name.endsWith('-0'))
    const isPushing = origin !== undefined && pidsIn(origin).length > 0
    return isPushing && names.flatMap(pidsIn).length >= 9
  }
  await until(isUnderWay, 'the push to begin', 120_000)
  const names = namespacesOf(pid)
  const pids = names.flatMap(pidsIn)
  expect(directoriesOf(pid)).toHaveLength(1)
  expect(pids.length).toBeGreaterThanOrEqual(9)
  bench.kill('SIGINT')
  expect(await bench.ended).toBe(130)
  expect(await gone(names)).toBe(true)
  expect(directoriesOf(pid)).toEqual([])
  // They were killed; the kernel takes a moment to remove them.
  await until(() => !pids.some((pid) => existsSync(`/proc/${pid}`)), 'the processes to end', 20_000)
})
