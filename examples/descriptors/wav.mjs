/** WAV files (RIFF) of 16-bit PCM, and chunks of our own in them, which players leave alone. */

const headerBytes = 12
const formatPcm = 1

/**
 * Throws Error for anything else.
 * @param {Uint8Array} bytes
 */
export function readWav(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const name = (at) => String.fromCharCode(...bytes.subarray(at, at + 4))
  if (bytes.length < headerBytes || name(0) !== 'RIFF' || name(8) !== 'WAVE')
    throw new Error('this is no WAV file')
  const chunks = new Map()
  for (let at = headerBytes; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true)
    if (at + 8 + length > bytes.length) throw new Error('the WAV file is cut off')
    chunks.set(name(at), bytes.subarray(at + 8, at + 8 + length))
    // Chunks begin at even offsets.
    at += 8 + length + (length % 2)
  }
  const [format, data] = [chunks.get('fmt '), chunks.get('data')]
  if (format === undefined || format.length < 16 || data === undefined)
    throw new Error('the WAV file has no sound')
  const fields = new DataView(format.buffer, format.byteOffset, format.byteLength)
  const channels = fields.getUint16(2, true)
  const rate = fields.getUint32(4, true)
  if (fields.getUint16(0, true) !== formatPcm || fields.getUint16(14, true) !== 16)
    throw new Error('only 16-bit PCM is split')
  if (channels === 0 || rate === 0 || data.length % (2 * channels) !== 0)
    throw new Error('the WAV file has no whole frames')
  const samples = new Int16Array(data.length / 2)
  const values = new DataView(data.buffer, data.byteOffset, data.byteLength)
  for (let i = 0; i < samples.length; i++) samples[i] = values.getInt16(2 * i, true)
  return { channels, rate, samples, chunks }
}

/**
 * `chunks`: those beside the format and the sound, by their four letters.
 * @param {{ channels: number, rate: number, samples: Int16Array,
 *   chunks?: ReadonlyMap<string, Uint8Array> }} sound
 */
export function writeWav({ channels, rate, samples, chunks = new Map() }) {
  const format = Buffer.alloc(16)
  format.writeUInt16LE(formatPcm, 0)
  format.writeUInt16LE(channels, 2)
  format.writeUInt32LE(rate, 4)
  format.writeUInt32LE(rate * channels * 2, 8)
  format.writeUInt16LE(channels * 2, 12)
  format.writeUInt16LE(16, 14)
  const data = Buffer.alloc(samples.length * 2)
  for (let i = 0; i < samples.length; i++) data.writeInt16LE(samples[i], 2 * i)
  const body = Buffer.concat([
    chunkOf('fmt ', format),
    ...[...chunks].map(([name, bytes]) => chunkOf(name, bytes)),
    chunkOf('data', data),
  ])
  const head = Buffer.alloc(headerBytes)
  head.write('RIFF', 0, 'latin1')
  head.writeUInt32LE(body.length + 4, 4)
  head.write('WAVE', 8, 'latin1')
  return Buffer.concat([head, body])
}

function chunkOf(name, bytes) {
  const head = Buffer.alloc(8)
  head.write(name, 0, 'latin1')
  head.writeUInt32LE(bytes.length, 4)
  return Buffer.concat([head, bytes, Buffer.alloc(bytes.length % 2)])
}
