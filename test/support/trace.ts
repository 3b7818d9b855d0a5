/** Reads a trace as viewers do: also one that still grows, or whose process was killed. */
import type { TraceEvent } from '../../src/control/view/trace.js'

export interface ReadTrace {
  /** What the push did, without the first line and the last. */
  readonly events: readonly TraceEvent[]
  /** The counts in the last line. Undefined when the trace has no end. */
  readonly end: { readonly events: number; readonly dropped: number } | undefined
}

/** Throws when the text is no trace; whatever follows its last line end is left out. */
export function parseTrace(text: string): ReadTrace {
  const isWhole = text.endsWith('\n]\n')
  const lines = text.slice(0, text.lastIndexOf('\n') + 1)
  const all = JSON.parse(isWhole ? text : `${lines}]`) as TraceEvent[]
  const end = isWhole ? (all.pop()?.args as unknown as ReadTrace['end']) : undefined
  if (all.shift()?.args?.['labels'] !== 'fr push --trace') throw new Error('no trace')
  return { events: all, end }
}
