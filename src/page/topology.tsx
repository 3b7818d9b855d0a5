/**
 * The drawing of who sends to whom. All that it shows is also in the table of nodes below it, which
 * is for those who do not see it, or have no pointer.
 */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { type Flows, originName } from './flows.js'
import { rateText, shareText } from './format.js'
import { layoutOf } from './layout.js'
import { type Colours, type Drawn, nodeAt, paintMoving, paintStill } from './paint.js'
import { useTheme } from './theme.js'

interface TopologyProps {
  readonly flows: Flows
  readonly label: string
  /** Name of a node that is marked elsewhere. */
  readonly marked: string | null
  readonly onMark: (name: string | null) => void
  readonly onPick: (name: string) => void
}

const frameMs = 40
const noMotion = matchMedia('(prefers-reduced-motion: reduce)')

export function Topology({ flows, label, marked, onMark, onPick }: TopologyProps) {
  const frame = useRef<HTMLDivElement>(null)
  const still = useRef<HTMLCanvasElement>(null)
  const moving = useRef<HTMLCanvasElement>(null)
  const [size, setSize] = useState({ width: 0, height: 0 })
  const theme = useTheme()
  const shape = JSON.stringify([flows.nodes.length, flows.groups])
  const layout = useMemo(() => layoutOf(flows), [shape])
  const at = flows.nodes.findIndex(({ name }) => name === marked)
  const drawn: Drawn = {
    ...{ flows, layout, ...size, marked: at < 0 ? null : at },
    colours: useMemo(() => coloursNow(), [theme]),
    scale: Math.min(2, devicePixelRatio || 1),
    names: flows.nodes.map(({ name }) => name),
  }
  const newest = useRef(drawn)
  newest.current = drawn

  useEffect(() => {
    const box = frame.current
    if (box === null) return
    const observer = new ResizeObserver(() =>
      setSize({ width: box.clientWidth, height: box.clientHeight }),
    )
    observer.observe(box)
    return () => observer.disconnect()
  }, [])

  useEffect(() => {
    const context = still.current?.getContext('2d')
    if (context && drawn.width > 0) paintStill(context, drawn)
  })

  const isFlowing = flows.edges.some(({ bytesPerSecond }) => bytesPerSecond > 0)
  useEffect(() => {
    const context = moving.current?.getContext('2d')
    if (!context || size.width === 0) return
    let last = 0
    let request = 0
    const draw = (now: number): void => {
      if (now - last >= frameMs) {
        last = now
        if (!paintMoving(context, newest.current, noMotion.matches ? 0.5 : now / 1000)) return
      }
      if (!noMotion.matches) request = requestAnimationFrame(draw)
    }
    request = requestAnimationFrame(draw)
    return () => cancelAnimationFrame(request)
  }, [size, isFlowing, noMotion.matches ? flows : null])

  const find = (event: PointerEvent): string | null => {
    const box = frame.current?.getBoundingClientRect()
    if (box === undefined) return null
    const found = nodeAt(drawn, event.clientX - box.left, event.clientY - box.top)
    return found === null ? null : (flows.nodes[found]?.name ?? null)
  }
  const pixels = { width: size.width * drawn.scale, height: size.height * drawn.scale }
  const shown = at < 0 ? undefined : flows.nodes[at]
  return (
    <div
      class="topology"
      ref={frame}
      role="img"
      aria-label={label}
      onPointerMove={(event) => {
        const name = find(event)
        if (name !== marked) onMark(name)
      }}
      onPointerLeave={() => onMark(null)}
      onPointerUp={(event) => {
        const name = find(event)
        if (name !== null && name !== originName) onPick(name)
      }}
    >
      <canvas ref={still} {...pixels} />
      <canvas ref={moving} {...pixels} />
      {shown !== undefined && (
        <div class="tip">
          <strong>{shown.name}</strong>
          <span>{`${shown.state}, ${shareText(shown.share)}`}</span>
          <span>{`in ${rateText(shown.inBytesPerSecond)}`}</span>
          <span>{`out ${rateText(shown.outBytesPerSecond)}`}</span>
        </div>
      )}
    </div>
  )
}

function coloursNow(): Colours {
  const style = getComputedStyle(document.documentElement)
  const of = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  return {
    ...{ ink: of('ink'), faint: of('faint'), line: of('line'), flow: of('flow'), dot: of('dot') },
    ...{ card: of('card'), good: of('good'), busy: of('busy'), warn: of('warn'), bad: of('bad') },
    origin: of('accent'),
  }
}
