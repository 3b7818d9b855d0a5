/**
 * Preloaded into a process under test: it is killed before the STOP_AT-th call that changes the
 * disk through node:fs/promises; of a write, the first half is written then.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const stopAt = Number(process.env.STOP_AT)
let calls = 0

function isStop() {
  calls++
  return calls === stopAt
}

function stop() {
  process.kill(process.pid, 'SIGKILL')
  // The signal is on its way.
  for (;;);
}

function stopping(object, name, isChange = () => true) {
  const before = object[name]
  object[name] = function (...values) {
    if (isChange(...values) && isStop()) stop()
    return before.apply(this, values)
  }
}

const probe = await fs.promises.open('/dev/null')
const handle = Object.getPrototypeOf(probe)
await probe.close()
const { write } = handle
handle.write = async function (bytes, from, length, at) {
  if (!isStop()) return write.call(this, bytes, from, length, at)
  const half = Math.floor(length / 2)
  if (half > 0) await write.call(this, bytes, from, half, at)
  stop()
}
for (const name of ['sync', 'datasync', 'truncate']) stopping(handle, name)
for (const name of ['rename', 'unlink', 'mkdir', 'link']) stopping(fs.promises, name)
// Opening for reading changes nothing.
stopping(fs.promises, 'open', (_path, flags) =>
  typeof flags === 'string' ? flags !== 'r' : (flags & fs.constants.O_CREAT) !== 0,
)
syncBuiltinESMExports()
