/** Rates over the last minutes, drawn by uPlot. */
import { useEffect, useRef } from 'preact/hooks'
import UPlot from 'uplot'
import { rateText } from './format.js'
import type { History } from './history.js'
import { useTheme } from './theme.js'

interface ChartProps {
  readonly history: History
  /** Of each figure. */
  readonly names: readonly string[]
  readonly label: string
}

const height = 180
const secondsShown = 120
/** Seconds before now at which the axis is marked. */
const agoes = [120, 90, 60, 30, 0]

export function Chart({ history, names, label }: ChartProps) {
  const box = useRef<HTMLDivElement>(null)
  const chart = useRef<UPlot | null>(null)
  const theme = useTheme()
  useEffect(() => {
    const parent = box.current
    if (parent === null) return
    const plot = new UPlot(optionsOf(names, parent.clientWidth), dataOf(history), parent)
    chart.current = plot
    const observer = new ResizeObserver(() => plot.setSize({ width: parent.clientWidth, height }))
    observer.observe(parent)
    return () => {
      observer.disconnect()
      plot.destroy()
      chart.current = null
    }
  }, [history, theme])
  useEffect(() => chart.current?.setData(dataOf(history)))
  const now = history.columns.slice(1).map((column) => rateText(column.at(-1)))
  return (
    <figure class="chart">
      <div ref={box} class="plot" role="img" aria-label={label} />
      <figcaption>
        {names.map((name, at) => (
          <span key={name} class={`key key-${at}`}>
            {`${name} ${now[at]}`}
          </span>
        ))}
      </figcaption>
    </figure>
  )
}

function dataOf({ columns }: History): UPlot.AlignedData {
  return columns.map((column) => [...column]) as unknown as UPlot.AlignedData
}

function agoText(seconds: number): string {
  return seconds === 0 ? 'now' : `−${seconds} s`
}

function optionsOf(names: readonly string[], width: number): UPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const of = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  const axis = {
    stroke: of('faint'),
    grid: { stroke: of('line'), width: 1 },
    ticks: { show: false },
  }
  const colours = [of('series-0'), of('series-1')]
  return {
    width,
    height,
    cursor: { show: false },
    legend: { show: false },
    padding: [12, 20, 0, 0],
    scales: {
      x: {
        range: (_, __, max) => {
          const last = max ?? Date.now() / 1000
          return [last - secondsShown, last]
        },
      },
      y: { range: (_, __, max) => [0, Math.max(1024, (max ?? 0) * 1.1)] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        splits: (_, __, ___, max) => agoes.map((ago) => max - ago),
        values: (_, splits) => splits.map((__, at) => agoText(agoes[at] ?? 0)),
      },
      {
        ...axis,
        size: 84,
        splits: (_, __, min, max) => [min, (min + max) / 2, max],
        values: (_, splits) => splits.map((value) => (value === 0 ? '0' : rateText(value))),
      },
    ],
    series: [
      {},
      ...names.map((name, at) => ({
        label: name,
        stroke: colours[at] ?? of('ink'),
        width: 2,
        points: { show: false },
        ...(at === 0 && { fill: `${colours[0]}22` }),
      })),
    ],
  }
}
