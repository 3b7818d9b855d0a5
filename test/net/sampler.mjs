/**
 * Reads a counter file over and over and prints `nanoseconds value`, a line each, until it is
 * ended. It is a process of its own, so that nothing which blocks elsewhere delays it. Arguments:
 * file, period in ms.
 */
import { readFileSync, writeSync } from 'node:fs'

const [file, periodMs] = process.argv.slice(2)
const cell = new Int32Array(new SharedArrayBuffer(4))
for (;;) {
  const value = Number(readFileSync(file, 'utf8'))
  writeSync(1, `${process.hrtime.bigint()} ${value}\n`)
  Atomics.wait(cell, 0, 0, Number(periodMs))
}
