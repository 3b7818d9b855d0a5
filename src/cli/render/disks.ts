/** What `fr disks` shows. Pure string building. */
import type { DiskStatus } from '../../api/types.js'
import { type Cell, type Column, nodeTable, type Paint, printable, type Tone } from './text.js'
import { count, formatBytes, formatPercent, formatRate } from './units.js'

const tones: Readonly<Record<DiskStatus['state'], Tone>> = {
  ok: 'green',
  full: 'yellow',
  failing: 'yellow',
  away: 'red',
  missing: 'red',
}

/** A table, and a line for each problem; `withNode` shows whose disk it is. */
export function diskLines(
  disks: readonly DiskStatus[],
  paint: Paint,
  withNode: boolean,
  columns = Number.POSITIVE_INFINITY,
): string[] {
  const titles: Column[] = [
    { title: 'disk', cut: 'middle' },
    { title: 'state' },
    { title: 'free', right: true },
    { title: 'of', right: true },
    { title: 'holds', right: true },
    { title: 'landing', right: true },
    { title: 'busy', right: true },
    { title: 'request', right: true },
    { title: 'writes', right: true },
  ]
  const cellsOf = (disk: DiskStatus): Cell[] => [
    { text: printable(disk.path) },
    { text: disk.state, tone: tones[disk.state] },
    { text: disk.state === 'missing' ? '-' : formatBytes(disk.freeBytes) },
    { text: disk.bytes === null ? '-' : formatBytes(disk.bytes) },
    { text: holds(disk) },
    { text: landing(disk) },
    ...activity(disk),
  ]
  const problems = disks.flatMap(({ path, problems: all }) =>
    all.map((problem) => `${printable(path)}: ${printable(problem)}`),
  )
  return [
    ...nodeTable(disks, titles, cellsOf, paint, { isOfSeveral: withNode, room: columns }),
    ...problems,
  ]
}

function holds({ held: { files, bytes } }: DiskStatus): string {
  return files === 0 ? '-' : `${count(files, 'file')}, ${formatBytes(bytes)}`
}

function landing({ transfers, waitingBytes }: DiskStatus): string {
  return transfers === 0 ? '-' : `${formatBytes(waitingBytes)} of ${count(transfers, 'file')}`
}

function activity({ activity: now }: DiskStatus): Cell[] {
  if (now === null) return [{ text: '-' }, { text: '-' }, { text: '-' }]
  return [
    { text: formatPercent(now.busy) },
    { text: `${now.requestMs.toFixed(1)} ms` },
    { text: formatRate(now.writtenBytesPerSecond) },
  ]
}
