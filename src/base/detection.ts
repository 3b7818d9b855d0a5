/** When the silence of a node counts for something, as far as a caller may set it. */
import { limits } from './limits.js'

/** Milliseconds of silence. */
export interface Detection {
  /** Suspected: it is dealt nothing. */
  readonly suspectMs: number
  /** Failed: others do its work. It is a member until its silence has lasted longer still. */
  readonly failMs: number
}

/** What is not given is as usual, or in proportion where another one leaves no room for that. */
export function detectionOf(given: Partial<Detection>, silenceMs: number): Detection {
  const { suspectMs, failMs = Math.max(limits.awayMs, 2 * (suspectMs ?? 0)) } = given
  const fail = given.failMs ?? Math.min(failMs, Math.floor(0.8 * silenceMs))
  return { suspectMs: suspectMs ?? Math.min(limits.suspectMs, Math.floor(fail / 2)), failMs: fail }
}

/** Why these do not go together; null: they do. */
export function detectionFault({ suspectMs, failMs }: Detection, silenceMs: number): string | null {
  if (suspectMs >= failMs) return 'a node is suspected before it has failed'
  return failMs >= silenceMs ? 'a node has failed before its silence ends its membership' : null
}
