/**
 * Loaded into each process of a soak (NODE_OPTIONS): tells its memory of JavaScript and the delay
 * of its event loop, the newest in the file FR_SOAK_TOLD.PID.
 */
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const told = process.env.FR_SOAK_TOLD
const everyMs = 10_000

if (told !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const ms = (nanos) => Math.max(0, nanos / 1e6 - 10)
  setInterval(() => {
    const { heapUsed, external, arrayBuffers } = process.memoryUsage()
    const lag = [delay.percentile(50), delay.percentile(99), delay.max].map(ms)
    delay.reset()
    const line = JSON.stringify({ heapUsed, external, arrayBuffers, lag })
    try {
      writeFileSync(`${told}.${process.pid}`, line)
    } catch {
      // The directory is removed at the end.
    }
  }, everyMs).unref()
}
