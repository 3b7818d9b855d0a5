/** The suites that need namespaces run, and leave nothing behind however they end. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { gone } from '../../bench/lab/lab.mjs'
import { until } from '../../bench/programs.mjs'

const entry = path.resolve('dist/cli/bench.js')

function start(args: readonly string[]) {
  return spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
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
  const child = start([
    'lab',
    '--quick',
    '--json',
    '--queue',
    'fifo',
    '--strategy',
    'unicast,adaptive',
  ])
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  child.stderr.resume()
  const [status] = await once(child, 'close')
  expect(status).toBe(0)
  const [report, comparison] = lines.map((line) => JSON.parse(line))
  const runs = report.entries.map((each: { system: string; runs: unknown[] }) => [
    each.system,
    each.runs.length,
  ])
  expect(runs).toEqual([
    ['unicast', 1],
    ['adaptive', 1],
  ])
  const [run] = report.entries[1].runs
  expect(run.originCpuPerGB).toBeGreaterThan(0)
  expect(run.cpuPerGB).toBeGreaterThan(run.originCpuPerGB)
  expect(run.lastOfMedian).toBeGreaterThanOrEqual(1)
  // The origin's wire tells the plans apart: a copy per node, or little more than one.
  expect(report.entries[0].runs[0].originCopies).toBeGreaterThan(1.9)
  expect(run.originCopies).toBeLessThan(1.5)
  expect(comparison.title).toMatch(/^quick, all systems/)
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s in the middle leaves nothing behind',
  async (signal) => {
    const child = start(['lab', '--scenario', 'slow8', '--rounds', '1'])
    const ended = once(child, 'close')
    // The push has begun once the origin's namespace has a process, and so have the nodes': while
    // the network is made, commands run in one or the other for a moment.
    const isUnderWay = () => {
      const names = namespacesOf(child.pid)
      const origin = names.find((name) => name.endsWith('-0'))
      const isPushing = origin !== undefined && pidsIn(origin).length > 0
      return isPushing && names.flatMap(pidsIn).length >= 9
    }
    await until(isUnderWay, 'the push to begin', 30_000)
    const names = namespacesOf(child.pid)
    const pids = names.flatMap(pidsIn)
    expect(directoriesOf(child.pid)).toHaveLength(1)
    expect(pids.length).toBeGreaterThanOrEqual(9)
    child.kill(signal)
    const [status] = await ended
    expect(status).toBe(signal === 'SIGINT' ? 130 : 143)
    expect(await gone(names)).toBe(true)
    expect(directoriesOf(child.pid)).toEqual([])
    // They were killed; the kernel takes a moment to take them down.
    await until(
      () => !pids.some((pid) => existsSync(`/proc/${pid}`)),
      'the processes to end',
      20_000,
    )
  },
)
