/** What the samples of a soak say: of each process and figure its level, and whether it grows. */
import { judge } from './slopes.mjs'

const MB = 1e6

/**
 * `most`: growth an hour that is none: what garbage collection, an allocator and the logs of a
 * file system move anyway. Of memory the least of each span counts: what is not given back. The
 * delay is judged by how much it is above that of a process that does nothing, on the same machine.
 */
const figures = {
  anonymous: { which: 'lowest', most: 3 * MB, unit: 'MB', per: MB, what: 'anonymous memory' },
  heap: { which: 'lowest', most: 1 * MB, unit: 'MB', per: MB, what: 'heap of JavaScript' },
  external: { which: 'lowest', most: 1 * MB, unit: 'MB', per: MB, what: 'memory beside the heap' },
  files: { which: 'lowest', most: 1, unit: '', per: 1, what: 'open files' },
  threads: { which: 'lowest', most: 0.5, unit: '', per: 1, what: 'threads' },
  disk: { which: 'median', most: 2 * MB, unit: 'MB', per: MB, what: 'disk' },
  entries: { which: 'median', most: 20, unit: '', per: 1, what: 'files on the disk' },
  lag: { which: 'median', most: 5, unit: 'ms', per: 1, what: 'delay of the event loop, p99' },
}

/** The first quarter is left out: caches fill, code is compiled, names come the first time. */
const warmShare = 0.25

function seriesOf(samples, name, figure) {
  const read = ({ processes }) => {
    if (figure !== 'lag') return processes[name][figure]
    const [own, idle] = [processes[name].lag, processes.idle.lag]
    return own === null || idle === null ? null : Math.max(0, own[1] - idle[1])
  }
  return samples
    .map((sample) => ({ at: sample.at, value: read(sample) }))
    .filter(({ value }) => Number.isFinite(value))
}

export function verdictOf(samples, about) {
  const names = Object.keys(samples[0]?.processes ?? {}).filter((name) => name !== 'idle')
  const last = samples.at(-1)?.at ?? 0
  const warm = samples.filter(({ at }) => at >= last * warmShare)
  const rows = names.flatMap((name) =>
    Object.entries(figures).map(([figure, bound]) => {
      const all = seriesOf(samples, name, figure)
      const judged = judge(seriesOf(warm, name, figure), bound)
      return { name, figure, ...judged, most: Math.max(...all.map(({ value }) => value)) }
    }),
  )
  const grown = rows.filter(({ grows }) => grows)
  const unjudged = rows.filter(({ isJudged }) => !isJudged)
  const isWhole = rows.length > 0 && unjudged.length === 0 && about.readers.failed.length === 0
  const isSound = isWhole && grown.length === 0 && about.wrong.length === 0
  return { ...about, samples: samples.length, rows, isSound }
}

const shown = (value, { per, unit }) => {
  if (!Number.isFinite(value)) return '-'
  const scaled = value / per
  return `${scaled.toFixed(Math.abs(scaled) < 10 ? 2 : 0)}${unit && ` ${unit}`}`
}

/** Markdown. */
export function pageOf(result) {
  const { machine, seconds, counts, bytes, wrong, rows, isSound, seed } = result
  const { requests, cut, failed } = result.readers
  const done = Object.entries(counts).map(([name, count]) => `${count} ${name}`)
  const sum = Object.values(counts).reduce((all, count) => all + count, 0)
  const lines = [
    `${(seconds / 60).toFixed(0)} minutes, seed ${seed}. ${machine}.`,
    '',
    `${sum} acts (${done.join(', ')}), ${(bytes / 1e9).toFixed(2)} GB delivered; readers made` +
      ` ${requests} requests, cut ${cut} off themselves, and ${failed.length} failed.`,
    '',
    '| process | figure | usual | most | an hour | trend (Z) | grows |',
    '| --- | --- | --- | --- | --- | --- | --- |',
  ]
  for (const { name, figure, level, most, slope, z, isJudged, grows } of rows) {
    const of = figures[figure]
    const verdict = isJudged ? (grows ? 'YES' : 'no') : 'too few samples'
    const cells = [shown(level, of), shown(most, of), shown(slope, of), z.toFixed(1), verdict]
    lines.push(`| ${name} | ${of.what} | ${cells.join(' | ')} |`)
  }
  lines.push('', ...wrong.map((text) => `- wrong: ${text.split('\n')[0]}`))
  lines.push(...failed.slice(0, 5).map((text) => `- reader: ${text}`))
  lines.push(isSound ? 'Nothing grows, and nothing came out wrong.' : 'NOT SOUND.')
  return `${lines.join('\n')}\n`
}
