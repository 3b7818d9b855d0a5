/**
 * Which relays say that they pass on what they are dealt and do not.
 *
 * The idea: what a relay says it has passed on is held against what its mates say they have
 * received from it. One mate that has received enough clears the relay, so a mate that lies or
 * reports late accuses nobody; with a single mate it would be word against word, so nobody is
 * blamed. The relay is false once its claim exceeds what buffers on the way hold, and then every
 * mate says twice, some time apart, that bytes of others reach it and none of this relay. The
 * caller says which mates count: those that live, keep up and have a feed from the relay.
 */
import { limits } from '../../base/limits.js'
import type { Peer } from '../members/peer.js'

/**
 * - cleared: nothing speaks against it, and what it says is taken for true.
 * - open: it says more than its mates have said so far.
 * - false: all its mates contradict it.
 */
export type ClaimVerdict = 'cleared' | 'open' | 'false'

/** A mate, since the relay was last cleared or the mate began to count. */
interface Witness {
  /** Received from the relay by then. */
  readonly relayedBytes: number
  /** Claimed by the relay until then. */
  readonly claimedBytes: number
  /** When the claim had grown enough; undefined: it has not. */
  claimedMs: number | undefined
  /** The first report after that: when it came, and what had been received from all. */
  first: { readonly atMs: number; readonly allBytes: number } | undefined
  /** It has said twice that it has nothing of the relay. */
  isSure: boolean
}

export class RelayClaims {
  readonly #bytes: number
  readonly #witnesses = new Map<Peer, Map<Peer, Witness>>()

  /** `bytes`: a claim that exceeds what mates have received by less says nothing. */
  constructor(bytes: number = limits.relayClaimBytes) {
    this.#bytes = bytes
  }

  /**
   * `claimedBytes`: payload that the relay says by its last report it has passed on, in all.
   * `mates`: those in the middle of the transfer that count now.
   */
  look(relay: Peer, claimedBytes: number, mates: readonly Peer[], nowMs: number): ClaimVerdict {
    const witnesses = this.#witnesses.get(relay) ?? new Map<Peer, Witness>()
    this.#witnesses.set(relay, witnesses)
    // What was asked for is known a little later than that it has come.
    const isCleared = [...witnesses].some(
      ([mate, { relayedBytes }]) =>
        mate.counts.relayedFrom(relay.node) - relayedBytes > this.#bytes / 8,
    )
    if (isCleared) witnesses.clear()
    const present = new Set(mates)
    for (const [mate, witness] of witnesses)
      if (!present.has(mate) && !isKept(mate, witness, relay)) witnesses.delete(mate)
    for (const mate of mates) {
      const witness = witnesses.get(mate) ?? begin(relay, claimedBytes, mate)
      witnesses.set(mate, witness)
      this.#hear(mate, witness, claimedBytes, nowMs)
    }
    if (isCleared) return 'cleared'
    const counted = [...witnesses].filter(([mate, { isSure }]) => isSure || present.has(mate))
    const areMany = counted.length >= limits.relayClaimMates
    return areMany && counted.every(([, { isSure }]) => isSure) ? 'false' : 'open'
  }

  /** Sure: it reports again, some time after its first report since the claim; bytes reach it. */
  #hear(mate: Peer, witness: Witness, claimedBytes: number, nowMs: number): void {
    if (claimedBytes - witness.claimedBytes < this.#bytes) {
      witness.claimedMs = witness.first = undefined
      witness.isSure = false
      return
    }
    witness.claimedMs ??= nowMs
    const { reportedMs, receivedBytes } = mate.counts
    if (reportedMs <= witness.claimedMs) return
    witness.first ??= { atMs: reportedMs, allBytes: receivedBytes }
    const { atMs, allBytes } = witness.first
    if (reportedMs - atMs < limits.relayClaimMs) return
    if (receivedBytes > allBytes) witness.isSure = true
  }
}

/**
 * What a mate has seen outlasts a while in which it does not count: it had the claim before. A mate
 * that is complete reports no more, and counts when it was sure.
 */
function isKept(mate: Peer, { claimedMs, isSure }: Witness, relay: Peer): boolean {
  if (mate.phase === 'out' || mate.lostFrom.has(relay.node)) return false
  return isSure || (mate.phase === 'running' && claimedMs !== undefined)
}

function begin(relay: Peer, claimedBytes: number, mate: Peer): Witness {
  const relayedBytes = mate.counts.relayedFrom(relay.node)
  // A feed brings all that was ever relayed: where it has brought nothing, nothing was passed on.
  return {
    relayedBytes,
    claimedBytes: relayedBytes > 0 ? claimedBytes : 0,
    claimedMs: undefined,
    first: undefined,
    isSure: false,
  }
}
