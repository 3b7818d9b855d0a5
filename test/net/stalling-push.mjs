/**
 * A push whose main thread is blocked again and again, as a long garbage collection or a busy
 * callback would. Prints one JSON line per event: `stall` (begin and end, ns of the monotonic
 * clock) and `result`. Arguments: file, key file, period and length of a stall in ms, addresses.
 */
import { readFileSync } from 'node:fs'
import { push } from '../../dist/api/index.js'

const [file, keyFile, periodMs, stallMs, ...to] = process.argv.slice(2)
const cell = new Int32Array(new SharedArrayBuffer(4))

function stall() {
  const begin = process.hrtime.bigint()
  Atomics.wait(cell, 0, 0, Number(stallMs))
  const end = process.hrtime.bigint()
  console.log(JSON.stringify({ event: 'stall', begin: Number(begin), end: Number(end) }))
}

const transfer = push(file, { to, key: readFileSync(keyFile, 'utf8') })
let stalling
transfer.once('plan', () => {
  stalling = setInterval(stall, Number(periodMs))
})
try {
  const { seconds, nodes } = await transfer.result
  console.log(JSON.stringify({ event: 'result', seconds, nodes }))
} finally {
  clearInterval(stalling)
}
