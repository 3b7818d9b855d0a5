/** The plan of a push as `--dry-run` prints it: what limits it, other shapes, who feeds whom. */
import type { Plan } from '../../api/types.js'
import { type Paint, printable, tableLines } from './text.js'
import { count, formatBytes, formatDuration, formatPercent, formatRate } from './units.js'

/** Groups that are drawn, and nodes that get a line of the table; the rest is counted. */
const groupsMax = 24
const nodesMax = 64

/** The first line of a push and the head of `--dry-run`. */
export function planSummary(plan: Plan, name: string): string {
  const later = plan.later.length
  const nodes = plan.groups.reduce((sum, group) => sum + group.length, later)
  const beside = later > 0 ? ` and ${later} after them` : ''
  const groups = plan.groups.length > 1 ? ` in ${plan.groups.length} groups${beside}` : ''
  const limiting = plan.limiting === null ? '' : ` (${printable(plan.limiting)})`
  const bound =
    plan.boundSeconds === null ? '' : `, bound ${formatDuration(plan.boundSeconds)}${limiting}`
  return (
    `${printable(name)}: ${sizeText(plan)} to ${count(nodes, 'node')}${groups}, ` +
    `${plan.strategy} ${plan.shape}${bound}`
  )
}

/** Of what is still written nobody knows how much will come. */
function sizeText({ growing, bytes }: Plan): string {
  return growing === true ? 'what is written' : formatBytes(bytes)
}

/** The whole plan. */
export function planLines(plan: Plan, name: string, paint: Paint): string[] {
  const known = (seconds: number | null): string =>
    seconds === null ? 'unknown without link speeds' : formatDuration(seconds)
  return [
    planSummary({ ...plan, boundSeconds: null }, name),
    `blocks of ${formatBytes(plan.blockBytes)}`,
    `predicted: ${known(plan.predictedSeconds)}${othersText(plan)}`,
    `bound: ${known(plan.boundSeconds)}`,
    `limited by: ${plan.limiting === null ? 'unknown' : printable(plan.limiting)}`,
    ...drawing(plan),
    ...laterLines(plan),
    ...shareLines(plan, paint),
  ]
}

/** ` (unicast 40.00 s, tree 5.10 s)`: what other shapes would take. */
function othersText({ shape, shapes }: Plan): string {
  const others = shapes.flatMap((other) =>
    other.shape === shape || other.predictedSeconds === null
      ? []
      : [`${other.shape} ${formatDuration(other.predictedSeconds)}`],
  )
  return others.length === 0 ? '' : ` (${others.join(', ')})`
}

/** Which group feeds which: below each other in a chain, further in where one feeds several. */
function drawing({ groups, parents, sites }: Plan): string[] {
  if (groups.length < 2) return []
  const children = groups.map((): number[] => [])
  for (const [i, parent] of parents.entries()) if (parent !== null) children[parent]?.push(i)
  const lines = ['this machine']
  // Depth first, without recursion: a chain may have thousands of groups.
  const open: { group: number; indent: string; mark: string }[] = [
    { group: 0, indent: '', mark: '-> ' },
  ]
  for (let drawn = 0; drawn < groupsMax; drawn++) {
    const next = open.pop()
    if (next === undefined) return lines
    const { group, indent, mark } = next
    const nodes = groups[group] ?? []
    const site = sites[group] == null ? '' : `, site ${printable(sites[group])}`
    const last = nodes.length > 1 ? ` to ${printable(nodes.at(-1) ?? '')}` : ''
    const names = nodes[0] === undefined ? '' : `: ${printable(nodes[0])}${last}`
    lines.push(`${indent}${mark}group ${group + 1}${site}, ${count(nodes.length, 'node')}${names}`)
    const below = children[group] ?? []
    const isFork = below.length > 1
    const under = mark === '|> ' ? `${indent}|  ` : indent
    for (const [i, child] of [...below.entries()].reverse()) {
      const isLast = i === below.length - 1
      open.push({
        group: child,
        indent: isFork ? `${under}   ` : under,
        mark: isFork && !isLast ? '|> ' : '-> ',
      })
    }
  }
  const left = groups.length - groupsMax
  return left > 0 ? [...lines, `   and ${count(left, 'more group')}`] : lines
}

/** Nodes beside these groups, and how slow they are. */
function laterLines({ later }: Plan): string[] {
  const [first] = later
  if (first === undefined) return []
  const usual = formatRate(first.chainBytesPerSecond)
  const shown = later
    .slice(0, groupsMax)
    .map((slow) => `   ${printable(slow.node)}: ${formatRate(slow.bytesPerSecond)}`)
  const left = later.length - shown.length
  return [
    `once a group is complete (below half of ${usual}, the last is complete earlier so):`,
    ...shown,
    ...(left > 0 ? [`   and ${count(left, 'more node')}`] : []),
  ]
}

function shareLines(plan: Plan, paint: Paint): string[] {
  const group = new Map<string, number>()
  for (const [index, members] of plan.groups.entries())
    for (const address of members) group.set(address, index + 1)
  // Only data is dealt, not holes.
  const dealtBytes = plan.shares.reduce((sum, share) => sum + share.bytes, 0)
  // Of many nodes those that are dealt something.
  const isLong = plan.shares.length > nodesMax
  const dealt = isLong ? plan.shares.filter(({ bytes }) => bytes > 0) : plan.shares
  const shown = dealt.slice(0, nodesMax)
  const rows = shown.map((share) => [
    { text: printable(share.node) },
    { text: String(group.get(share.node) ?? '-') },
    { text: formatBytes(share.bytes) },
    { text: formatPercent(dealtBytes > 0 ? share.bytes / dealtBytes : 0) },
  ])
  const titles = [
    { title: 'node' },
    { title: 'group', right: true },
    { title: 'relays', right: true },
    { title: 'share', right: true },
  ]
  const left = plan.shares.length - shown.length
  return [
    ...tableLines(titles, rows, paint),
    ...(left > 0 ? [`and ${count(left, 'more node')}, which pass on what these bring`] : []),
  ]
}
