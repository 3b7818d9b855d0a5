/**
 * A push whose main thread is blocked again and again, as a long garbage collection or a busy
 * callback would. Prints one JSON line per event: `stall` (begin and end, ns of the monotonic
 * clock) and `result`. Arguments: file, key file, name at the nodes, period and length of a stall
 * in ms, addresses.
 *
 * Stalls begin two periods after the plan: before that windows have not got their size. Each begins
 * only when the loop has turned in time for a while before it, so that it is as long as it says:
 * what the machine itself holds up would come on top.
 */
import { readFileSync } from 'node:fs'
import { push } from '../../dist/api/index.js'

const [file, keyFile, as, period, length, ...to] = process.argv.slice(2)
const [periodMs, stallMs] = [Number(period), Number(length)]
const beatMs = 5
const lateMs = 15
const cell = new Int32Array(new SharedArrayBuffer(4))

function stall() {
  const begin = process.hrtime.bigint()
  Atomics.wait(cell, 0, 0, stallMs)
  const end = process.hrtime.bigint()
  console.log(JSON.stringify({ event: 'stall', begin: Number(begin), end: Number(end) }))
}

let beatAt
let punctualSince
let stalledAt

function beat() {
  const now = performance.now()
  if (now - beatAt > lateMs) punctualSince = now
  if (now - stalledAt >= periodMs && now - punctualSince >= stallMs) {
    stall()
    stalledAt = now
  }
  beatAt = now
}

const transfer = push(file, { to, as, key: readFileSync(keyFile, 'utf8') })
let beating
transfer.once('plan', () => {
  beatAt = punctualSince = performance.now()
  stalledAt = beatAt + periodMs
  beating = setInterval(beat, beatMs)
})
try {
  const { seconds, nodes } = await transfer.result
  console.log(JSON.stringify({ event: 'result', seconds, nodes }))
} finally {
  clearInterval(beating)
}
