/** What an incoming feed was asked for: only that may land. */
import { type Span, SpanSet } from '../../base/spans.js'
import type { StreamState } from './stream.js'

interface Asked {
  /** May land from this feed. */
  readonly open: SpanSet
  readonly ever: SpanSet
}

export class Asks {
  readonly #main = new Map<StreamState, Asked>()
  readonly #scratch = new Map<StreamState, Asked>()

  open(stream: StreamState, isScratch: boolean, begin: number, end: number): void {
    const { open, ever } = this.#of(stream, isScratch)
    if (Math.max(begin, stream.line) >= end) return
    open.add(Math.max(begin, stream.line), end)
    ever.add(Math.max(begin, stream.line), end)
  }

  withdraw(stream: StreamState, isScratch: boolean, begin: number, end: number): void {
    this.#of(stream, isScratch).open.remove(begin, end)
  }

  /** Of these bytes, those that may land now; undefined: some were never asked for. */
  welcome(
    stream: StreamState,
    isScratch: boolean,
    begin: number,
    end: number,
  ): readonly Span[] | undefined {
    const { open, ever } = this.#of(stream, isScratch)
    // Nothing is known any more of what was asked for before the line.
    const from = isScratch ? begin : Math.max(begin, stream.line)
    return ever.missing(from, end).length > 0 ? undefined : open.present(from, end)
  }

  forget(stream: StreamState, before: number): void {
    for (const all of [this.#main, this.#scratch]) {
      all.get(stream)?.open.remove(0, before)
      all.get(stream)?.ever.remove(0, before)
    }
  }

  #of(stream: StreamState, isScratch: boolean): Asked {
    const all = isScratch ? this.#scratch : this.#main
    const asked = all.get(stream) ?? { open: new SpanSet(), ever: new SpanSet() }
    all.set(stream, asked)
    return asked
  }
}
