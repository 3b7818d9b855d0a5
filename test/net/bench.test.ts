/** The suites that need namespaces run, and leave nothing behind however they end. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { gone } from '../../bench/lab/lab.mjs'
import { Running, until } from '../../bench/running.mjs'

const entry = path.resolve('bench/main.mjs')

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

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s in the middle leaves nothing behind',
  async (signal) => {
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
    bench.kill(signal)
    expect(await bench.ended).toBe(signal === 'SIGINT' ? 130 : 143)
    expect(await gone(names)).toBe(true)
    expect(directoriesOf(pid)).toEqual([])
    // They were killed; the kernel takes a moment to remove them.
    await until(
      () => !pids.some((pid) => existsSync(`/proc/${pid}`)),
      'the processes to end',
      20_000,
    )
  },
)
