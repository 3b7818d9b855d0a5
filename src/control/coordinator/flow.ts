/**
 * Where the bytes of a push go, for people who look on: what each node was given to relay, what the
 * origin sends itself, how fast it all moves, when it will be done.
 *
 * Shares (what each node was dealt to pass on, less what was taken back) and direct bytes (units
 * that went to everybody) together are what has been dealt of the file, each byte once. What was
 * sent again, because a node asked for it or a feed between two nodes had broken, is counted apart.
 * Nothing is decided by these figures.
 */
import type { Dealer, Send } from '../dealing/dealer.js'
import { ObservedRate, windowMs } from '../members/observed.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { OutgoingCount } from '../messages/facts.js'
import type { Frame } from '../messages/types.js'
import { bound, type LinkSpeeds } from '../plan/plan.js'

export class OriginFlow {
  readonly #dealer: Dealer
  readonly #peers: Peers
  /** Payload the origin has sent, over all feeds. */
  readonly #sent = new ObservedRate()
  /** Bytes that were sent to a node once more, or past the relay that was to bring them. */
  resentBytes = 0
  /** Payload that all nodes say they have received from anybody, repeats included. */
  receivedBytes = 0
  /** Listed on all feeds to nodes and not accepted by a socket. */
  queuedBytes = 0
  /** Payload that the sockets of all feeds have accepted. */
  #sentBytes = 0
  /** Bytes that all nodes together have been sent or held before, holes included. */
  #broughtBytes = 0
  /** Payload that mates of a node say they have received from it. */
  readonly #relayed = new Map<number, number>()

  constructor(dealer: Dealer, peers: Peers) {
    this.#dealer = dealer
    this.#peers = peers
  }

  listed({ counts }: Peer, { length, why }: Send): void {
    counts.listedBytes += length
    counts.queuedBytes += length
    this.queuedBytes += length
    if (why === 'answer' || why === 'bypass') this.resentBytes += length
  }

  /** It accepts, and says what it holds. */
  held({ had }: Peer): void {
    this.#broughtBytes += had.bytes
  }

  /** The counters of the feed to a node are new. */
  counted({ counts }: Peer, { sentBytes, queuedBytes }: OutgoingCount, nowMs: number): void {
    const queued = queuedBytes - counts.queuedBytes
    this.queuedBytes += queued
    this.#broughtBytes -= queued
    this.#sentBytes += sentBytes - counts.sentBytes
    if (sentBytes !== counts.sentBytes) counts.sentMs = nowMs
    counts.sentBytes = sentBytes
    counts.queuedBytes = queuedBytes
  }

  /** It takes no further part: nothing waits for it. */
  left({ counts }: Peer): void {
    this.queuedBytes -= counts.queuedBytes
  }

  /** The connection to it broke, after all connections had brought it so much. */
  lost({ counts }: Peer, receivedBytes: number): void {
    this.resentBytes += Math.max(0, counts.sentBytes - receivedBytes)
  }

  /** All those that are new have been told, read at `atMs`. */
  countedAll(atMs: number): void {
    this.sent(this.#sentBytes, atMs)
  }

  /** Before the report is taken in. */
  reported({ counts }: Peer, { receivedBytes, received }: Frame & { type: 'progress' }): void {
    this.receivedBytes += receivedBytes - counts.receivedBytes
    for (const { member, bytes } of received) {
      const more = bytes - (counts.receivedFrom.get(member) ?? 0)
      this.#relayed.set(member, (this.#relayed.get(member) ?? 0) + more)
    }
  }

  /**
   * Bytes that a node, or null all together, has been sent or held before. Listed less queued
   * counts holes as sent too, which a count of payload does not.
   */
  broughtBytes(peer: Peer | null): number {
    if (peer === null) return this.#broughtBytes
    const { counts, had } = peer
    return counts.listedBytes - counts.queuedBytes + had.bytes
  }

  /** Payload the origin has sent in all, as counted at `atMs`. */
  sent(bytes: number, atMs: number): void {
    this.#sent.add(bytes, atMs)
  }

  /** Payload that the mates of this node say they have received from it. */
  relayedBytes(node: number): number {
    return this.#relayed.get(node) ?? 0
  }

  /** Bytes of the file this node was dealt to pass on, less what was taken back. */
  dealtBytes(node: number): number {
    return this.#dealer.dealtBytes(node)
  }

  /** Bytes that went to every node directly, each counted once. */
  get directBytes(): number {
    return this.#dealer.directBytes
  }

  /**
   * Bytes this node was dealt and has not passed on to its slowest mate, by its own reports; null
   * where it relays nothing.
   */
  queueBytes(peer: Peer): number | null {
    return peer.relay === 'none' ? null : this.#dealer.queueBytes(peer.node)
  }

  /**
   * Seconds until the origin can have sent all that it still has to send, at the rate it has now.
   * 0 while that is not known.
   */
  get secondsLeft(): number {
    const open = this.#dealer.openBytes + this.queuedBytes
    return this.#sent.recent > 0 ? open / this.#sent.recent : 0
  }

  /**
   * The fluid bound for `dataBytes` with the highest rates seen in place of link speeds, for the
   * nodes that are complete; null where none lasted, or the last node was complete sooner. A node
   * that sent nothing to mates has shown no uplink, which counts as unlimited, as in every bound.
   */
  observedBoundSeconds(dataBytes: number, seconds: number): number | null {
    if (seconds * 1000 < windowMs) return null
    const nodes = this.#peers.all
      .filter((peer) => peer.outcome?.status === 'complete' && peer.isReceiver)
      .map(({ link, counts: { landing, sending } }) => ({
        address: link.address,
        ...speed('uplinkBytesPerSecond', sending.highest),
        ...speed('downlinkBytesPerSecond', landing.highest),
      }))
    const mirrors = this.#peers.all.filter((peer) => peer.role === 'mirror')
    const sources = [this.#sent.highest, ...mirrors.map(({ counts }) => counts.sending.highest)]
    const seen = sources.filter((rate) => rate !== null)
    const rate = seen.length === 0 ? null : seen.reduce((sum, one) => sum + one, 0)
    const gateways = this.#peers.all
      .filter((peer) => peer.role === 'gateway')
      .map(({ counts }) => speed('uplinkBytesPerSecond', counts.sending.highest))
    const origin = speed('uplinkBytesPerSecond', rate)
    return bound(dataBytes, origin, nodes, gateways).boundSeconds
  }
}

function speed(name: keyof LinkSpeeds, rate: number | null): LinkSpeeds {
  return rate === null ? {} : { [name]: rate }
}
