/**
 * A bench for the dealer of a group: relays that forward at a rate, an origin that sends at once.
 */
import { MIB } from '../../../../src/base/limits.js'
import type { RangePair } from '../../../../src/base/ranges.js'
import type { DealerFact, Send } from '../../../../src/control/dealing/dealer.js'
import type { GroupDealer } from '../../../../src/control/dealing/group.js'
import { adaptiveDealer } from './dealers.js'

export interface FakeRelay {
  /** Bytes it forwards to all mates per millisecond; Infinity: at once. */
  rate: number
  /** It says nothing, and its counters stand still. */
  isSilent: boolean
  /** Nothing moves at it: it lands nothing either. */
  isStanding: boolean
  behind: readonly number[]
  /** Waits on the origin's feed to it whatever happens. */
  heldBytes: number
  /** Sum of what was listed for it. */
  listed: number
  forwarded: number
  received: number
  /** Of what was listed, by the origin's counters. */
  sent: number
}

export class DealerBench {
  nowMs = 0
  /** Its own uplink has nothing to do; otherwise every feed has something waiting. */
  isOriginDry = false
  readonly dealer: GroupDealer
  readonly relays = new Map<number, FakeRelay>()
  /** Everything dealt so far. */
  readonly sends: Send[] = []

  /** The file is dealt adaptively unless a dealer is given. */
  constructor(bytes: number, nodes: number, rate = 0, dealer = adaptiveDealer(bytes)) {
    this.dealer = dealer
    for (let node = 0; node < nodes; node++) this.#add(node, rate)
  }

  #add(node: number, rate: number): void {
    this.relays.set(node, {
      rate,
      isSilent: false,
      isStanding: false,
      received: 0,
      sent: 0,
      behind: [],
      heldBytes: 0,
      listed: 0,
      forwarded: 0,
    })
  }

  join(node: number, missing: readonly RangePair[]): Send[] {
    this.#add(node, 0)
    return this.tell({ type: 'nodeJoined', node, missing, nowMs: this.nowMs })
  }

  relay(node: number): FakeRelay {
    return this.relays.get(node) as FakeRelay
  }

  start(): Send[] {
    return this.tell({ type: 'started', nodes: [...this.relays.keys()], nowMs: this.nowMs })
  }

  tell(fact: DealerFact): Send[] {
    const sends = this.dealer.handle(fact)
    for (const send of sends) this.relay(send.node).listed += send.length
    this.sends.push(...sends)
    return sends
  }

  fail(node: number): Send[] {
    const sends = this.tell({ type: 'nodeFailed', node, nowMs: this.nowMs })
    this.relays.delete(node)
    return sends
  }

  report(node: number): Send[] {
    const relay = this.relay(node)
    if (!relay.isStanding) relay.received = relay.listed
    const { received, forwarded, behind } = relay
    return this.tell({
      type: 'reported',
      node,
      atMs: this.nowMs,
      landedBytes: received,
      receivedBytes: received,
      backlogBytes: received - forwarded,
      behind,
      nowMs: this.nowMs,
    })
  }

  tick(): Send[] {
    for (const [node, relay] of this.relays) {
      const { listed, heldBytes } = relay
      const waiting = heldBytes === 0 ? 0 : Math.max(heldBytes, listed - relay.sent)
      const queuedBytes = this.isOriginDry ? waiting : 60 * MIB
      // Where something is held, nothing moves.
      if (heldBytes === 0) relay.sent = listed
      const counted = { node, sentBytes: relay.sent, queuedBytes, unackedBytes: 0 }
      this.tell({ type: 'counted', ...counted, atMs: this.nowMs, nowMs: this.nowMs })
    }
    return this.tell({ type: 'ticked', nowMs: this.nowMs })
  }

  #looks = 0

  /** Time passes: relays forward and report every 10 ms, the origin looks every 5 ms. */
  pass(ms: number): Send[] {
    const first = this.sends.length
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 5
      this.#looks++
      for (const [node, relay] of this.relays) {
        if (relay.isSilent) continue
        relay.forwarded = Math.min(relay.listed, relay.forwarded + relay.rate * 5)
        if (this.#looks % 2 === 0) this.report(node)
      }
      this.tick()
    }
    return this.sends.slice(first)
  }
}

/** What a relay says of itself: received from the origin, backlog, and when by its own clock. */
export const report = (receivedBytes: number, backlogBytes: number, atMs: number) => {
  return { atMs, receivedBytes, landedBytes: receivedBytes, backlogBytes }
}

export const bytesOf = (sends: readonly Send[]): number =>
  sends.reduce((sum, send) => sum + send.length, 0)

export const to = (sends: readonly Send[], node: number): Send[] =>
  sends.filter((send) => send.node === node)

export const relayed = (sends: readonly Send[]): Send[] => sends.filter((send) => send.relay)
export const direct = (sends: readonly Send[]): Send[] => sends.filter((send) => !send.relay)
