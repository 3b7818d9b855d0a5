/**
 * Content that is coded before it is pushed: what samples of it come to, and all of it, written
 * into a file without a name.
 *
 * The idea: the lengths of frames are known once they are made, so the space in front of them is
 * left free and written last. Workers make the frames, a few at a time and in order.
 */
import type { FileHandle } from 'node:fs/promises'
import { type Coding, frameBytesFor, patchWidths } from '../../base/coding.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { nowMs } from '../../base/time/awake.js'
import type { DataEngine, EncodeTask, HashPool, SourceFile } from '../../ports.js'
import { codedHeaderBytes, encodeCodedHeader, type HeaderRun } from '../../protocol/coded-header.js'
import { requireRoom, writeUnnamed } from '../../store/spool.js'
import { inOrder, piecesOfFile } from '../in-order.js'

export interface ToCode {
  readonly engine: Pick<DataEngine, 'hashSource'>
  readonly pool: Pick<HashPool, 'encode'>
  readonly source: SourceFile
  readonly coding: Coding
  /** Of a patch. */
  readonly base?: SourceFile | undefined
}

export interface Sampled {
  readonly ratio: number
  readonly encodeBytesPerSecond: number
}

type Task = Omit<EncodeTask, 'width' | 'range' | 'frameBytes'>

function taskOf({ engine, source, base, coding }: ToCode): Task {
  const before = base && engine.hashSource(base.file)
  return { coding, source: engine.hashSource(source.file), ...(before && { base: before }) }
}

/** Codes pieces all over the file. */
export async function sampled(what: ToCode, width = 1): Promise<Sampled> {
  const { codingSamples, codingSampleBytes: most } = limits
  const { size } = what.source
  const task = taskOf(what)
  const step = Math.max(most, Math.floor(size / codingSamples))
  let [bytes, coded, spentMs] = [0, 0, 0]
  for (let offset = 0; offset < size; offset += step) {
    const range = { offset, length: Math.min(most, size - offset) }
    const encode = (): Promise<Uint8Array> =>
      what.pool.encode({ ...task, width, range, frameBytes: most })
    // A worker that has to start first is not measured.
    if (offset === 0) await encode()
    const startMs = nowMs()
    coded += (await encode()).length
    spentMs += nowMs() - startMs
    bytes += range.length
  }
  return { ratio: coded / bytes, encodeBytesPerSecond: (1000 * bytes) / Math.max(spentMs, 0.001) }
}

/** The width of numbers with which samples of a patch come to least. */
export async function patchWidth(what: ToCode): Promise<number> {
  let best = { width: 1, ratio: Number.POSITIVE_INFINITY }
  for (const width of patchWidths) {
    const { ratio } = await sampled(what, width)
    if (ratio < best.ratio) best = { width, ratio }
  }
  return best.width
}

/**
 * All of it, in a file without a name, opened read-only; undefined: it comes to more than
 * `mostBytes`. `runs`: signed digests of the source. Rejects as `spooled` does.
 */
export async function encoded(
  what: ToCode & { readonly width: number },
  runs: readonly HeaderRun[],
  mostBytes: number,
  signal: AbortSignal,
): Promise<FileHandle | undefined> {
  const { size } = what.source
  const { coding } = what
  const frameBytes = frameBytesFor(size)
  const lengths = new Uint8Array(4 * Math.ceil(size / frameBytes))
  let end = codedHeaderBytes({ lengths, runs })
  let isTooMuch = end > limits.codedHeaderBytes
  const write = async (writer: FileHandle, directory: string): Promise<void> => {
    for await (const { range, frames } of framesOf(what, frameBytes)) {
      signal.throwIfAborted()
      const count = 4 * Math.ceil(range.length / frameBytes)
      lengths.set(frames.subarray(0, count), 4 * (range.offset / frameBytes))
      const bytes = frames.subarray(count)
      isTooMuch ||= end + bytes.length > mostBytes
      if (isTooMuch) throw new FrError('ERR_FR_UNSUPPORTED', 'coding makes the content no smaller')
      await requireRoom(directory, end)
      await writeAt(writer, bytes, end)
      end += bytes.length
    }
    await writeAt(writer, encodeCodedHeader({ coding, size, lengths, runs }), 0)
  }
  try {
    return await writeUnnamed(signal, write)
  } catch (error) {
    if (isTooMuch) return undefined
    throw error
  }
}

interface Made {
  readonly range: { readonly offset: number; readonly length: number }
  readonly frames: Uint8Array
}

/** In the order of the file. */
function framesOf(
  what: ToCode & { readonly width: number },
  frameBytes: number,
): AsyncGenerator<Made> {
  const task = { ...taskOf(what), width: what.width, frameBytes }
  const pieces = piecesOfFile(what.source.size, limits.codeTaskBytes)
  return inOrder(pieces, limits.codeTasks, async (range) => {
    return { range, frames: await what.pool.encode({ ...task, range }) }
  })
}

async function writeAt(writer: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await writer.write(bytes, done, bytes.length - done, at + done)
    done += bytesWritten
  }
}
