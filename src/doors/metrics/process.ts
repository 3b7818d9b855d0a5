/**
 * What the process costs, under the names that the clients of Prometheus use, and the processor
 * time of the engine's own threads: those that move bytes (`fr-lane-N`) and those that write and
 * sync (proc(5), `/proc/self/task`).
 */
import { readdir, readFile } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import type { Family } from './families.js'

/** Of processor times in proc(5): USER_HZ, which is 100 on Linux whatever the kernel's own. */
const ticksPerSecond = 100
/** Threads that are looked at: beyond any engine's. */
const threadsMax = 4_096

export async function processFamilies(): Promise<Family[]> {
  const { user, system } = process.cpuUsage()
  const threads = await threadSeconds()
  const { length: openFiles } = await readdir('/proc/self/fd').catch(() => [])
  return [
    single('counter', 'process_cpu_seconds_total', 'Processor time.', (user + system) / 1e6),
    single('gauge', 'process_resident_memory_bytes', 'Memory.', process.memoryUsage.rss()),
    single('gauge', 'process_open_fds', 'Open file descriptors.', openFiles),
    single(
      'gauge',
      'process_start_time_seconds',
      'Start, since the epoch.',
      performance.timeOrigin / 1_000,
    ),
    single(
      'gauge',
      'nodejs_eventloop_utilization',
      'Part of its time that the event loop was busy, since the start.',
      performance.eventLoopUtilization().utilization,
    ),
    {
      name: 'fastreplica_thread_cpu_seconds_total',
      help: 'Processor time of threads of the engine, added up by what they do.',
      type: 'counter',
      values: [...threads].map(([thread, value]) => ({ labels: { thread }, value })),
    },
  ]
}

function single(type: Family['type'], name: string, help: string, value: number): Family {
  return { name, help, type, values: [{ value }] }
}

/** By name, without the number behind it: `lane`. */
async function threadSeconds(): Promise<Map<string, number>> {
  const seconds = new Map<string, number>()
  const tasks = await readdir('/proc/self/task').catch(() => [])
  for (const task of tasks.slice(0, threadsMax)) {
    // A thread may end meanwhile.
    const stat = await readFile(`/proc/self/task/${task}/stat`, 'utf8').catch(() => '')
    const found = threadOf(stat)
    if (found !== null) seconds.set(found.name, (seconds.get(found.name) ?? 0) + found.seconds)
  }
  return seconds
}

/** Of a line as in proc(5); null: it is none of the engine's. */
export function threadOf(stat: string): { name: string; seconds: number } | null {
  const [, name, rest] = /^\d+ \(fr-(.*?)[-\d]*\) (.*)$/s.exec(stat) ?? []
  if (name === undefined || rest === undefined) return null
  // utime and stime are fields 14 and 15; the state, the first behind the name, is field 3.
  const fields = rest.split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  return Number.isFinite(ticks) ? { name, seconds: ticks / ticksPerSecond } : null
}
