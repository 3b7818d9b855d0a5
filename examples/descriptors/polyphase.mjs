/**
 * Multiple description coding of sampled sound by phases: descriptor i of n has the frames i,
 * i + n, i + 2n and so on. Any of them is the sound at a lower rate, and each one more fills gaps.
 * What is missing is interpolated: a cubic through the two known frames on either side (Lagrange).
 *
 * Samples are 16 bits, channels interleaved; a frame is one sample of each channel.
 */

/** Frames of descriptor `index` of `count`, of a sound of so many frames. */
export function framesOf(index, count, frames) {
  return Math.max(0, Math.ceil((frames - index) / count))
}

/** The samples of each descriptor. */
export function split(samples, channels, count) {
  const frames = samples.length / channels
  return Array.from({ length: count }, (_, index) => {
    const part = new Int16Array(framesOf(index, count, frames) * channels)
    for (let at = 0; at < part.length; at += channels) {
      const from = (at / channels) * count + index
      for (let c = 0; c < channels; c++) part[at + c] = samples[from * channels + c]
    }
    return part
  })
}

/** All samples again, from the descriptors that are there, by index; at least one. */
export function join(parts, { channels, count, frames }) {
  const samples = new Int16Array(frames * channels)
  for (const [index, part] of parts)
    for (let at = 0; at < part.length; at++) {
      const frame = Math.floor(at / channels) * count + index
      samples[frame * channels + (at % channels)] = part[at]
    }
  const phases = [...parts.keys()].sort((a, b) => a - b)
  const known = phases.reduce((sum, index) => sum + framesOf(index, count, frames), 0)
  /** The known frame of this rank, in order of time. */
  const frameAt = (rank) => Math.floor(rank / phases.length) * count + phases[rank % phases.length]
  for (let phase = 0; phase < count; phase++) {
    if (parts.has(phase) || known === 0) continue
    const before = phases.filter((index) => index < phase).length
    for (let frame = phase, round = 0; frame < frames; frame += count, round++) {
      const next = round * phases.length + before
      const points = ranksAround(next, known).map(frameAt)
      fill(samples, channels, frame, points)
    }
  }
  return samples
}

/** Ranks of known frames around a gap before rank `next`: four, two near an end, one beyond it. */
function ranksAround(next, known) {
  if (next === 0) return [0]
  if (next >= known) return [known - 1]
  if (next === 1 || next === known - 1) return [next - 1, next]
  return [next - 2, next - 1, next, next + 1]
}

/** The polynomial through these points, at this frame. */
function fill(samples, channels, frame, points) {
  const weights = points.map((point) =>
    points.reduce((w, other) => (other === point ? w : (w * (frame - other)) / (point - other)), 1),
  )
  for (let c = 0; c < channels; c++) {
    const value = points.reduce((sum, at, i) => sum + weights[i] * samples[at * channels + c], 0)
    samples[frame * channels + c] = Math.max(-32_768, Math.min(32_767, Math.round(value)))
  }
}

/** Signal to noise of a copy, in dB; Infinity: it is the original. */
export function decibels(original, copy) {
  let signal = 0
  let noise = 0
  for (let i = 0; i < original.length; i++) {
    signal += original[i] ** 2
    noise += (original[i] - copy[i]) ** 2
  }
  return noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / noise)
}
