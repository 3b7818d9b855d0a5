/** Work on the pieces of a file, some of it at the same time, taken in the order of the pieces. */
import type { ByteRange } from '../ports.js'

/**
 * What each of the pieces comes to. At most `atOnce` are worked on, and when this ends, however it
 * does, none is: they read the file. Rejects with the reason of the signal while pieces are left.
 */
export async function* inOrder<Piece, Made>(
  pieces: Iterable<Piece>,
  atOnce: number,
  work: (piece: Piece) => Promise<Made>,
  signal?: AbortSignal,
): AsyncGenerator<Made, void, undefined> {
  const running: Promise<Made>[] = []
  const left = pieces[Symbol.iterator]()
  const begin = (): void => {
    while (running.length < atOnce) {
      const { value, done } = left.next()
      if (done === true) return
      signal?.throwIfAborted()
      const made = work(value)
      // Awaited below, perhaps later than it fails.
      made.catch(() => {})
      running.push(made)
    }
  }
  try {
    for (begin(); running.length > 0; begin()) {
      signal?.throwIfAborted()
      yield await (running.shift() as Promise<Made>)
    }
  } finally {
    await Promise.allSettled(running)
  }
}

/** A file of so many bytes in pieces of `pieceBytes`. */
export function* piecesOfFile(bytes: number, pieceBytes: number): Generator<ByteRange> {
  for (let offset = 0; offset < bytes; offset += pieceBytes)
    yield { offset, length: Math.min(pieceBytes, bytes - offset) }
}
