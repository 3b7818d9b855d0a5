/**
 * What this node has received from each mate, over all feeds that mate ever had to it. The origin
 * is told what has grown with every report: it is the measure of what each relay forwards, and a
 * sign of life of mates whose own word may be stuck behind those bytes.
 */
import type { MateBytes } from '../messages/types.js'

export class ReceivedBytes {
  readonly #byMate = new Map<number, number>()
  readonly #told = new Map<number, number>()

  count(mates: readonly { readonly member: number; readonly receivedBytes: number }[]): void {
    for (const { member, receivedBytes } of mates) this.#byMate.set(member, receivedBytes)
  }

  /**
   * Mates from whom payload has come since the last call, ascending; `isLast`: from whom any has
   * come. What was told to whoever passes it on may not have arrived.
   */
  news(isLast = false): MateBytes[] {
    const news = [...this.#byMate].filter(
      ([member, bytes]) => bytes > 0 && (isLast || bytes !== this.#told.get(member)),
    )
    for (const [member, bytes] of news) this.#told.set(member, bytes)
    return news.map(([member, bytes]) => ({ member, bytes })).sort((a, b) => a.member - b.member)
  }
}
