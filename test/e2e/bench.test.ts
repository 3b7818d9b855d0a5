/** The benches run with real processes and small sizes. Their figures mean nothing here. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { Running, until } from '../../bench/running.mjs'
import { canFail } from '../chaos/disks.mjs'

const directories: string[] = []

function makeDirectory(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'fr-bench-test-'))
  directories.push(made)
  return made
}

afterEach(() => {
  for (const each of directories.splice(0)) rmSync(each, { recursive: true, force: true })
})

function bench(args: readonly string[]) {
  const options = { encoding: 'utf8', timeout: 100_000 } as const
  return spawnSync(process.execPath, ['bench/main.mjs', ...args], options)
}

/** Whether this machine has what the bench of disks needs. */
const canLimitDisks =
  canFail() && /^\S+ \S+ cgroup \S*\bblkio\b/m.test(readFileSync('/proc/mounts', 'utf8'))

/** File systems, control groups and directories of a bench. */
function leftOf(pid: number | undefined): string[] {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n')
  const groups = mounts.flatMap((line) => {
    const [, at = '', type] = line.split(' ')
    return type === 'cgroup' ? [path.join(at, `fr-bench-${pid}`)] : []
  })
  const inMemory = readdirSync('/dev/shm').map((name) => path.join('/dev/shm', name))
  const own = [...mounts, ...inMemory].filter((text) => text.includes(`fr-bench-${pid}-`))
  return [...own, ...groups.filter((group) => existsSync(group))]
}

interface Row {
  readonly name: string
  readonly trials?: readonly { readonly seconds: number; readonly cpuSeconds: number }[]
  readonly peak?: number
}

interface Report {
  readonly event: string
  readonly suite: string
  readonly machine: string
  readonly rows: readonly Row[]
}

const reportsOf = (stdout: string): Report[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('fr-bench --quick', () => {
  test('loopback: the limit, the engine and fr push in one run; JSON alone on stdout', () => {
    const out = path.join(makeDirectory(), 'results')
    const { stdout, stderr, status } = bench(['loopback', '--quick', '--json', '--out', out])
    expect(`${status} ${stderr}`).toMatch(/^0 /)
    const reports = reportsOf(stdout)
    const pushes = ['fr push', 'fr push, classic', 'fr push, unicast']
    const programs = ['limit', 'limit, verified', 'engine, no digests', ...pushes]
    expect(reports.map((report) => report.rows.map((row) => row.name))).toEqual([
      [...programs, 'fr push, portable engine'],
      programs,
    ])
    for (const report of reports) {
      expect(report).toMatchObject({ event: 'bench', suite: 'loopback' })
      expect(report.machine).toContain(process.version)
    }
    for (const { trials } of reports.flatMap((report) => report.rows)) {
      expect(trials).toHaveLength(1)
      expect(trials?.[0]?.seconds).toBeGreaterThan(0)
      expect(trials?.[0]?.cpuSeconds).toBeGreaterThan(0)
    }
    expect(readFileSync(path.join(out, 'RESULTS.md'), 'utf8')).toContain('### loopback: ')
  })

  test('small, as text', () => {
    const { stdout, status } = bench(['small', '--quick'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/^fr push, start to exit +\d+ \(\d+-\d+\) +\d+\.\d\d +<= 2\.20 /m)
    expect(stdout).toMatch(/^4 KiB to 2 nodes +fr push, unicast +\d+\.\d +1\.00/m)
    expect(stdout).toMatch(/\n(missed:\n( {2}.+\n)+|everything that was wanted .+\n)$/)
  })

  test('memory and resume, as text', () => {
    const { stdout, status } = bench(['memory', 'resume', '--quick'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/^16 MiB +\d+\.\d +\d+\.\d/m)
    expect(stdout).toMatch(/\n(missed:\n( {2}.+\n)+|everything that was wanted .+\n)$/)
  })

  test('follow: what nodes are behind, and a stream beside a file', () => {
    const { stdout, status, stderr } = bench(['follow', '--quick', '--json'])
    expect(`${status} ${stderr}`).toMatch(/^0 /)
    const [report] = reportsOf(stdout)
    expect(report?.rows.map(({ name }) => name)).toEqual([
      '20 appends of 64 KiB, every 50 ms',
      '8 MiB, a file',
      '8 MiB, a stream',
    ])
    expect(report?.rows[0]).toMatchObject({ p50: expect.anything(), p99: expect.anything() })
  })

  test('publish: beside a push to the same nodes', () => {
    const { stdout, status, stderr } = bench(['publish', '--quick', '--json'])
    expect(`${status} ${stderr}`).toMatch(/^0 /)
    const [report] = reportsOf(stdout)
    expect(report?.rows.map(({ name }) => name)).toEqual(['fr push', 'fr publish'])
    expect(report?.rows[1]).toMatchObject({ sent: expect.anything(), ofPush: expect.anything() })
  })

  test('disks: one, two alike, two that are not; or what is missing here, in one line', () => {
    const { stdout, status, stderr, pid } = bench(['disks', '--quick', '--json'])
    if (!canLimitDisks) {
      expect(stderr).toMatch(/^fr-bench disks: .+\n$/)
      expect(status).toBe(2)
      return
    }
    expect(`${status} ${stderr}`).toMatch(/^0 /)
    const share = expect.stringMatching(/^\d+\.\d\d : 1$/)
    expect(reportsOf(stdout)[0]?.rows).toMatchObject([
      { name: 'one disk: 32 MiB/s', ratio: 1, shares: null },
      { name: 'striped, equal disks: 32 + 32 MiB/s', shares: share },
      { name: 'striped, one three times as fast: 48 + 16 MiB/s', shares: share },
    ])
    expect(leftOf(pid)).toEqual([])
  })

  test.runIf(canLimitDisks)('disks leaves nothing behind when it is stopped', async () => {
    const running = new Running(process.execPath, ['bench/main.mjs', 'disks', '--quick'])
    await running.until('round', () => running.stderr.includes('one disk, round 1'), 100_000)
    running.kill('SIGTERM')
    expect(await running.ended).toBe(143)
    expect(leftOf(running.child.pid)).toEqual([])
  })

  test('micro', () => {
    const { stdout, status } = bench(['micro', '--quick', '--json'])
    expect(status).toBe(0)
    const names = (JSON.parse(stdout) as Report).rows.map((row) => row.name)
    for (const engine of ['native', 'portable']) {
      for (const algorithm of ['xxh64', 'blake3', 'sha256'])
        expect(names).toContain(`${algorithm}, ${engine} engine`)
    }
  })
})

describe('fr-bench', () => {
  test('a suite that is not there is a usage error that names those that are', () => {
    const { stderr, status } = bench(['loopbak'])
    expect(status).toBe(2)
    expect(stderr).toMatch(/no suite 'loopbak'; known are loopback, disk, /)
  })

  test('tables of earlier outputs, put together, with what was missed at the end', () => {
    const directory = makeDirectory()
    const files = [5.7, 6.2].map((seconds, at) => {
      const run = { seconds, apartSeconds: null, lastOfMedian: 1.01, cpuPerGB: 1 }
      const runs = [{ ...run, originCpuPerGB: 0.2, originCopies: 1, stolenSeconds: 0 }]
      const entry = { name: 'lan8', queue: 'fifo', system: 'adaptive', runs, failures: [] }
      const file = path.join(directory, `${at}.json`)
      writeFileSync(file, `${JSON.stringify({ entries: [{ ...entry, missing: null }] })}\n`)
      return file
    })
    const { stdout, status } = bench(['lab', '--from', files.join(','), '--out', directory])
    expect(status).toBe(0)
    expect(stdout).toMatch(/^lan8 +fifo +adaptive +5\.37 +5\.62 +5\.95 \(5\.70-6\.20\) /m)
    expect(stdout).toMatch(
      /\nmissed:\n {2}lan8, fifo: of floor 1\.060 .+\n {2}lan8, fifo: max\/min 1\.088 .+\n$/,
    )
    const results = readFileSync(path.join(directory, 'RESULTS.md'), 'utf8')
    expect(results).toContain('- missed: lan8, fifo: of floor 1.060 (wanted: <= 1.030)\n')
  })

  test.each([
    [['--scenario', 'lan9'], /^fr-bench lab: no scenario lan9; known are lan8, .*\n$/],
    [['--from', '/nonexistent'], /^fr-bench lab: --from \/nonexistent: ENOENT.*\n$/],
  ])('lab %j is refused in one line', (args, text) => {
    const { stderr, status } = bench(['lab', ...args])
    expect(status).toBe(2)
    expect(stderr).toMatch(text)
  })

  test.skipIf(process.getuid?.() === 0)('lan without root says so in one line', () => {
    const { stderr, status } = bench(['lan', '--quick'])
    expect(status).toBe(2)
    expect(stderr).toBe('fr-bench lan: network namespaces need root\n')
  })

  test('what keeps memory warm ends with the trial, and never outlives the bench', async () => {
    const program = `
      import { readFileSync } from 'node:fs'
      import { Workspace, withWarmMemory } from '${path.resolve('bench/workspace.mjs')}'
      const workspace = new Workspace(2 ** 20)
      const children = () => {
        const text = readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8')
        return text.trim().split(' ').filter(Boolean)
      }
      await withWarmMemory(workspace, 2 ** 20, async () => {})
      const after = children()
      await withWarmMemory(workspace, 64 * 2 ** 20, async () => {
        console.log(JSON.stringify({ after, held: children(), directory: workspace.directory }))
        await new Promise((resolve) => setTimeout(resolve, 60_000))
      })`
    const bench = new Running(process.execPath, ['--input-type=module', '-e', program])
    const { after, held, directory } = await bench.ready('warm memory')
    directories.push(directory)
    expect(after).toEqual([])
    expect(held).toHaveLength(1)
    bench.kill()
    await until(() => !existsSync(`/proc/${held[0]}`), 'the warmer to end')
  })

  test('leaves no directory behind when it is stopped by a signal', () => {
    const home = makeDirectory()
    const bench = `${process.execPath} bench/main.mjs small`
    const shell = `${bench} & echo $!; sleep 2; kill -TERM $!; wait $!`
    const { status, stdout } = spawnSync('bash', ['-c', shell], {
      encoding: 'utf8',
      env: { ...process.env, TMPDIR: home },
    })
    expect(status).toBe(143)
    const mine = `fr-bench-${Number(stdout.split('\n')[0])}-`
    expect(readdirSync('/dev/shm').filter((name) => name.startsWith(mine))).toEqual([])
    expect(readdirSync(home)).toEqual([])
  })
})
