/**
 * Draws the flows of a transfer on two canvases: nodes and edges on the lower one, when figures
 * change; what moves along edges on the upper one, some times a second. However many nodes there
 * are, edges of one kind are one path, and what moves is at most `dotsMax` dots in one path.
 */
import type { FlowEdge, Flows } from './flows.js'
import type { Layout, Place } from './layout.js'

/** Dots that move, of all edges together. */
export const dotsMax = 320
/** With more nodes their names are shown by pointing alone. */
const namedMax = 20
const edgeWidths = [1, 1.75, 2.75, 4] as const

export interface Colours {
  readonly ink: string
  readonly faint: string
  readonly line: string
  readonly flow: string
  readonly dot: string
  readonly card: string
  readonly good: string
  readonly busy: string
  readonly warn: string
  readonly bad: string
  readonly origin: string
}

export interface Drawn {
  readonly flows: Flows
  readonly layout: Layout
  readonly colours: Colours
  /** CSS pixels, and device pixels of each. */
  readonly width: number
  readonly height: number
  readonly scale: number
  /** Index of the node that is pointed at. */
  readonly marked: number | null
  readonly names: readonly string[]
}

interface Point {
  readonly x: number
  readonly y: number
}

export function pointOf({ width, height }: Pick<Drawn, 'width' | 'height'>, place: Place): Point {
  const reach = Math.min(width, height) / 2 - 34
  // Wide screens are used, but a ring stays one.
  const wide = Math.min(1.5, Math.max(1, (width / 2 - 60) / Math.max(1, reach)))
  return { x: width / 2 + place.x * reach * wide, y: height / 2 + place.y * reach }
}

export function nodeRadius({ layout, width, height }: Drawn): number {
  const near = layout.spacing * (Math.min(width, height) / 2 - 34)
  return Math.min(18, Math.max(1.6, near * 0.34))
}

export function nodeAt(drawn: Drawn, x: number, y: number): number | null {
  const reach = Math.max(8, nodeRadius(drawn) + 4)
  let best: number | null = null
  let least = reach ** 2
  for (const [at, place] of drawn.layout.places.entries()) {
    const point = pointOf(drawn, place)
    const far = (point.x - x) ** 2 + (point.y - y) ** 2
    if (far < least) [best, least] = [at, far]
  }
  return best
}

/** Bends to one side, so that the way back is another line. */
function bendOf(from: Point, to: Point): Point {
  const [dx, dy] = [to.x - from.x, to.y - from.y]
  return { x: (from.x + to.x) / 2 - dy * 0.09, y: (from.y + to.y) / 2 + dx * 0.09 }
}

function ends(drawn: Drawn, { from, to }: FlowEdge): readonly [Point, Point] {
  const { places } = drawn.layout
  return [pointOf(drawn, places[from] as Place), pointOf(drawn, places[to] as Place)]
}

export function paintStill(context: CanvasRenderingContext2D, drawn: Drawn): void {
  const { width, height, scale } = drawn
  context.setTransform(scale, 0, 0, scale, 0, 0)
  context.clearRect(0, 0, width, height)
  paintEdges(context, drawn)
  paintNodes(context, drawn)
  paintTexts(context, drawn)
}

function paintEdges(context: CanvasRenderingContext2D, drawn: Drawn): void {
  const { flows, colours, marked } = drawn
  const most = Math.max(1, ...flows.edges.map(({ bytesPerSecond }) => bytesPerSecond))
  const idle: FlowEdge[] = []
  const failed: FlowEdge[] = []
  const flowing = edgeWidths.map(() => [] as FlowEdge[])
  for (const edge of flows.edges) {
    const isMarked = marked === null || edge.from === marked || edge.to === marked
    if (edge.isFailed) failed.push(edge)
    else if (edge.bytesPerSecond > 0 && isMarked) {
      const step = Math.ceil((edge.bytesPerSecond / most) * edgeWidths.length) - 1
      flowing[Math.max(0, step)]?.push(edge)
    } else idle.push(edge)
  }
  const isMany = flows.edges.length > 400
  const stroke = (edges: readonly FlowEdge[], colour: string, lineWidth: number): void => {
    if (edges.length === 0) return
    context.beginPath()
    for (const edge of edges) {
      const [from, to] = ends(drawn, edge)
      const bend = bendOf(from, to)
      context.moveTo(from.x, from.y)
      context.quadraticCurveTo(bend.x, bend.y, to.x, to.y)
    }
    context.strokeStyle = colour
    context.lineWidth = lineWidth
    context.stroke()
  }
  stroke(idle, colours.line, isMany ? 0.5 : 1)
  // What the origin sends lies over what nodes pass on.
  for (const isOrigin of [false, true])
    for (const [step, edges] of flowing.entries()) {
      const own = edges.filter(({ from }) => (from === 0) === isOrigin)
      const lineWidth = (edgeWidths[step] ?? 1) * (isMany ? 0.6 : 1)
      stroke(own, isOrigin ? colours.origin : colours.flow, lineWidth)
    }
  context.setLineDash([4, 4])
  stroke(failed, colours.bad, 1.5)
  context.setLineDash([])
}

export function colourOf(state: string, isFaulty: boolean, colours: Colours): string {
  if (state === 'failed' || state === 'refused') return colours.bad
  if (isFaulty) return colours.warn
  if (state === 'origin') return colours.origin
  if (state === 'complete') return colours.good
  return state === 'connecting' || state === 'accepted' ? colours.faint : colours.busy
}

/** Of many nodes those with one colour are one path. */
function paintNodes(context: CanvasRenderingContext2D, drawn: Drawn): void {
  const { flows, layout, colours, marked } = drawn
  const radius = nodeRadius(drawn)
  const isSmall = radius < 6
  const byColour = new Map<string, number[]>()
  for (const [at, { state, isFaulty }] of flows.nodes.entries()) {
    const colour = colourOf(state, isFaulty, colours)
    const same = byColour.get(colour)
    if (same === undefined) byColour.set(colour, [at])
    else same.push(at)
  }
  const path = (nodes: readonly number[], size: number): void => {
    context.beginPath()
    for (const at of nodes) {
      const { x, y } = pointOf(drawn, layout.places[at] as Place)
      const own = at === 0 ? Math.max(size * 1.25, isSmall ? 7 : 0) : size
      context.moveTo(x + own, y)
      context.arc(x, y, own, 0, 2 * Math.PI)
    }
  }
  for (const [colour, nodes] of byColour) {
    path(nodes, radius)
    context.fillStyle = isSmall ? colour : colours.card
    context.fill()
    if (isSmall) continue
    context.strokeStyle = colours.line
    context.lineWidth = 4
    context.stroke()
    ring(context, drawn, nodes, colour, radius)
    path(nodes, radius * 0.5)
    context.fillStyle = colour
    context.fill()
  }
  if (marked === null) return
  path([marked], radius + 5)
  context.strokeStyle = colours.ink
  context.lineWidth = 2
  context.stroke()
}

/** How much of it a node has. */
function ring(
  context: CanvasRenderingContext2D,
  drawn: Drawn,
  nodes: readonly number[],
  colour: string,
  radius: number,
): void {
  context.beginPath()
  for (const at of nodes) {
    const { x, y } = pointOf(drawn, drawn.layout.places[at] as Place)
    const share = Math.min(1, drawn.flows.nodes[at]?.share ?? 0)
    if (share <= 0) continue
    const own = at === 0 ? radius * 1.25 : radius
    context.moveTo(x, y - own)
    context.arc(x, y, own, -Math.PI / 2, -Math.PI / 2 + share * 2 * Math.PI)
  }
  context.strokeStyle = colour
  context.lineWidth = 4
  context.stroke()
}

function paintTexts(context: CanvasRenderingContext2D, drawn: Drawn): void {
  const { flows, layout, colours, names, width } = drawn
  context.textAlign = 'center'
  context.font = '600 12px system-ui, sans-serif'
  context.fillStyle = colours.faint
  for (const { x, y, text } of layout.labels) {
    const point = pointOf(drawn, { x, y })
    write(context, cut(text, 24), { x: point.x, y: point.y + 4 }, colours)
  }
  if (flows.nodes.length > namedMax || width < 360) return
  const radius = nodeRadius(drawn)
  context.font = '12px system-ui, sans-serif'
  context.fillStyle = colours.ink
  for (const [at, place] of layout.places.entries()) {
    const { x, y } = pointOf(drawn, place)
    const own = at === 0 ? radius * 1.25 : radius
    const isAbove = place.y < -0.3
    const line = isAbove ? y - own - 8 : y + own + 17
    write(context, cut(names[at] ?? '', 24), { x, y: line }, colours)
  }
}

/** Lines that pass below it do not make it hard to read. */
function write(
  context: CanvasRenderingContext2D,
  text: string,
  { x, y }: Point,
  { card }: Colours,
): void {
  context.strokeStyle = card
  context.lineWidth = 4
  context.lineJoin = 'round'
  context.strokeText(text, x, y)
  context.fillText(text, x, y)
}

export function cut(text: string, most: number): string {
  const chars = [...text]
  return chars.length <= most ? text : `${chars.slice(0, most - 1).join('')}…`
}

/** What moves at `seconds`; false: nothing does. */
export function paintMoving(
  context: CanvasRenderingContext2D,
  drawn: Drawn,
  seconds: number,
): boolean {
  const { flows, colours, width, height, scale } = drawn
  context.setTransform(scale, 0, 0, scale, 0, 0)
  context.clearRect(0, 0, width, height)
  const moving = movingOf(drawn)
  if (moving.length === 0) return false
  const most = Math.max(...moving.map(({ bytesPerSecond }) => bytesPerSecond))
  const each = Math.max(1, Math.min(3, Math.floor(dotsMax / moving.length)))
  const size = flows.nodes.length > 60 ? 1.6 : 2.6
  const hidden = (nodeRadius(drawn) + size) ** 2
  const isHidden = (x: number, y: number, end: Point): boolean =>
    (x - end.x) ** 2 + (y - end.y) ** 2 < hidden
  context.beginPath()
  for (const [at, edge] of moving.entries()) {
    const [from, to] = ends(drawn, edge)
    const bend = bendOf(from, to)
    const speed = 0.25 + 0.55 * Math.sqrt(edge.bytesPerSecond / most)
    for (let dot = 0; dot < each; dot++) {
      const t = (seconds * speed + dot / each + at * 0.137) % 1
      const [a, b, c] = [(1 - t) ** 2, 2 * t * (1 - t), t ** 2]
      const x = a * from.x + b * bend.x + c * to.x
      const y = a * from.y + b * bend.y + c * to.y
      if (isHidden(x, y, from) || isHidden(x, y, to)) continue
      context.moveTo(x + size, y)
      context.arc(x, y, size, 0, 2 * Math.PI)
    }
  }
  context.fillStyle = colours.dot
  context.fill()
  return true
}

/** The fastest, as many as there may be. */
function movingOf({ flows, marked }: Drawn): readonly FlowEdge[] {
  const all = flows.edges.filter(
    ({ bytesPerSecond, from, to }) =>
      bytesPerSecond > 0 && (marked === null || from === marked || to === marked),
  )
  if (all.length <= dotsMax) return all
  return all.sort((a, b) => b.bytesPerSecond - a.bytesPerSecond).slice(0, dotsMax)
}
