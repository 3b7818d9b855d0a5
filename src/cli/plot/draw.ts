/**
 * The picture of a simulated push, as SVG: how many nodes are complete when, how much of the
 * uplinks is in use, and which group feeds which. Drawn by ECharts, which scripts/bundle.mjs joins
 * into this module; it is loaded by whoever asks for a picture.
 */
import { LineChart, LinesChart, ScatterChart } from 'echarts/charts'
import {
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  VisualMapComponent,
} from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import type { SimulateResult } from '../../api/simulate-types.js'
import { formatBytes } from '../render/units.js'
import { treeOf } from './tree.js'

use([LineChart, LinesChart, ScatterChart, GridComponent, LegendComponent, MarkLineComponent])
use([TitleComponent, VisualMapComponent, SVGRenderer])

const width = 1_000
const bottom = 40
const left = 70
const right = 40
/** Top and height of each panel. */
const completionPanel = { top: 120, height: 240 }
const usePanel = { top: 470, height: 240 }
const treePanel = { top: 830, height: 380 }
/** Points of the completion curve: more are no finer than the picture. */
const pointsMax = 1_000

const ink = '#1f2933'
const faint = '#9aa5b1'
const blue = '#2563a8'
const orange = '#d9730d'

export function draw(result: SimulateResult): string {
  const panel = { width: width - left - right, height: treePanel.height }
  const tree = treeOf(result, panel)
  const height = treePanel.top + tree.height + bottom
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height })
  try {
    chart.setOption({
      animation: false,
      backgroundColor: '#ffffff',
      textStyle: { fontFamily: 'Helvetica, Arial, sans-serif', color: ink },
      title: [
        { text: headline(result), subtext: underline(result), left, top: 16 },
        panelTitle('Nodes that are complete', completionPanel.top),
        panelTitle('Part of the uplinks in use', usePanel.top),
        panelTitle(tree.title, treePanel.top),
      ],
      legend: {
        top: usePanel.top - 38,
        right,
        icon: 'rect',
        itemHeight: 3,
        data: ['origin', 'nodes, mean', 'nodes, least to most'],
      },
      grid: [completionPanel, usePanel, treePanel].map((panel) => ({ left, right, ...panel })),
      xAxis: [
        { ...timeAxis(0), ...completionSpan(result) },
        { ...timeAxis(1), min: 0, max: round(result.seconds * 1.02) },
        { gridIndex: 2, show: false, min: 0, max: panel.width },
      ],
      yAxis: [
        partAxis(0),
        partAxis(1),
        { gridIndex: 2, show: false, min: 0, max: panel.height, inverse: true },
      ],
      visualMap: { ...tree.visualMap, right, top: treePanel.top - 46 },
      series: [completionSeries(result), ...useSeries(result), ...tree.series],
    })
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}

const percent = (part: number): string => `${Math.round(part * 100)}%`
const secondsText = (seconds: number): string => `${Number(seconds.toPrecision(4))} s`

function headline({ nodes, bytes, groups, shape }: SimulateResult): string {
  const how = groups.length > 1 ? `${shape} of ${groups.length} groups` : shape
  return `${formatBytes(bytes)} to ${nodes} ${nodes === 1 ? 'node' : 'nodes'}: ${how}`
}

function underline({
  model,
  seconds,
  boundSeconds,
  predictedSeconds,
  seed,
}: SimulateResult): string {
  const parts = [`simulated ${secondsText(seconds)} (model ${model}, seed ${seed})`]
  if (boundSeconds !== null) {
    const part = ((100 * boundSeconds) / seconds).toFixed(1)
    parts.push(`bound ${secondsText(boundSeconds)}, ${part}% of it reached`)
  }
  if (predictedSeconds !== null) parts.push(`predicted ${secondsText(predictedSeconds)}`)
  return parts.join('; ')
}

function panelTitle(text: string, top: number): object {
  return { text, left, top: top - 42, textStyle: { fontSize: 14, color: ink } }
}

function timeAxis(gridIndex: number): object {
  return {
    type: 'value',
    gridIndex,
    name: 'seconds',
    nameLocation: 'middle',
    nameGap: 28,
    axisLine: { show: true, onZero: false, lineStyle: { color: faint } },
    splitLine: { show: false },
    axisLabel: {
      color: ink,
      showMinLabel: false,
      showMaxLabel: false,
      formatter: (value: number) => `${round(value)}`,
    },
  }
}

function partAxis(gridIndex: number): object {
  return {
    gridIndex,
    min: 0,
    max: 1,
    axisLabel: { color: ink, formatter: percent },
    splitLine: { lineStyle: { color: '#e4e7eb' } },
  }
}

const round = (value: number): number => Number(value.toPrecision(5))

/** From the bound, or the first node, to the last, with some room. */
function completionSpan({ completion, boundSeconds, seconds }: SimulateResult): Span {
  const first = Math.min(boundSeconds ?? seconds, completion?.min ?? seconds)
  const room = Math.max((seconds - first) * 0.06, seconds * 0.002)
  return { min: round(Math.max(0, first - room)), max: round(seconds + room) }
}

interface Span {
  readonly min: number
  readonly max: number
}

/** What was known before; a mark close to another one would hide its name. */
function marksOf(result: SimulateResult): object[] {
  const { boundSeconds, predictedSeconds } = result
  const { min, max } = completionSpan(result)
  const isApart = Math.abs((predictedSeconds ?? 0) - (boundSeconds ?? 0)) > (max - min) * 0.12
  const marks = [
    { name: 'bound', xAxis: boundSeconds },
    { name: 'predicted', xAxis: isApart ? predictedSeconds : null },
  ]
  return marks.filter(({ xAxis }) => xAxis !== null && xAxis >= min && xAxis <= max)
}

function completionSeries(result: SimulateResult): object {
  const { completeSeconds, nodes, completion, seconds } = result
  const ends = completeSeconds.filter((one) => one !== null).sort((a, b) => a - b)
  const every = Math.max(1, Math.ceil(ends.length / pointsMax))
  const curve = ends.flatMap((at, i) =>
    i % every === 0 || i === ends.length - 1 ? [[at, (i + 1) / nodes]] : [],
  )
  const start = completion === null ? [] : [[completion.min, 0]]
  return {
    type: 'line',
    step: 'end',
    symbol: 'none',
    lineStyle: { color: blue, width: 2 },
    areaStyle: { color: blue, opacity: 0.08 },
    data: [[0, 0], ...start, ...curve, [seconds * 2, ends.length / nodes]],
    markLine: {
      symbol: 'none',
      silent: true,
      lineStyle: { color: orange, type: 'dashed' },
      label: { color: orange, formatter: '{b}', position: 'end' },
      data: marksOf(result),
    },
  }
}

function useSeries({ use: looks }: SimulateResult): object[] {
  const line = { type: 'line', symbol: 'none', xAxisIndex: 1, yAxisIndex: 1 }
  const capped = (part: number): number => Math.min(1, part)
  const band = { ...line, stack: 'band', lineStyle: { opacity: 0 }, silent: true }
  return [
    { ...band, data: looks.map(({ seconds, least }) => [seconds, capped(least)]) },
    {
      ...band,
      name: 'nodes, least to most',
      itemStyle: { color: '#bcd3ea' },
      areaStyle: { color: blue, opacity: 0.2 },
      data: looks.map(({ seconds, least, most }) => [seconds, capped(most) - capped(least)]),
    },
    {
      ...line,
      name: 'nodes, mean',
      itemStyle: { color: blue },
      lineStyle: { color: blue, width: 2 },
      data: looks.map(({ seconds, mean }) => [seconds, capped(mean)]),
    },
    {
      ...line,
      name: 'origin',
      itemStyle: { color: orange },
      lineStyle: { color: orange, width: 2 },
      data: looks.map(({ seconds, origin }) => [seconds, capped(origin)]),
    },
  ]
}
