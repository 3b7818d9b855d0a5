/**
 * Bytes on their way from node to node, as fluids.
 *
 * The idea: a copy flows as fast as it was told, as long as every line of its route can take all
 * that is sent over it; where a line cannot, everything on it is slowed down by the same factor. So
 * a rate changes only when a copy begins or ends on a line that is too full, or a line changes.
 */
import type { ResourceSpec } from '../../control/copies/resources.js'
import type { Timeline } from '../timeline.js'

/** A resource of the topology as it is in truth. */
export class Line {
  readonly flows = new Set<Flow>()
  /** Bytes a second of all flows, if nothing slowed them down. */
  wanted = 0
  /** What it carries of what it should; 0: it has failed. */
  factor = 1
  /** By which every flow on it is slowed down. */
  scale = 1
  /** All that has gone over it. */
  bytes = 0

  readonly name: string
  readonly spec: ResourceSpec
  /** Bytes a second, whatever the master was told. */
  readonly bytesPerSecond: number

  constructor(name: string, spec: ResourceSpec, bytesPerSecond: number) {
    this.name = name
    this.spec = spec
    this.bytesPerSecond = bytesPerSecond
  }

  scaleNow(): number {
    if (this.factor === 0) return 0
    const carries = this.bytesPerSecond * this.factor
    return this.wanted <= carries ? 1 : carries / this.wanted
  }
}

export interface FlowSpec {
  readonly lines: readonly Line[]
  readonly length: number
  /** Bytes a second; infinite: as fast as it goes. */
  readonly rate: number
  readonly ended: () => void
  /** Nothing has come for so long. */
  readonly stalled: () => void
}

const stallMs = 10_000

export class Flow {
  readonly #timeline: Timeline
  readonly #spec: FlowSpec
  readonly #narrowest: number
  #wanted: number
  /** Bytes that had come at `#sinceMs`, and bytes a millisecond since. */
  #came = 0
  #rate = 0
  #sinceMs: number
  /** Counts changes: what was planned before the last one does not happen. */
  #turn = 0
  #isOver = false

  constructor(timeline: Timeline, spec: FlowSpec) {
    this.#timeline = timeline
    this.#spec = spec
    this.#sinceMs = timeline.nowMs
    this.#narrowest = Math.min(...spec.lines.map(({ bytesPerSecond }) => bytesPerSecond))
    this.#wanted = Math.min(spec.rate, this.#narrowest)
    for (const line of spec.lines) {
      line.flows.add(this)
      line.wanted += this.#wanted
    }
    this.#spread()
  }

  /** Bytes that have come by now. */
  get came(): number {
    const more = (this.#timeline.nowMs - this.#sinceMs) * this.#rate
    return Math.min(this.#spec.length, Math.floor(this.#came + more + 1e-6))
  }

  setRate(rate: number): void {
    const wanted = Math.min(rate, this.#narrowest)
    for (const line of this.#spec.lines) line.wanted += wanted - this.#wanted
    this.#wanted = wanted
    this.#spread()
  }

  /** Ends it where it is. */
  end(): void {
    if (this.#isOver) return
    this.#settle()
    this.#isOver = true
    this.#turn += 1
    for (const line of this.#spec.lines) {
      line.flows.delete(this)
      line.wanted = line.flows.size === 0 ? 0 : line.wanted - this.#wanted
      line.bytes += this.came
    }
    this.#spread()
  }

  /** Its lines carry more or less than before. */
  refit(): void {
    this.#settle()
    let scale = 1
    for (const line of this.#spec.lines) scale = Math.min(scale, line.scale)
    const rate = (this.#wanted * scale) / 1_000
    if (rate === this.#rate && this.#turn > 0) return
    this.#rate = rate
    const turn = ++this.#turn
    const left = this.#spec.length - this.#came
    const isStalled = rate === 0 && left > 0
    this.#timeline.after(isStalled ? stallMs : left / (rate || 1), () => {
      if (turn !== this.#turn) return
      if (isStalled) this.#spec.stalled()
      else {
        this.#came = this.#spec.length
        this.#sinceMs = this.#timeline.nowMs
        this.#spec.ended()
      }
    })
  }

  #settle(): void {
    const { nowMs } = this.#timeline
    this.#came = Math.min(this.#spec.length, this.#came + (nowMs - this.#sinceMs) * this.#rate)
    this.#sinceMs = nowMs
  }

  /** Whoever shares a line whose fullness has changed is slowed down by it, or no more. */
  #spread(): void {
    for (const line of this.#spec.lines) rescale(line, this)
    if (!this.#isOver) this.refit()
  }
}

/** A line has another factor, or other flows; `but` is seen to by itself. */
export function rescale(line: Line, but?: Flow): void {
  const scale = line.scaleNow()
  if (scale === line.scale) return
  line.scale = scale
  for (const flow of [...line.flows]) if (flow !== but) flow.refit()
}
