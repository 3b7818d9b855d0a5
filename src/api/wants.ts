/** Options of what a node wants of contents by criteria. */
import { type Wants, wantsIn } from '../control/swarm/wants.js'
import { optionalInteger } from './checks.js'
import type { NodeOptions } from './types.js'

/** Throws TypeError. */
export function checkWants({ want, wantBytes, wantAgeSeconds }: NodeOptions): Wants {
  const texts: readonly unknown[] = want ?? []
  if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string'))
    throw new TypeError('want must be a list of strings')
  const age = optionalInteger('wantAgeSeconds', wantAgeSeconds, 1)
  const wants = wantsIn(texts as readonly string[], {
    bytes: optionalInteger('wantBytes', wantBytes, 0) ?? null,
    ageMs: age === undefined ? null : age * 1_000,
  })
  if (typeof wants === 'string') throw new TypeError(`want ${wants}`)
  return wants
}
