/**
 * What `fr push` shows while it runs: the plan, the live display, the plain lines. Pure functions
 * from API data to strings; the caller has the clock and the terminal.
 */

import type { NodeOutcome, NodeProgress, Plan, Progress } from '../../api/types.js'
import { planSummary } from './plan.js'
import { displayWidth, type Paint, printable, type Tone, truncate, truncateMiddle } from './text.js'
import { count, formatBytes, formatDuration, formatPercent, formatRate } from './units.js'

export interface LiveSize {
  readonly columns: number
  readonly rows: number
}

type State = NodeProgress['state']

const stateTones: Readonly<Record<State, Tone>> = {
  connecting: 'dim',
  accepted: 'dim',
  receiving: 'plain',
  verifying: 'cyan',
  complete: 'green',
  failed: 'red',
  refused: 'red',
}

/** The state in words, with details for a node that receives. */
function stateText(node: NodeProgress): string {
  if (node.state !== 'receiving') return node.state
  if (node.isCatchingUp) return 'catching up'
  if (node.isLagging) return 'lagging'
  return node.isDemoted ? 'slow relay' : node.state
}

function isOver(node: NodeProgress): boolean {
  return node.state === 'complete' || node.state === 'failed' || node.state === 'refused'
}

function shareOf(bytes: number, whole: number): number {
  return whole === 0 ? 1 : Math.min(1, bytes / whole)
}

function livingOf(progress: Progress): readonly NodeProgress[] {
  return progress.nodes.filter((node) => node.state !== 'failed' && node.state !== 'refused')
}

/** Seconds until the last node has everything; null when one is unknown. */
function overallEta(progress: Progress): number | null {
  const open = livingOf(progress).filter((node) => landedShare(node, progress.bytes) < 1)
  const etas = open.map((node) => node.etaSeconds)
  return etas.some((eta) => eta === null) ? null : Math.max(0, ...(etas as number[]))
}

/** `8 nodes`, or `7 of 8 nodes` once one is lost. */
function livingText(progress: Progress): string {
  const living = livingOf(progress).length
  const all = count(progress.nodes.length, 'node')
  return living === progress.nodes.length ? all : `${living} of ${all}`
}

/** What a node waits for, unless its state and rate already say so. */
function waitText(node: NodeProgress): string | null {
  if (isOver(node) || node.waitsFor === null) return null
  const isPlain = node.state === 'receiving' && node.rateBytesPerSecond > 0
  const isDialled = node.state === 'connecting' && node.waitsFor === 'connection'
  if (isDialled || (isPlain && node.waitsFor === 'data')) return null
  return `waits for ${printable(node.waitsFor)}`
}

function landedShare(node: NodeProgress, bytes: number): number {
  // An empty file has nothing to land, and a node is done only when it says so.
  return bytes === 0 ? (node.state === 'complete' ? 1 : 0) : shareOf(node.landedBytes, bytes)
}

/** `[=====>    ]`, `width` columns including the brackets. */
export function bar(share: number, width: number): string {
  const inner = width - 2
  const full = Math.floor(inner * share)
  if (full >= inner) return `[${'='.repeat(inner)}]`
  return `[${'='.repeat(full)}>${' '.repeat(inner - full - 1)}]`
}

/** The first lines of a push, with the id that `fr add` and the logs of nodes use. */
export function openingLines(plan: Plan, name: string): string[] {
  return [planSummary(plan, name), `transfer ${printable(plan.transfer)}`]
}

/** The nodes that get a line: all of them, or the slowest, in the original order. */
export function chooseShown(nodes: readonly NodeProgress[], room: number): readonly NodeProgress[] {
  if (nodes.length <= room) return nodes
  const urgency = (node: NodeProgress): number => {
    if (node.state === 'complete') return 2
    return isOver(node) ? 1 : 0
  }
  const slowest = new Set(
    [...nodes]
      .sort((a, b) => urgency(a) - urgency(b) || a.landedBytes - b.landedBytes)
      .slice(0, Math.max(0, room)),
  )
  return nodes.filter((node) => slowest.has(node))
}

/** Widths of the columns of a node's line; 0 when there is no room for the column. */
interface LiveLayout {
  readonly node: number
  readonly state: number
  readonly bar: number
  readonly rate: number
  readonly eta: number
  readonly out: number
  readonly queue: number
  readonly relays: number
  readonly waits: number
}

const gap = 2
const percentWidth = 4
/** Keeps columns in place when a node's state changes; `catching up` needs one more. */
const stateWidthMin = 10
const rateWidth = 9
const etaWidth = 10
const barWidthMin = 10
const barWidthMax = 22
/** Shorter reasons say nothing. */
const waitsWidthMin = 16
const waitsWidthFull = 32
/** `out 25.0 MB/s`, `queue 1.20 MiB`, `relays 12%`. */
const outWidth = 13
const queueWidth = 14
const relaysWidth = 11

/**
 * Chooses columns. Narrow terminals lose, in this order: the relayed share, the queue, the rate
 * out, the reason, the bar, the ETA, the state, the rate in.
 */
function liveLayout(columns: number, nodeWidth: number, stateWidth: number): LiveLayout {
  let room = columns - nodeWidth - gap - percentWidth
  const take = (width: number): number => {
    if (room < gap + width) return 0
    room -= gap + width
    return width
  }
  const rate = take(rateWidth)
  const state = take(stateWidth)
  const eta = take(etaWidth)
  const both = room >= gap + barWidthMin + gap + waitsWidthMin
  const least = gap + barWidthMin + gap + waitsWidthMin
  const extra = (width: number): number => (room - gap - width >= least ? take(width) : 0)
  const out = extra(outWidth)
  const queue = out === 0 ? 0 : extra(queueWidth)
  const relays = queue === 0 ? 0 : extra(relaysWidth)
  // A reason gets its full width before the bar grows.
  const barRoom = room - gap - (both ? gap + waitsWidthFull : 0)
  const bar = take(Math.max(barWidthMin, Math.min(barWidthMax, barRoom)))
  const waits = both ? take(room - gap) : 0
  return { node: nodeWidth, state, bar, rate, eta, out, queue, relays, waits }
}

function nodeLine(
  node: NodeProgress,
  bytes: number,
  layout: LiveLayout,
  columns: number,
  paint: Paint,
): string {
  const share = landedShare(node, bytes)
  const cells: string[] = []
  const cell = (text: string, width: number, tone: Tone = 'plain', right = false): void => {
    if (width === 0) return
    const shown = truncate(text, width)
    const padding = ' '.repeat(width - displayWidth(shown))
    cells.push(right ? padding + paint(tone, shown) : paint(tone, shown) + padding)
  }
  const done = isOver(node)
  cell(truncateMiddle(printable(node.node), layout.node), layout.node)
  const state = stateText(node)
  cell(state, layout.state, state === 'lagging' ? 'yellow' : stateTones[node.state])
  cell(
    layout.bar === 0 ? '' : bar(share, layout.bar),
    layout.bar,
    node.state === 'complete' ? 'green' : 'plain',
  )
  cell(formatPercent(share), percentWidth, 'plain', true)
  cell(
    node.state === 'receiving' ? formatRate(node.rateBytesPerSecond) : '',
    layout.rate,
    'plain',
    true,
  )
  cell(done || node.etaSeconds === null ? '' : `ETA ${formatDuration(node.etaSeconds)}`, layout.eta)
  const sends = node.relayedBytes > 0 && node.state !== 'failed' && node.state !== 'refused'
  cell(sends ? `out ${formatRate(node.rateOutBytesPerSecond)}` : '', layout.out)
  const queue = node.queueBytes === null || !sends ? '' : `queue ${formatBytes(node.queueBytes)}`
  cell(queue, layout.queue)
  cell(sends ? `relays ${formatPercent(node.relayedShare)}` : '', layout.relays)
  cell(waitText(node) ?? '', layout.waits, 'yellow')
  if (layout.node + gap + percentWidth > columns) {
    return truncate(`${formatPercent(share)} ${printable(node.node)}`, columns)
  }
  return cells.join(' '.repeat(gap)).trimEnd()
}

function totalRate(progress: Progress): number {
  return progress.nodes.reduce((sum, node) => sum + (isOver(node) ? 0 : node.rateBytesPerSecond), 0)
}

function stateCounts(nodes: readonly NodeProgress[]): string {
  const counts = new Map<string, number>()
  for (const node of nodes) counts.set(stateText(node), (counts.get(stateText(node)) ?? 0) + 1)
  return [...counts].map(([state, amount]) => `${amount} ${state}`).join(', ')
}

/**
 * The live display: a header, then one line per node. When the terminal has fewer rows than there
 * are nodes, it shows the slowest and a count of the rest. Lines are at most `size.columns - 1`
 * wide, so that none wraps.
 */
export function liveLines(
  progress: Progress,
  name: string,
  size: LiveSize,
  paint: Paint,
  warnings = 0,
): string[] {
  const columns = Math.max(1, size.columns - 1)
  // One row is for the header, one for the cursor below the display.
  const room = Math.max(1, size.rows - 2)
  const fits = progress.nodes.length <= room
  const shown = chooseShown(progress.nodes, fits ? room : Math.max(1, room - 1))
  const eta = overallEta(progress)
  const facts = [
    formatPercent(progress.share).padStart(4),
    `ETA ${eta === null ? '-' : formatDuration(eta)}`,
    `${formatDuration(progress.seconds)} elapsed`,
    formatRate(totalRate(progress)),
    livingText(progress),
    ...lagParts(progress.nodes),
    ...(warnings > 0 ? [count(warnings, 'warning')] : []),
    ...(progress.efficiency === null ? [] : [`efficiency ${formatPercent(progress.efficiency)}`]),
    `${formatBytes(progress.bytes)} ${truncate(printable(name), 32)}`,
  ]
  const header = truncate(facts.join('  '), columns)
  const nodeWidth = Math.min(
    32,
    Math.max(...shown.map((node) => displayWidth(printable(node.node)))),
  )
  const lines = [paint('bold', header)]
  const stateWidth = Math.max(stateWidthMin, ...shown.map((node) => stateText(node).length))
  const layout = liveLayout(columns, nodeWidth, stateWidth)
  for (const node of shown) lines.push(nodeLine(node, progress.bytes, layout, columns, paint))
  if (!fits) {
    const some = `slowest ${shown.length} of ${progress.nodes.length} shown`
    const rest = `${some}: ${stateCounts(progress.nodes)}`
    lines.push(paint('dim', truncate(rest, columns)))
  }
  return lines
}

/** The worst of all nodes; empty where nothing is followed. */
export function lagParts(nodes: readonly Pick<NodeProgress, 'lag'>[]): string[] {
  const lags = nodes.flatMap(({ lag }) => lag ?? [])
  if (lags.length === 0) return []
  const worst = (of: 'p50Ms' | 'p99Ms' | 'p99Bytes'): number =>
    Math.max(...lags.map((lag) => lag[of]))
  const ms = `${worst('p50Ms').toFixed(1)} ms, p99 ${worst('p99Ms').toFixed(1)} ms`
  return [`lag ${ms} and ${formatBytes(worst('p99Bytes'))}`]
}

/** One plain line about all nodes. */
export function progressLine(progress: Progress, warnings = 0): string {
  const active = progress.nodes.filter((node) => !isOver(node))
  const slowest = chooseShown(active, 1)[0]
  const eta = overallEta(progress)
  const parts = [
    `${formatPercent(progress.share)}${eta === null ? '' : `, ETA ${formatDuration(eta)}`}`,
    `${formatDuration(progress.seconds)} elapsed`,
    formatRate(totalRate(progress)),
    ...(progress.efficiency === null ? [] : [`efficiency ${formatPercent(progress.efficiency)}`]),
    stateCounts(progress.nodes),
    ...lagParts(progress.nodes),
    ...(warnings > 0 ? [count(warnings, 'warning')] : []),
  ]
  if (slowest !== undefined && active.length > 1) {
    const landed = formatPercent(landedShare(slowest, progress.bytes))
    const waits = waitText(slowest)
    parts.push(`slowest ${printable(slowest.node)} ${landed}${waits === null ? '' : `, ${waits}`}`)
  }
  return parts.join(', ')
}

/** One plain line about the outcome of a node. */
export function outcomeLine(outcome: NodeOutcome): string {
  const reason = outcome.reason === null ? '' : `: ${reasonOf(outcome)}`
  const seconds = outcome.seconds.toFixed(2)
  return `${printable(outcome.node)} ${outcome.status} after ${seconds} s${reason}`
}

/** Why the node failed, without its address: one reason reads the same for all nodes. */
export function reasonOf({ node, reason }: NodeOutcome): string {
  return printable((reason ?? 'unknown reason').replaceAll(node, 'the node'))
}
