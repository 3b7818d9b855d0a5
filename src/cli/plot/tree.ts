/**
 * The third panel: groups as circles, joined to the group that feeds them, coloured by when the
 * last of their nodes is complete. Of one group the nodes are shown. A chain winds through the
 * panel line by line, like text of which every second line is read backwards.
 */
import type { SimulateResult } from '../../api/simulate-types.js'

/** In pixels. */
export interface Panel {
  readonly width: number
  readonly height: number
}

interface Circle {
  readonly x: number
  readonly y: number
}

interface Item {
  readonly label: string
  /** When its last node is complete; null: one has failed. */
  readonly seconds: number | null
  readonly parent: number | null
}

/** Series in the other panels, and the lines. */
const circlesIndex = 6
/** Circles that have room for a number. */
const labelsMax = 100
/** A level of a tree with so many is one line. */
const perLineMin = 40
const failedColour = '#c0392b'

/** Series on the third pair of axes, whose units are pixels. */
export function treeOf(
  result: SimulateResult,
  panel: Panel,
): { title: string; series: object[]; visualMap: object; height: number } {
  const items = itemsOf(result)
  const { spots, size, height } = placed(spotsOf(items, panel), panel)
  const times = items.flatMap(({ seconds }) => seconds ?? [])
  const [least, most] = times.reduce(
    ([low, high], one) => [Math.min(low, one), Math.max(high, one)],
    [Number.POSITIVE_INFINITY, 0],
  )
  const at = (i: number): [number, number] => {
    const { x, y } = spots[i] as Circle
    return [x, y]
  }
  const isShort = items.length <= labelsMax
  const axes = { xAxisIndex: 2, yAxisIndex: 2, silent: true }
  const lines = {
    ...axes,
    type: 'lines',
    coordinateSystem: 'cartesian2d',
    lineStyle: { color: '#9aa5b1', width: isShort ? 1.5 : 1, opacity: 1 },
    data: items.map(({ parent }, i) => ({
      coords: [at(parent === null ? 0 : parent + 1), at(i + 1)],
    })),
  }
  const circles = {
    ...axes,
    type: 'scatter',
    name: 'groups',
    symbolSize: size,
    itemStyle: { opacity: 1 },
    label: { show: isShort, position: 'bottom', formatter: '{b}', fontSize: 10, color: '#1f2933' },
    data: items.map(({ label, seconds }, i) => ({
      name: label,
      value: [...at(i + 1), seconds ?? most],
      ...(seconds === null && { itemStyle: { color: failedColour }, visualMap: false }),
    })),
  }
  const origin = {
    ...axes,
    type: 'scatter',
    symbol: 'rect',
    symbolSize: Math.max(8, size),
    itemStyle: { color: '#d9730d', opacity: 1 },
    label: { show: true, position: 'top', color: '#d9730d', formatter: 'origin' },
    data: [at(0)],
  }
  const visualMap = {
    type: 'continuous',
    // The circles, behind all that is in the other panels.
    seriesIndex: circlesIndex,
    dimension: 2,
    min: Math.min(least, most),
    max: most > least ? most : most + 1e-3,
    text: [`last complete ${most.toFixed(3)} s`, `${Math.min(least, most).toFixed(3)} s`],
    orient: 'horizontal',
    itemHeight: 120,
    itemWidth: 10,
    inRange: { color: ['#cfe2f3', '#123f70'] },
  }
  const title = result.groups.length > 1 ? 'Groups, and who feeds them' : 'Nodes'
  return { title, series: [lines, circles, origin], visualMap, height }
}

function itemsOf({ groups, parents, completeSeconds }: SimulateResult): Item[] {
  const last = (nodes: readonly number[]): number | null =>
    nodes.reduce<number | null>((most, node) => {
      const seconds = completeSeconds[node - 1] ?? null
      return most === null || seconds === null ? null : Math.max(most, seconds)
    }, 0)
  if (groups.length > 1)
    return groups.map((nodes, i) => ({
      label: String(i + 1),
      seconds: last(nodes),
      parent: parents[i] ?? null,
    }))
  return (groups[0] ?? []).map((node) => ({
    label: String(node),
    seconds: last([node]),
    parent: null,
  }))
}

/** The origin's place, then those of the items, with x and y in the panel. */
function spotsOf(items: readonly Item[], panel: Panel): Circle[] {
  const isChain = items.every(({ parent }, i) => parent === (i === 0 ? null : i - 1))
  return isChain ? winding(items.length + 1, panel) : levels(items, panel)
}

function winding(count: number, { width, height }: Panel): Circle[] {
  const ratio = width / height
  const perRow = Math.max(2, Math.ceil(Math.sqrt(count * ratio)))
  return Array.from({ length: count }, (_, i) => {
    const row = Math.floor(i / perRow)
    const at = i % perRow
    return { x: row % 2 === 0 ? at : perRow - 1 - at, y: row }
  })
}

/** Each level of the tree is a line, or some where it has many. */
function levels(items: readonly Item[], { width, height }: Panel): Circle[] {
  const depths: number[] = []
  const byDepth: number[][] = []
  for (const [i, { parent }] of items.entries()) {
    const depth = parent === null ? 1 : (depths[parent] ?? 0) + 1
    depths.push(depth)
    byDepth[depth] = [...(byDepth[depth] ?? []), i]
  }
  const ratio = width / height
  const widest = Math.max(perLineMin, Math.ceil(Math.sqrt(items.length * ratio)))
  const spots: Circle[] = [{ x: (widest - 1) / 2, y: 0 }]
  let y = 1
  for (const level of byDepth.slice(1)) {
    const lines = Math.ceil(level.length / widest)
    const perLine = Math.ceil(level.length / lines)
    for (const [at, i] of level.entries()) {
      const line = Math.floor(at / perLine)
      const inLine = Math.min(perLine, level.length - line * perLine)
      const x = ((at % perLine) + 0.5) * (widest / inLine) - 0.5
      spots[i + 1] = { x, y: y + line }
    }
    y += lines
  }
  return spots
}

/** The same in pixels, in the middle of the panel, and how large a circle may be. */
function placed(
  spots: readonly Circle[],
  { width, height }: Panel,
): { spots: Circle[]; size: number; height: number } {
  const columns = spots.reduce((most, { x }) => Math.max(most, x), 0) + 1
  const rows = spots.reduce((most, { y }) => Math.max(most, y), 0) + 1
  const [dx, dy] = [Math.min(width / columns, 160), Math.min(height / rows, 90)]
  const [left, top] = [(width - dx * columns) / 2, 10]
  return {
    spots: spots.map(({ x, y }) => ({ x: left + (x + 0.5) * dx, y: top + (y + 0.5) * dy })),
    size: Math.max(3, Math.min(26, 0.55 * Math.min(dx, dy))),
    height: top + dy * rows,
  }
}
