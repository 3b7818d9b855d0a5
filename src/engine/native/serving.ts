/** Bytes of files to connections of the host's: by the addon, but for encrypted ones. */
import type { Socket } from 'node:net'
import { FrError } from '../../base/errors.js'
import type { ServeSpec } from '../../ports.js'
import { checkServe } from '../checks.js'
import { flushed, serveByHand } from '../serve-by-hand.js'
import type { NativeEngine } from './addon.js'
import type { NativeStorage } from './storage.js'

/** As ServingEngine.serve. `descriptorOf`: -1 for a connection that is gone. */
export async function serve(
  engine: NativeEngine,
  storage: NativeStorage,
  descriptorOf: (socket: Socket) => number,
  socket: Socket,
  spec: ServeSpec,
): Promise<void> {
  const { file, offset, length, stalledMs, signal } = spec
  storage.file(file)
  checkServe(spec)
  await flushed(socket, spec)
  if (length === 0) return
  if ((socket as { encrypted?: boolean }).encrypted === true)
    return serveByHand(socket, spec, {
      read: (range) => storage.read(file, range),
      take: (bytes) => Promise.resolve(bytes),
    })
  let operation = 0
  let isGone = false
  const stop = (): void => {
    try {
      engine.stopServing(operation)
    } catch {
      // The lane is far behind: it comes to an end with the connection.
    }
  }
  const onClose = (): void => {
    isGone = true
    stop()
  }
  const served = storage.workOn(file, (asked) => {
    operation = asked
    engine.serve(asked, descriptorOf(socket), storage.file(file), offset, length, stalledMs)
  })
  signal?.addEventListener('abort', stop, { once: true })
  socket.once('close', onClose)
  try {
    await served
  } catch (error) {
    const isStopped = error instanceof FrError && error.code === 'ERR_FR_CLOSED'
    if (isStopped && isGone) throw new FrError('ERR_FR_NODE_LOST')
    if (isStopped) signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
    socket.off('close', onClose)
  }
}
