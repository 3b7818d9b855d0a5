/** How good a sound is with some of its descriptors, and a drawing of it (SVG). */
import { decibels, join, split } from './polyphase.mjs'
import { readWav } from './wav.mjs'

/** Subsets grow as 2^n. */
const descriptorsMax = 10

/** For 1, 2, .. `count` descriptors: the worst, mean and best of all subsets of so many, in dB. */
export function qualityOf(bytes, count) {
  if (!Number.isInteger(count) || count < 1 || count > descriptorsMax)
    throw new Error(`quality is measured with 1 to ${descriptorsMax} descriptors`)
  const { channels, samples } = readWav(bytes)
  const frames = samples.length / channels
  const parts = split(samples, channels, count)
  const bySize = Array.from({ length: count }, () => [])
  for (let mask = 1; mask < 2 ** count; mask++) {
    const some = parts.flatMap((part, index) => (mask & (2 ** index) ? [[index, part]] : []))
    const copy = join(new Map(some), { channels, count, frames })
    bySize[some.length - 1].push(decibels(samples, copy))
  }
  return bySize.map((all, i) => ({
    descriptors: i + 1,
    worst: Math.min(...all),
    mean: all.reduce((sum, one) => sum + one, 0) / all.length,
    best: Math.max(...all),
  }))
}

const [width, height, margin] = [480, 320, 48]

/** A point for the mean, a line from the worst to the best subset; `exact` where all are there. */
export function plotOf(rows) {
  const finite = rows.flatMap(({ worst, best }) => [worst, best]).filter(Number.isFinite)
  const top = Math.max(20, Math.ceil(Math.max(0, ...finite) / 20) * 20 + 10)
  const x = (descriptors) => margin + ((descriptors - 0.5) / rows.length) * (width - 1.5 * margin)
  const y = (dB) => height - margin - (Math.min(dB, top) / top) * (height - 2 * margin)
  const ticks = Array.from({ length: Math.floor(top / 20) + 1 }, (_, i) => 20 * i)
  const lines = [
    ...ticks.flatMap((dB) => [
      line('tick', margin, width - margin / 2, y(dB), y(dB)),
      text(dB, margin - 20, y(dB) + 4),
    ]),
    ...rows.flatMap(({ descriptors, worst, mean, best }) => [
      line('range', x(descriptors), x(descriptors), y(worst), y(best)),
      `<circle cx="${x(descriptors)}" cy="${y(mean)}" r="4"/>`,
      text(Number.isFinite(mean) ? mean.toFixed(1) : 'exact', x(descriptors), y(best) - 8),
      text(descriptors, x(descriptors), height - margin + 18),
    ]),
    text('signal to noise, dB: worst, mean and best subset', width / 2, 20),
    text(`descriptors of ${rows.length}`, width / 2, height - 8),
  ]
  const about = `width="${width}" height="${height}" font-family="sans-serif" font-size="12"`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${about} text-anchor="middle" fill="#26a">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...lines,
    '</svg>\n',
  ].join('\n')
}

function line(kind, x1, x2, y1, y2) {
  const colour = kind === 'tick' ? '#ddd' : '#888'
  return `<line class="${kind}" x1="${x1}" x2="${x2}" y1="${y1}" y2="${y2}" stroke="${colour}"/>`
}

function text(words, x, y) {
  return `<text x="${x}" y="${y}" fill="#222">${words}</text>`
}
