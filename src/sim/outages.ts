/**
 * Outages: for a while a cable is out, a process stands still, or a disk hangs, and no connection
 * breaks. What is under way waits.
 *
 * The idea: TCP sends again what was not acknowledged, some time after the cable is back and each
 * connection at its own time. So a path has a time from which it carries again, and whatever would
 * arrive before waits until then; its order is kept.
 */
import type { Random } from './random.js'

export interface Outage {
  /** A node, or originNumber. */
  readonly host: number
  /**
   * - cable: nothing comes or goes.
   * - stop: as well, because the process stands still.
   * - disk: no bytes of the file land or are sent on; the process speaks.
   */
  readonly kind: 'cable' | 'stop' | 'disk'
  readonly atMs: number
  readonly forMs: number
  /** Only what is between the host and these is held up; everything unless given. */
  readonly among?: readonly number[]
  /** Only what the host sends, or what is sent to it, is held up; both unless given. */
  readonly way?: 'out' | 'in'
}

/** TCP waits at most this long before it sends again (TCP_RTO_MAX_MS). */
const resendMs = 1_000

interface Span {
  readonly fromMs: number
  readonly toMs: number
}

export class Outages {
  readonly #outages: readonly Outage[]
  readonly #random: Random
  /** By path; each resumes at times of its own. */
  readonly #spans = new Map<string, readonly Span[]>()

  constructor(outages: readonly Outage[], random: Random) {
    this.#outages = outages
    this.#random = random
  }

  /** When the path carries what is on it at this time: then, or when an outage has ended. */
  clearMs(path: 'words' | 'bytes', from: number, to: number, nowMs: number): number {
    if (this.#outages.length === 0) return nowMs
    let atMs = nowMs
    for (const { fromMs, toMs } of this.#spansOf(path, from, to))
      if (atMs >= fromMs && atMs < toMs) atMs = toMs
    return atMs
  }

  #spansOf(path: 'words' | 'bytes', from: number, to: number): readonly Span[] {
    const key = `${path} ${from}>${to}`
    const known = this.#spans.get(key)
    if (known !== undefined) return known
    const spans = this.#outages
      .filter((outage) => isFelt(outage.kind, path) && isOn(outage, from, to))
      .map(({ kind, atMs, forMs }) => {
        const againMs = kind === 'cable' ? this.#random.between(0, resendMs) : 0
        return { fromMs: atMs, toMs: atMs + forMs + againMs }
      })
      .sort((a, b) => a.fromMs - b.fromMs)
    this.#spans.set(key, spans)
    return spans
  }
}

function isFelt(kind: Outage['kind'], path: 'words' | 'bytes'): boolean {
  return path === 'bytes' || kind !== 'disk'
}

function isOn({ host, among, way }: Outage, from: number, to: number): boolean {
  const isSent = host === from && way !== 'in' && (among?.includes(to) ?? true)
  return isSent || (host === to && way !== 'out' && (among?.includes(from) ?? true))
}
