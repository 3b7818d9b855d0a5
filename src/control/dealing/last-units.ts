/**
 * The end: all is dealt, and the origin is or will be idle. A relay that would pass on its last
 * unit later than most, and later than the origin could send it to the others, is relieved of it,
 * the last of all first; those who have it by then drain the copies.
 */
import type { RangePair } from '../../base/ranges.js'
import type { OwnUplink } from './own-uplink.js'
import type { DealtRelay } from './relay-queue.js'
import type { Stock } from './stock.js'

/** So old is what is known of a relay, two reports and a late look: it may be done by then. */
const patienceSeconds = 0.06

export interface LastUnit {
  readonly range: RangePair
  /** Who has it from the origin now. */
  readonly others: readonly DealtRelay[]
}

/** Takes each out of the stock; the next follows from what became of those before. */
export function* lastUnits(
  relays: readonly DealtRelay[],
  own: OwnUplink,
  stock: Stock,
): IterableIterator<LastUnit> {
  const rate = own.meanRate
  const receivers = relays.filter(({ role }) => role === 'receiver')
  const copies = relays.length - 1
  // Digests and headers wait for their acknowledgement, too: it may be below nothing at first.
  if (rate <= 0 || copies < 1) return
  const rest = relays.map(({ restSeconds }) => restSeconds).sort((a, b) => a - b)
  const usual = rest[Math.floor(copies / 2)] as number
  for (let queued = own.waitingBytes; queued < own.aheadBytes(rate); ) {
    const last = relays.reduce((a, b) => (b.restSeconds > a.restSeconds ? b : a))
    const others = receivers.filter((relay) => relay !== last)
    const seconds = (queued + last.unitBytes * others.length) / rate
    if (last.restSeconds < usual + seconds + patienceSeconds) return
    const range = stock.takeLast(last)
    if (range === undefined) return
    yield { range, others }
    queued += range[1] * others.length
  }
}
