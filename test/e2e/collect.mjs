/**
 * Preloaded into a program: collects garbage when the program ends, so that Node warns of every
 * file handle that was left to the collector.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread } from 'node:worker_threads'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
// The warning comes in a later turn of the event loop, which this timer keeps alive.
if (isMainThread) {
  process.once('beforeExit', () => {
    setImmediate(() => {
      collect()
      setImmediate(() => setImmediate(() => undefined))
    })
  })
}
