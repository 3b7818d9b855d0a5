/**
 * Descriptors as files: WAV files that any player plays, at a part of the rate, with a chunk that
 * says which descriptor of which set they are. So a decoder tells strangers and doubles.
 *
 *     chunk `frds`: 16 bytes set | u16 index | u16 count | u32 frames | u32 rate   (little endian)
 */
import { createHash } from 'node:crypto'
import { framesOf, join, split } from './polyphase.mjs'
import { readWav, writeWav } from './wav.mjs'

const chunkName = 'frds'
const chunkBytes = 28
export const descriptorsMax = 32

/** The files of all descriptors of a WAV file. */
export function encode(bytes, count) {
  if (!Number.isInteger(count) || count < 1 || count > descriptorsMax)
    throw new Error(`a set has 1 to ${descriptorsMax} descriptors`)
  const { channels, rate, samples } = readWav(bytes)
  const set = createHash('sha256').update(bytes).update(String(count)).digest().subarray(0, 16)
  return split(samples, channels, count).map((part, index) => {
    const chunk = Buffer.alloc(chunkBytes)
    chunk.set(set)
    chunk.writeUInt16LE(index, 16)
    chunk.writeUInt16LE(count, 18)
    chunk.writeUInt32LE(samples.length / channels, 20)
    chunk.writeUInt32LE(rate, 24)
    const chunks = new Map([[chunkName, chunk]])
    const own = Math.max(1, Math.round(rate / count))
    return writeWav({ channels, rate: own, samples: part, chunks })
  })
}

/** What one file says of itself, and its samples. Throws Error for what is no descriptor. */
export function readDescriptor(bytes) {
  const { channels, samples, chunks } = readWav(bytes)
  const chunk = chunks.get(chunkName)
  if (chunk?.length !== chunkBytes) throw new Error('this is no descriptor')
  const fields = Buffer.from(chunk)
  const index = fields.readUInt16LE(16)
  const count = fields.readUInt16LE(18)
  const frames = fields.readUInt32LE(20)
  const rate = fields.readUInt32LE(24)
  const isRight =
    count > 0 &&
    count <= descriptorsMax &&
    index < count &&
    rate > 0 &&
    samples.length === framesOf(index, count, frames) * channels
  if (!isRight) throw new Error('the descriptor is not what it says of itself')
  return { set: fields.toString('hex', 0, 16), index, count, frames, rate, channels, samples }
}

/**
 * The sound from any of its descriptors, at least one, as a WAV file. Throws Error for one that is
 * there twice, or of another set.
 * @param {readonly Uint8Array[]} files
 */
export function decode(files) {
  const found = files.map(readDescriptor)
  const [first] = found
  if (first === undefined) throw new Error('at least one descriptor is needed')
  const { set, count, frames, rate, channels } = first
  const parts = new Map()
  for (const { index, samples, ...one } of found) {
    const isOfSet = one.set === set && one.count === count && one.frames === frames
    if (!isOfSet || one.channels !== channels || one.rate !== rate)
      throw new Error('the descriptors are of different sets')
    if (parts.has(index)) throw new Error(`descriptor ${index} is there twice`)
    parts.set(index, samples)
  }
  return writeWav({ channels, rate, samples: join(parts, { channels, count, frames }) })
}
