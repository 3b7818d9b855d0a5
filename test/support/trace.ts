/** Reads a trace as viewers do, even one that still grows or whose process was killed. */
import type { TraceEvent } from '../../src/control/view/trace.js'

export interface ReadTrace {
  /** Events of the push, without the first and last lines. */
  readonly events: readonly TraceEvent[]
  /** Counts in the last line; undefined when the trace has no end. */
  readonly end: { readonly events: number; readonly dropped: number } | undefined
}

/** Throws when the text is no trace; ignores an incomplete last line. */
export function parseTrace(text: string): ReadTrace {
  const isWhole = text.endsWith('\n]\n')
  const lines = text.slice(0, text.lastIndexOf('\n') + 1)
  const all = JSON.parse(isWhole ? text : `${lines}]`) as TraceEvent[]
  const end = isWhole ? (all.pop()?.args as unknown as ReadTrace['end']) : undefined
  if (all.shift()?.args?.['labels'] !== 'fr push --trace') throw new Error('no trace')
  return { events: all, end }
}
