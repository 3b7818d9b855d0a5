/** Pushes of a content that is written meanwhile: at a rate, by and by, or in bursts. */
import type { Step } from './growing.js'
import { Random } from './random.js'
import { bestBytesPerMs, type Scenario, steadyScenario } from './scenario.js'

/** How a content is written. */
export interface Writing {
  readonly startMs: number
  readonly bytesPerMs: number
  /** Of one append. */
  readonly appendBytes: number
  readonly bytes: number
  /** Nothing comes for so long, each time that so many bytes have come. */
  readonly pause?: { readonly everyBytes: number; readonly forMs: number }
}

/** When how much of it is there; the last step comes a moment after the last byte. */
export function stepsOf({ startMs, bytesPerMs, appendBytes, bytes, pause }: Writing): Step[] {
  const steps: Step[] = []
  let atMs = startMs
  let pausedBytes = 0
  for (let there = 0; there < bytes; ) {
    const more = Math.min(appendBytes, bytes - there)
    atMs += more / bytesPerMs
    there += more
    steps.push({ atMs, bytes: there })
    if (pause === undefined || there - pausedBytes < pause.everyBytes) continue
    pausedBytes = there
    atMs += pause.forMs
  }
  steps.push({ atMs: atMs + 1, bytes })
  return steps
}

/** Nothing goes wrong; `load`: of what the network carries at best. */
export function growingScenario(seed: number, count: number, load = 0.8): Scenario {
  const steady = steadyScenario(seed, count)
  const random = new Random(seed ^ 0x6709)
  const bytesPerMs = load * bestBytesPerMs(steady)
  const bytes = Math.round(1_500 * bytesPerMs) + random.integer(0, steady.blockBytes)
  const appendBytes = Math.ceil(Math.max(4_096, 2 * bytesPerMs))
  const growing = stepsOf({ startMs: 20, bytesPerMs, appendBytes, bytes })
  return { ...steady, bytes, growing, originHashMs: 0.5 }
}
