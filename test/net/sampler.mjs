/**
 * Reads counter files repeatedly and prints `nanoseconds value stolen` lines until it is stopped.
 * Several files are separated by commas, and so are their values.
 * `stolen` counts ticks of 10 ms in which another guest had this machine's processors. It is a
 * separate process, so that blocking elsewhere does not delay it. Arguments: files, period ms.
 */
import { readFileSync, writeSync } from 'node:fs'

const [files = '', periodMs] = process.argv.slice(2)
/** A value that took longer to read has no precise time. */
const clearNs = 2_000_000n
const cell = new Int32Array(new SharedArrayBuffer(4))
for (;;) {
  const before = process.hrtime.bigint()
  const values = files.split(',').map((file) => Number(readFileSync(file, 'utf8')))
  const now = process.hrtime.bigint()
  const stolen = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].split(/ +/)[8]
  if (now - before < clearNs) writeSync(1, `${now} ${values.join(',')} ${stolen}\n`)
  Atomics.wait(cell, 0, 0, Number(periodMs))
}
