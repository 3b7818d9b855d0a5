/** Frames of coded content by the addon: what a worker calls. Decoded bytes stay in the addon. */
import { codingNumber } from '../../base/coding.js'
import { FrError } from '../../base/errors.js'
import type { DecodeTask, EncodeTask, HashSource } from '../../ports.js'
import { fromNative, loadAddon } from './addon.js'

export function encodeNative(task: EncodeTask): Uint8Array {
  const { coding, source, base, width, range, frameBytes } = task
  const { offset, length } = range
  const [file, before] = [handleOf(source), base === undefined ? 0 : handleOf(base)]
  const kind = codingNumber[coding]
  return told(() => loadAddon().encodeFrames(file, before, kind, width, offset, length, frameBytes))
}

export function decodeNative(task: DecodeTask): void {
  const { coding, coded, at, lengths, to, base, offset, fileBytes, frameBytes } = task
  const [from, into, before] = [handleOf(coded), handleOf(to), base ? handleOf(base) : 0]
  const place = [offset, fileBytes, frameBytes] as const
  const kind = codingNumber[coding]
  told(() => loadAddon().decodeFrames(from, at, lengths, into, before, kind, ...place))
}

function told<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw fromNative(error)
  }
}

function handleOf(source: HashSource): number {
  if (source.kind === 'native') return source.file
  throw new FrError('ERR_FR_UNSUPPORTED', 'the portable engine codes no content')
}
