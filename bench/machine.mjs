/**
 * What is known about the machine and its processes, read from /proc: a line that names the
 * machine, CPU seconds, memory, room. Linux only; elsewhere a figure that cannot be told is NaN.
 */
import { readFileSync, statfsSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

/** Clock ticks of /proc/PID/stat in a second; Linux has used 100 for all user-visible times. */
const ticksPerSecond = 100

export function machineLine() {
  const processors = cpus()
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  return (
    `${processors.length} cores (${processors[0]?.model.trim() ?? 'unknown'}), ${memory} GiB, ` +
    `${process.platform} ${release()}, node ${process.version}`
  )
}

function statFields(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
  } catch {
    return []
  }
}

/** User and system seconds of a running process, all threads. */
export function cpuSeconds(pid) {
  const fields = statFields(pid)
  return (fields[11] + fields[12]) / ticksPerSecond
}

/** Seconds in which another guest had this machine's processors, since it started. */
export function stolenSeconds() {
  const [line] = readFileSync('/proc/stat', 'utf8').split('\n', 1)
  return Number(line.split(/ +/)[8]) / ticksPerSecond
}

/** The same of all children of this process that have ended and were waited for. */
export function endedChildrenCpuSeconds() {
  const fields = statFields('self')
  return (fields[13] + fields[14]) / ticksPerSecond
}

/** Anonymous memory of a process that is in RAM, in bytes; NaN once it is gone. */
export function anonymousBytes(pid) {
  try {
    const found = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Number(found?.[1]) * 1024
  } catch {
    return Number.NaN
  }
}

/** Looks at the anonymous memory of a process every few milliseconds until `end`. */
export function watchMemory(pid, everyMs) {
  const idle = anonymousBytes(pid)
  let peak = idle
  let samples = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, anonymousBytes(pid) || 0)
    samples++
  }, everyMs)
  return {
    end() {
      clearInterval(timer)
      return { idle, peak, samples }
    },
  }
}

export function availableMemoryBytes() {
  const found = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))
  return found === null ? 0 : Number(found[1]) * 1024
}

/** Bytes that may be filled at a place; on tmpfs not more than there is memory. */
export function roomAt(place) {
  try {
    const { bavail, bsize } = statfsSync(place)
    const free = bavail * bsize
    return place.startsWith('/dev/shm') ? Math.min(free, availableMemoryBytes()) : free
  } catch {
    return 0
  }
}
