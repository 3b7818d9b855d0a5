/** What an outgoing feed has to send, in the lists that it keeps. */
import { SpanSet } from '../../base/spans.js'
import type { StreamState } from './stream.js'

export interface Flags {
  readonly route: number
  readonly scratch: boolean
}

export interface Piece extends Flags {
  readonly stream: StreamState
  begin: number
  end: number
}

/** Listed bytes of one stream, with one set of flags, that have not landed yet. */
export interface Awaited extends Flags {
  readonly stream: StreamState
  readonly bytes: SpanSet
}

/** Bytes of one stream that routes brought, to be sent under one number. */
interface RouteQueue {
  readonly stream: StreamState
  readonly next: number
  readonly bytes: SpanSet
  /** Where the last record ended: sending goes on from there as long as it can. */
  at: number
}

/** What a route brought before this feed left its table. */
export interface Had {
  readonly stream: StreamState
  readonly route: number
  readonly bytes: SpanSet
}

/** Listed ranges in their order, and bytes that routes bring, which take turns. */
export class Pieces {
  readonly #listed: Piece[] = []
  #listedBytes = 0
  readonly #routed: RouteQueue[] = []
  #isRoutedNext = false

  get bytes(): number {
    return this.#routed.reduce((sum, { bytes }) => sum + bytes.bytes, this.#listedBytes)
  }

  /** Ranges that the caller has listed. */
  get listed(): number {
    return this.#listed.length
  }

  get isDue(): boolean {
    return this.#listed.length > 0 || this.#routed.some(({ bytes }) => bytes.pieces > 0)
  }

  list(stream: StreamState, { route, scratch }: Flags, begin: number, end: number): void {
    this.#listedBytes += end - begin
    const last = this.#listed.at(-1)
    const isContinued = last !== undefined && last.end === begin && isLike(last, stream, route)
    if (isContinued && last.scratch === scratch) last.end = end
    else this.#listed.push({ stream, route, scratch, begin, end })
  }

  route(stream: StreamState, begin: number, end: number, next: number): void {
    let queue = this.#queue(stream, next)
    if (queue === undefined) {
      queue = { stream, next, bytes: new SpanSet(), at: 0 }
      this.#routed.push(queue)
    }
    queue.bytes.add(begin, end)
  }

  forget(stream: StreamState): void {
    keep(this.#routed, (queue) => queue.stream !== stream)
    keep(this.#listed, (piece) => piece.stream !== stream)
    this.#listedBytes = this.#listed.reduce((sum, piece) => sum + piece.end - piece.begin, 0)
  }

  /** Takes the next bytes to send, at most `most` of them. */
  next(most: number): Piece | undefined {
    const isRoutedTurn = this.#isRoutedNext
    this.#isRoutedNext = !isRoutedTurn
    return isRoutedTurn
      ? (this.#nextRouted(most) ?? this.#nextListed(most))
      : (this.#nextListed(most) ?? this.#nextRouted(most))
  }

  /** Bytes that come right behind this piece, and are sent in the same way. */
  behind(piece: Piece): number {
    const { stream, route, end } = piece
    const listed = this.#listedBehind(piece)
    if (listed !== undefined) return listed.end - end
    const span = this.#queue(stream, route)?.bytes.next(end)
    return span?.[0] === end && !piece.scratch ? span[1] - end : 0
  }

  /** Takes so many of these; returns how many were still there. */
  takeBehind(piece: Piece, most: number): number {
    const { stream, route, end } = piece
    const count = Math.min(most, this.behind(piece))
    const listed = this.#listedBehind(piece)
    if (listed !== undefined) this.#takeListed(listed, count)
    else this.#queue(stream, route)?.bytes.remove(end, end + count)
    return count
  }

  #listedBehind({ stream, route, scratch, end }: Piece): Piece | undefined {
    const [first] = this.#listed
    const isBehind = first?.begin === end && first.scratch === scratch
    return isBehind && isLike(first, stream, route) ? first : undefined
  }

  #queue(stream: StreamState, next: number): RouteQueue | undefined {
    return this.#routed.find((one) => one.stream === stream && one.next === next)
  }

  #nextListed(most: number): Piece | undefined {
    const [first] = this.#listed
    if (first === undefined) return undefined
    const piece = { ...first, end: Math.min(first.end, first.begin + most) }
    this.#takeListed(first, piece.end - piece.begin)
    return piece
  }

  #takeListed(first: Piece, count: number): void {
    first.begin += count
    this.#listedBytes -= count
    if (first.begin === first.end) this.#listed.shift()
  }

  #nextRouted(most: number): Piece | undefined {
    for (const queue of this.#routed) {
      const span = queue.bytes.next(queue.at) ?? queue.bytes.next(0)
      if (span === undefined) continue
      const begin = span[0]
      const end = Math.min(span[1], begin + most)
      queue.bytes.remove(begin, end)
      queue.at = end
      return { stream: queue.stream, route: queue.next, scratch: false, begin, end }
    }
    return undefined
  }
}

function isLike(piece: Piece, stream: StreamState, route: number): boolean {
  return piece.stream === stream && piece.route === route
}

export function keep<T>(list: T[], isKept: (item: T) => boolean): void {
  const kept = list.filter(isKept)
  list.length = 0
  for (const item of kept) list.push(item)
}
