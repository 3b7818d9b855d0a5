/** Bytes of a file to a connection through JavaScript: encrypted ones, and the portable engine. */
import type { Socket } from 'node:net'
import { FrError } from '../base/errors.js'
import type { ByteRange, ServeSpec, StopSignal } from '../ports.js'
import { systemFailure } from './system-error.js'

/** A chunk at first, and of readers that take one at once; so much of each is in memory. */
const chunkBytes = 64 * 1024
const chunkBytesMax = 512 * 1024
/** Milliseconds in which one that is taken at once is taken. */
const promptMs = 20

export interface Hand {
  /** Bytes from there on, at least one; none at the end of the file. */
  read(range: ByteRange): Promise<Uint8Array>
  /** How many of these may be sent, once some may; 0: the engine is closing. */
  take(bytes: number): Promise<number>
}

/** As ServingEngine.serve, one chunk in memory at a time; the arguments have been checked. */
export async function serveByHand(socket: Socket, spec: ServeSpec, hand: Hand): Promise<void> {
  const { offset, length, stalledMs, signal } = spec
  let most = chunkBytes
  for (let done = 0; done < length; ) {
    signal?.throwIfAborted()
    const may = await hand.take(Math.min(most, length - done))
    if (may === 0) throw new FrError('ERR_FR_CLOSED')
    const bytes = await hand.read({ offset: offset + done, length: may })
    if (bytes.length === 0) throw new FrError('ERR_FR_SOURCE_CHANGED')
    signal?.throwIfAborted()
    const fromMs = performance.now()
    await written(socket, bytes, stalledMs, signal)
    const isPrompt = performance.now() - fromMs < promptMs
    most = isPrompt ? Math.min(2 * most, chunkBytesMax) : chunkBytes
    done += bytes.length
  }
}

/** Resolves when all that was written to a connection before is in the system's hands. */
export async function flushed(
  socket: Socket,
  { stalledMs, signal }: Pick<ServeSpec, 'stalledMs' | 'signal'>,
): Promise<void> {
  signal?.throwIfAborted()
  if (socket.destroyed) throw new FrError('ERR_FR_NODE_LOST')
  if (socket.writableLength > 0) await written(socket, new Uint8Array(), stalledMs, signal)
}

function written(
  socket: Socket,
  bytes: Uint8Array,
  stalledMs: number,
  signal: StopSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (failure?: unknown): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.off('close', onClose)
      if (failure === undefined) resolve()
      else reject(failure)
    }
    const onAbort = (): void => end(signal?.reason)
    const onClose = (): void => end(new FrError('ERR_FR_NODE_LOST'))
    const timer = setTimeout(() => end(stalled()), stalledMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.once('close', onClose)
    socket.write(bytes, (cause) =>
      end(cause ? new FrError('ERR_FR_NODE_LOST', undefined, { cause }) : undefined),
    )
  })
}

function stalled(): FrError {
  return systemFailure('ERR_FR_NODE_LOST', { errno: 110 })
}
