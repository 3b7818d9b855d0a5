/**
 * Several pushes on one timeline: those of which a push of a tree is made. Each has processes of
 * its own, which are named after it, and its times are those of the whole.
 */
import { originPid, type TraceSink } from './trace.js'

export class TraceParts {
  readonly #emit: TraceSink
  readonly #startMs: number
  #nextPid = originPid

  constructor(emit: TraceSink, startMs: number) {
    this.#emit = emit
    this.#startMs = startMs
  }

  /** For one push, which begins now; once. */
  part(label: string, nowMs: number): TraceSink {
    const pids = new Map<number, number>()
    const afterUs = Math.max(0, Math.round((nowMs - this.#startMs) * 1000))
    return (event, isRare) => {
      const pid = pids.get(event.pid) ?? this.#nextPid++
      pids.set(event.pid, pid)
      const ts = event.ph === 'M' ? event.ts : event.ts + afterUs
      this.#emit({ ...event, pid, ts, ...named(event, label, pid) }, isRare)
    }
  }
}

function named({ name, args }: Parameters<TraceSink>[0], label: string, pid: number) {
  if (name === 'process_name') return { args: { name: `${label}: ${String(args?.['name'])}` } }
  return name === 'process_sort_index' ? { args: { sort_index: pid } } : {}
}
