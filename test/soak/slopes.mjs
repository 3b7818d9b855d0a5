/**
 * Whether a figure that was sampled for hours grows: from all samples, never from one.
 *
 * The time is cut into equal spans; of each counts one value. Of these the slope is the median of
 * the slopes between any two (Theil and Sen), which outliers do not move, and it counts only where
 * Mann and Kendall's test finds a trend: were there none, so clear a one would come in one of 1,000
 * runs.
 */

/** Two-sided 0.002 of the normal distribution; one side of it is 0.001. */
const clear = 3.09
const mostSpans = 60

const sorted = (values) => [...values].sort((a, b) => a - b)

export function median(values) {
  const all = sorted(values)
  const middle = all.length >> 1
  return all.length % 2 === 1 ? all[middle] : (all[middle - 1] + all[middle]) / 2
}

/**
 * One value for each span in which there are samples; of each the lowest or the median.
 * @param {readonly { at: number, value: number }[]} samples `at` in seconds
 * @param {'lowest' | 'median'} which
 */
export function spansOf(samples, which, count = mostSpans) {
  if (samples.length === 0) return []
  const first = samples[0].at
  const length = (samples.at(-1).at - first) / count || 1
  const spans = new Map()
  for (const { at, value } of samples) {
    const span = Math.min(count - 1, Math.floor((at - first) / length))
    spans.set(span, [...(spans.get(span) ?? []), value])
  }
  return [...spans].map(([span, values]) => ({
    at: first + (span + 0.5) * length,
    value: which === 'lowest' ? Math.min(...values) : median(values),
  }))
}

/** In units of the value an hour. */
export function slopeAnHour(points) {
  const slopes = []
  for (const [n, a] of points.entries())
    for (const b of points.slice(n + 1)) slopes.push((b.value - a.value) / (b.at - a.at))
  return slopes.length === 0 ? Number.NaN : median(slopes) * 3_600
}

/** Mann and Kendall's Z, with the correction for ties; above 0: it rises. */
export function trend(points) {
  const n = points.length
  let rises = 0
  for (const [at, a] of points.entries())
    for (const b of points.slice(at + 1)) rises += Math.sign(b.value - a.value)
  const ties = new Map()
  for (const { value } of points) ties.set(value, (ties.get(value) ?? 0) + 1)
  const of = (count) => count * (count - 1) * (2 * count + 5)
  const variance = [...ties.values()].reduce((sum, count) => sum - of(count), of(n)) / 18
  if (variance <= 0) return 0
  return (rises - Math.sign(rises)) / Math.sqrt(variance)
}

/**
 * @param {readonly { at: number, value: number }[]} samples
 * @param {{ which?: 'lowest' | 'median', most: number }} bound `most`: growth an hour that is none
 */
export function judge(samples, { which = 'median', most }) {
  const points = spansOf(samples, which)
  const slope = slopeAnHour(points)
  const z = trend(points)
  const isJudged = points.length >= 12
  const level = points.length === 0 ? Number.NaN : median(points.map(({ value }) => value))
  const grows = isJudged && slope > most && z > clear
  return { spans: points.length, level, slope, z, isJudged, grows }
}
