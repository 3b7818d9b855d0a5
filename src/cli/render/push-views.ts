/**
 * The ways to show a push: NDJSON on stdout, a live display on a terminal, plain lines. All take
 * the same facts; render/push.ts builds their text. The closing table follows and is the same for
 * all.
 */
import type { NodeOutcome, Plan, Progress, PushResult } from '../../api/types.js'
import type { Context } from './context.js'
import { liveLines, openingLines, outcomeLine, progressLine } from './push.js'
import { LiveRegion } from './terminal.js'
import { jsonText, truncate } from './text.js'

export interface PushView {
  plan(plan: Plan): void
  progress(progress: Progress): void
  node(outcome: NodeOutcome): void
  /** Shows a line for people that is not part of the display. */
  say(line: string): void
  /** Nothing is shown after this; `result` is null when there is none. */
  end(result: PushResult | null): void
}

const jsonProgressMs = 500
const liveMs = 200
const plainMs = 2_000
/** Up to so many nodes each gets a line when it is complete. */
const linesMax = 64

/** One JSON object a line: `plan` first, then `progress` and `node`, `result` last. */
export class JsonView implements PushView {
  readonly #context: Context
  readonly #now: () => number
  /** Last outcome written for each node; one that fails and is added again has a second. */
  readonly #reported = new Map<string, string>()
  /** Outcomes that wait for the plan. */
  #early: NodeOutcome[] | null = []
  #lastProgressMs = Number.NEGATIVE_INFINITY
  /** Newest progress, when it came too soon to be written. */
  #held: Progress | null = null

  constructor(context: Context, now: () => number = () => performance.now()) {
    this.#context = context
    this.#now = now
  }

  plan(plan: Plan): void {
    this.#write(plan)
    this.#flush()
  }

  progress(progress: Progress): void {
    const now = this.#now()
    this.#held = progress
    if (this.#early !== null || now - this.#lastProgressMs < jsonProgressMs) return
    this.#lastProgressMs = now
    this.#held = null
    this.#write(progress)
  }

  node(outcome: NodeOutcome): void {
    const text = JSON.stringify(outcome)
    if (this.#reported.get(outcome.node) === text) return
    this.#reported.set(outcome.node, text)
    if (this.#early !== null) this.#early.push(outcome)
    else this.#write({ event: 'node', ...outcome })
  }

  say(line: string): void {
    this.#context.stderr(`${line}\n`)
  }

  end(result: PushResult | null): void {
    this.#flush()
    if (result === null) return
    for (const outcome of result.nodes) this.node(outcome)
    // The last progress shows how the push ended and is always written.
    if (this.#held !== null) this.#write(this.#held)
    this.#write(result)
  }

  #flush(): void {
    const early = this.#early ?? []
    this.#early = null
    for (const outcome of early) this.#write({ event: 'node', ...outcome })
  }

  #write(value: object): void {
    this.#context.stdout(`${jsonText(value)}\n`)
  }
}

/** Shows errors and replies to signals; nothing when all goes well. */
export class QuietView implements PushView {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  plan(): void {}

  progress(): void {}

  node(outcome: NodeOutcome): void {
    if (outcome.status !== 'complete') this.say(outcomeLine(outcome))
  }

  say(line: string): void {
    this.#context.stderr(`${line}\n`)
  }

  end(): void {}
}

/** Lines for a log file: the plan, each outcome, and progress at most every 2 s. */
export class PlainView implements PushView {
  readonly #context: Context
  readonly #name: string
  readonly #warnings: () => number
  readonly #now: () => number
  #lastProgressMs: number
  #isLong = false

  constructor(
    context: Context,
    name: string,
    warnings: () => number = () => 0,
    now: () => number = () => performance.now(),
  ) {
    this.#context = context
    this.#name = name
    this.#warnings = warnings
    this.#now = now
    this.#lastProgressMs = now()
  }

  plan(plan: Plan): void {
    this.#isLong = plan.groups.reduce((sum, group) => sum + group.length, 0) > linesMax
    for (const line of openingLines(plan, this.#name)) this.say(line)
  }

  progress(progress: Progress): void {
    const now = this.#now()
    if (now - this.#lastProgressMs < plainMs) return
    this.#lastProgressMs = now
    this.say(progressLine(progress, this.#warnings()))
  }

  /** Of many nodes only those that are not complete: progress counts the others. */
  node(outcome: NodeOutcome): void {
    if (this.#isLong && outcome.status === 'complete') return
    this.say(outcomeLine(outcome))
  }

  say(line: string): void {
    this.#context.stderr(`${line}\n`)
  }

  end(): void {}
}

/** PlainView without progress. */
export class OutcomeView extends PlainView {
  override progress(): void {}
}

/** A display that is redrawn in place, at most five times a second. */
export class LiveView implements PushView {
  readonly #context: Context
  readonly #name: string
  readonly #warnings: () => number
  readonly #region = new LiveRegion()
  readonly #timer: NodeJS.Timeout
  #latest: Progress | null = null
  #isStale = false

  constructor(context: Context, name: string, warnings: () => number = () => 0) {
    this.#context = context
    this.#name = name
    this.#warnings = warnings
    this.#timer = setInterval(() => this.#draw(), liveMs)
    this.#timer.unref()
  }

  plan(plan: Plan): void {
    this.#print(openingLines(plan, this.#name))
  }

  progress(progress: Progress): void {
    this.#latest = progress
    this.#isStale = true
  }

  node(outcome: NodeOutcome): void {
    if (outcome.status === 'complete') return
    // The closing table has the whole reason.
    const columns = this.#context.terminal()?.columns ?? 80
    this.say(truncate(outcomeLine(outcome), columns - 1))
  }

  say(line: string): void {
    this.#print([line])
  }

  end(): void {
    clearInterval(this.#timer)
    this.#latest = null
    this.#print([])
  }

  #draw(): void {
    if (this.#isStale && this.#latest !== null && this.#context.terminal() !== null) this.#print([])
  }

  /** Writes lines above the display and the display itself at once, so that neither is torn. */
  #print(above: readonly string[]): void {
    const size = this.#context.terminal() ?? { columns: 80, rows: 24 }
    this.#isStale = false
    const lines =
      this.#latest === null
        ? []
        : liveLines(this.#latest, this.#name, size, this.#context.paintStderr, this.#warnings())
    this.#context.stderr(this.#region.print(above, lines, size.columns))
  }
}

/** JSON on stdout for a program and a display on stderr for people. */
export class BothViews implements PushView {
  readonly #json: JsonView
  readonly #people: PushView

  constructor(json: JsonView, people: PushView) {
    this.#json = json
    this.#people = people
  }

  plan(plan: Plan): void {
    this.#json.plan(plan)
    this.#people.plan(plan)
  }

  progress(progress: Progress): void {
    this.#json.progress(progress)
    this.#people.progress(progress)
  }

  node(outcome: NodeOutcome): void {
    this.#json.node(outcome)
    this.#people.node(outcome)
  }

  say(line: string): void {
    this.#people.say(line)
  }

  end(result: PushResult | null): void {
    this.#people.end(result)
    this.#json.end(result)
  }
}
