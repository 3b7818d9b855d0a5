/**
 * Cancels a push: an AbortSignal stops it, `result` rejects with the reason of the signal, and no
 * node publishes anything. Run: node examples/cancel.mjs FILE DIRECTORY
 */
import { push, startNode } from 'fastreplica'

const [path, dataDir] = process.argv.slice(2)
if (path === undefined || dataDir === undefined) {
  console.error('usage: node examples/cancel.mjs FILE DIRECTORY')
  process.exit(2)
}
const key = 'at least 32 bytes that nobody can guess'
const node = await startNode({ listen: '127.0.0.1:0', dataDir, key })
const controller = new AbortController()
const transfer = push(path, { to: [node.address], key, signal: controller.signal })
transfer.once('plan', () => controller.abort(new Error('changed my mind')))
try {
  await transfer.result
  console.log('too late: the file was there already')
} catch (error) {
  console.log(`cancelled: ${error.message}`)
} finally {
  await node.close()
}
