/**
 * Facts about the machine and its processes from /proc: a line that names the machine, CPU seconds,
 * memory, free space. Linux only; elsewhere unknown figures are NaN.
 */
import { readFileSync, statfsSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

/** Clock ticks per second in /proc/PID/stat; always 100 on Linux. */
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

/** User and system seconds of the main thread of a running process; NaN once it is gone. */
export function mainThreadSeconds(pid) {
  const fields = statFields(`${pid}/task/${pid}`)
  return (fields[11] + fields[12]) / ticksPerSecond
}

/**
 * Seconds since start in which the processors of this machine did anything, for whomever: user,
 * nice, system, and the interrupts that no process is charged with.
 */
export function busySeconds() {
  return busyOf(readFileSync('/proc/stat', 'utf8'))
}

/** The same from the text of /proc/stat. */
export function busyOf(text) {
  const [user, nice, system, , , irq, softirq] = text.split('\n', 1)[0].split(/ +/).slice(1)
  return (
    [user, nice, system, irq, softirq].reduce((sum, each) => sum + Number(each), 0) / ticksPerSecond
  )
}

/** Seconds since start in which another guest had this machine's processors. */
export function stolenSeconds() {
  const [line] = readFileSync('/proc/stat', 'utf8').split('\n', 1)
  return Number(line.split(/ +/)[8]) / ticksPerSecond
}

/** CPU seconds of all children of this process that have ended. */
export function endedChildrenCpuSeconds() {
  const fields = statFields('self')
  return (fields[13] + fields[14]) / ticksPerSecond
}

/** Anonymous memory of a process in RAM, in bytes; NaN once it is gone. */
export function anonymousBytes(pid) {
  try {
    const found = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Number(found?.[1]) * 1024
  } catch {
    return Number.NaN
  }
}

/** Samples the anonymous memory of a process every few milliseconds until `end`. */
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

/** Free bytes at a place; on tmpfs at most the free memory. */
export function roomAt(place) {
  try {
    const { bavail, bsize } = statfsSync(place)
    const free = bavail * bsize
    return place.startsWith('/dev/shm') ? Math.min(free, availableMemoryBytes()) : free
  } catch {
    return 0
  }
}
