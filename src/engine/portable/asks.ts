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
    open.add(begin, end)
    ever.add(begin, end)
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
    return ever.missing(begin, end).length > 0 ? undefined : open.present(begin, end)
  }

  #of(stream: StreamState, isScratch: boolean): Asked {
    const all = isScratch ? this.#scratch : this.#main
    const asked = all.get(stream) ?? { open: new SpanSet(), ever: new SpanSet() }
    all.set(stream, asked)
    return asked
  }
}
