/**
 * Stores the content of a stream in a file without a name, because a push reads its source more
 * than once and must know its size first. The file disappears with its last descriptor, even when
 * the process is killed.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, statfs, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FrError, isOutOfFiles } from '../base/errors.js'
import { limits, MIB } from '../base/limits.js'

export type Chunks = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array>

/** Bytes written between two checks of the free space. */
const lookBytes = 16 * MIB
const pieceBytes = 8 * MIB

/**
 * Reads all chunks into a file in the directory for temporary files, then calls `use` with a path
 * that is valid while `use` runs. Rejects with ERR_FR_NO_SPACE when less than limits.minFreeBytes
 * would stay free, ERR_FR_SOURCE when the stream fails, ERR_FR_IO, or the signal's reason.
 */
export async function spooled<T>(
  chunks: Chunks,
  signal: AbortSignal,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const reader = await spool(chunks, signal)
  try {
    return await use(descriptorPath(reader.fd))
  } finally {
    await reader.close()
  }
}

/** A path that opens the file of a descriptor of this process, whatever its name. */
export function descriptorPath(fd: number): string {
  return process.platform === 'linux' ? `/proc/self/fd/${fd}` : `/dev/fd/${fd}`
}

function spool(chunks: Chunks, signal: AbortSignal): Promise<FileHandle> {
  return writeUnnamed(signal, (writer, directory) => fill(writer, directory, chunks, signal))
}

/**
 * Makes a file without a name in the directory for temporary files, lets `write` fill it, and opens
 * it read-only: a descriptor that can write would make a source look doubtful. Rejects as `spooled`
 * does; errors of `write` that are none of the system pass.
 */
export async function writeUnnamed(
  signal: AbortSignal,
  write: (writer: FileHandle, directory: string) => Promise<void>,
): Promise<FileHandle> {
  const { writer, reader, directory } = await openUnnamed()
  try {
    await write(writer, directory)
    return reader
  } catch (error) {
    await reader.close()
    throw spoolError(error, directory, signal)
  } finally {
    await writer.close()
  }
}

export interface UnnamedFile {
  readonly writer: FileHandle
  readonly reader: FileHandle
  /** Where it is. */
  readonly directory: string
}

/** Both are the caller's. Rejects with ERR_FR_NO_SPACE, ERR_FR_LIMIT or ERR_FR_IO. */
export async function openUnnamed(): Promise<UnnamedFile> {
  const directory = tmpdir()
  const path = join(directory, `fastreplica-${randomBytes(12).toString('hex')}`)
  let writer: FileHandle | undefined
  try {
    writer = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
    try {
      return { writer, reader: await open(path, constants.O_RDONLY), directory }
    } finally {
      await unlink(path)
    }
  } catch (error) {
    await writer?.close()
    throw spoolError(error, directory)
  }
}

/**
 * Writes all chunks behind each other, and tells after each piece how much is there. Rejects as
 * `spooled` does.
 */
export async function fillFrom(
  chunks: Chunks,
  { writer, directory }: Pick<UnnamedFile, 'writer' | 'directory'>,
  signal: AbortSignal,
  written: (bytes: number) => void,
): Promise<void> {
  try {
    await fill(writer, directory, chunks, signal, written)
  } catch (error) {
    throw spoolError(error, directory, signal)
  }
}

async function fill(
  writer: FileHandle,
  directory: string,
  chunks: Chunks,
  signal: AbortSignal,
  written: (bytes: number) => void = () => {},
): Promise<void> {
  let bytes = 0
  let lookAt = 0
  for await (const chunk of untilAborted(chunks, signal)) {
    const content = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    if (!(content instanceof Uint8Array))
      throw new TypeError('the source must give Uint8Arrays or strings')
    for (let at = 0; at < content.length; at += pieceBytes) {
      if (bytes >= lookAt) {
        await requireRoom(directory, bytes)
        lookAt = bytes + lookBytes
      }
      const piece = content.subarray(at, at + pieceBytes)
      await writeAll(writer, piece)
      bytes += piece.length
      written(bytes)
    }
  }
}

/** Throws ERR_FR_NO_SPACE where so many more bytes would leave too few. `bytes`: there so far. */
export async function requireRoom(
  directory: string,
  bytes: number,
  more = lookBytes + pieceBytes,
): Promise<void> {
  const { bavail, bsize } = await statfs(directory)
  if (bavail * bsize - more >= limits.minFreeBytes) return
  const text = `no room to keep the source in ${directory} (TMPDIR), after ${bytes} bytes of it`
  throw new FrError('ERR_FR_NO_SPACE', text, { path: directory })
}

async function writeAll(writer: FileHandle, piece: Uint8Array): Promise<void> {
  for (let done = 0; done < piece.length; ) {
    const { bytesWritten } = await writer.write(piece, done)
    done += bytesWritten
  }
}

/** Yields the same chunks; an abort ends the wait for a chunk that may never come. */
async function* untilAborted(
  chunks: Chunks,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array | string> {
  const iterator =
    Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
  let giveUpWaiting: (reason: unknown) => void = () => {}
  const aborted = (): void => giveUpWaiting(signal.reason)
  signal.addEventListener('abort', aborted, { once: true })
  let isOver = false
  try {
    for (;;) {
      // A race with one promise for all chunks would keep every chunk until that settles.
      const next = await new Promise<IteratorResult<Uint8Array | string>>((resolve, reject) => {
        giveUpWaiting = reject
        if (signal.aborted) aborted()
        else failing(iterator.next()).then(resolve, reject)
      })
      isOver = next.done === true
      if (next.done === true) return
      yield next.value
    }
  } finally {
    signal.removeEventListener('abort', aborted)
    if (!isOver) giveUp(chunks, iterator)
  }
}

/** Abandons the rest of the source. A stream that waits for a chunk answers only when destroyed. */
function giveUp(chunks: Chunks, iterator: AsyncIterator<unknown> | Iterator<unknown>): void {
  const { destroy } = chunks as { destroy?: unknown }
  if (typeof destroy === 'function') destroy.call(chunks)
  else void Promise.resolve(iterator.return?.()).catch(() => undefined)
}

/** Errors of the stream are errors of the source. */
async function failing<T>(next: T | Promise<T>): Promise<T> {
  try {
    return await next
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause)
    throw new FrError('ERR_FR_SOURCE', `the stream of the source failed: ${text}`, { cause })
  }
}

function spoolError(error: unknown, directory: string, signal?: AbortSignal): unknown {
  if (error instanceof FrError || error instanceof TypeError) return error
  if (signal?.aborted) return signal.reason
  const { code, message } = error as NodeJS.ErrnoException
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  const text = `the source cannot be kept in ${directory} (TMPDIR): ${message}`
  const details = { path: directory, cause: error }
  if (isOutOfFiles(error)) return new FrError('ERR_FR_LIMIT', text, details)
  return new FrError(isFull ? 'ERR_FR_NO_SPACE' : 'ERR_FR_IO', text, details)
}
