/**
 * An origin's machine in a small fluid network: the origin sends at a rate, nodes forward at
 * theirs, reports and counters come as they do in life. Whoever looks on is shown every fact and
 * wish.
 */

import { KIB, limits } from '../../../../src/base/limits.js'
import type { OriginFact, OriginWish } from '../../../../src/control/coordinator/events.js'
import { Extent } from '../../../../src/control/coordinator/extent.js'
import { OriginMachine } from '../../../../src/control/coordinator/machine.js'
import type { Dealer, Send } from '../../../../src/control/dealing/dealer.js'
import type { Peer } from '../../../../src/control/members/peer.js'
import type { Frame, NodeOutcome } from '../../../../src/control/messages/types.js'
import { broughtTo } from '../../../../src/control/view/brought.js'
import { sampledAt } from '../plans.js'
import { completeFrame } from './origin-support.js'

export interface Onlooker {
  fact(event: OriginFact, nowMs: number): void
  wishes(commands: readonly OriginWish[], nowMs: number): void
}

export interface FluidNode {
  /** Bytes it forwards to all mates per millisecond. */
  rate: number
  readonly listed: Send[]
  receivedBytes: number
  /** Of the bytes it received, those to pass on, and those passed on. */
  shareBytes: number
  forwardedBytes: number
  isComplete: boolean
  isDead: boolean
}

const digest = `xxh64-blocks/65536:${'a'.repeat(16)}`

export class FluidPush {
  nowMs = 0
  readonly machine: OriginMachine
  readonly nodes: FluidNode[]
  readonly sends: Send[] = []
  /** As they were announced, by node. */
  readonly outcomes = new Map<number, NodeOutcome>()
  readonly #bytes: number
  readonly #originRate: number
  readonly #onlooker: Onlooker | undefined

  /** Rates in bytes per millisecond. */
  constructor(
    bytes: number,
    dealer: Dealer,
    originRate: number,
    rates: readonly number[],
    onlooker?: Onlooker,
  ) {
    this.#bytes = bytes
    this.#originRate = originRate
    this.#onlooker = onlooker
    this.nodes = rates.map((rate) => {
      const counts = { receivedBytes: 0, shareBytes: 0, forwardedBytes: 0 }
      return { rate, listed: [], ...counts, isComplete: false, isDead: false }
    })
    const config = {
      extent: new Extent(bytes, 64 * KIB),
      digestBytes: 8,
      nodes: rates.map((_, i) => ({ address: `n${i}:1` })),
      nodeId: 'f'.repeat(32),
      connectMs: limits.connectMs,
      silenceMs: limits.silenceMs,
      progressMs: limits.progressMs,
    }
    this.machine = new OriginMachine(config, dealer, 0)
    this.#carryOut(this.machine.start())
    for (const node of rates.keys()) {
      this.#tell({ type: 'linked', member: node, nodeId: `id${node}` })
      this.from(node, { type: 'accept', have: [] })
      this.#tell({ type: 'fedOut', member: node })
    }
  }

  from(node: number, frame: Frame): void {
    this.#tell({ type: 'said', member: node, frame })
  }

  kill(node: number): void {
    this.node(node).isDead = true
    this.#tell({ type: 'unlinked', member: node, code: 'ERR_FR_NODE_LOST', text: 'killed' })
  }

  node(node: number): FluidNode {
    return this.nodes[node] as FluidNode
  }

  landedBytes(node: number): number {
    const others = this.nodes.filter((other) => other !== this.node(node))
    const relayed = others.reduce((sum, other) => sum + other.forwardedBytes, 0)
    return Math.min(this.#bytes, this.node(node).receivedBytes + relayed)
  }

  /** Until the machine has ended, or for so long. */
  run(ms = 60_000): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs && !this.machine.isEnded; ) {
      this.nowMs += 5
      this.#move(5)
      if (this.nowMs % 10 === 0) this.#count()
      for (const [index, node] of this.nodes.entries()) if (!node.isDead) this.#report(index)
    }
  }

  #move(ms: number): void {
    const busy = this.nodes.filter((node) => !node.isDead && queued(node) > 0)
    for (const node of busy) {
      let room = Math.min(queued(node), (this.#originRate * ms) / busy.length)
      while (room > 0) {
        const first = node.listed[0] as Send
        const length = Math.min(room, first.length)
        node.receivedBytes += length
        if (first.why === 'share') node.shareBytes += length
        room -= length
        if (length === first.length) node.listed.shift()
        else node.listed[0] = { ...first, length: first.length - length }
      }
    }
    for (const node of this.nodes) {
      if (node.isDead) continue
      node.forwardedBytes += Math.min(node.rate * ms, node.shareBytes - node.forwardedBytes)
    }
  }

  #count(): void {
    const feeds = this.nodes.flatMap((node, index) =>
      node.isDead
        ? []
        : [
            {
              member: index,
              sentBytes: node.receivedBytes,
              queuedBytes: queued(node),
              unackedBytes: 0,
            },
          ],
    )
    this.#tell(sampledAt(this.nowMs, feeds))
  }

  #report(index: number): void {
    const node = this.node(index)
    const landedBytes = Math.round(this.landedBytes(index))
    const backlogBytes = node.shareBytes - node.forwardedBytes
    if (this.nowMs % 25 === 0) {
      const receivedBytes = node.receivedBytes
      this.from(index, {
        type: 'backlog',
        atMs: this.nowMs,
        landedBytes,
        receivedBytes,
        backlogBytes,
        behind: [],
      })
    }
    const isLast =
      !node.isComplete && this.machine.fileDigest !== null && landedBytes >= this.#bytes
    if (this.nowMs % 250 === 0 || isLast) {
      const mates = this.nodes.flatMap((_, i) =>
        i === index ? [] : [{ member: i, queuedBytes: backlogBytes, unackedBytes: 0 }],
      )
      const sentBytes = Math.round(node.forwardedBytes * mates.length)
      const verified = { verifiedBytes: landedBytes, repairedBytes: 0 }
      const received = this.nodes.flatMap(({ forwardedBytes }, i) =>
        i === index || forwardedBytes === 0
          ? []
          : [{ member: i, bytes: Math.round(forwardedBytes) }],
      )
      const receivedBytes = received.reduce((sum, { bytes }) => sum + bytes, node.receivedBytes)
      const duplicateBytes = Math.max(0, receivedBytes - landedBytes)
      const counts = { landedBytes, holeBytes: 0, receivedBytes, duplicateBytes, sentBytes }
      const told = { ...counts, ...verified, mates, received, pulled: [] }
      this.from(index, { type: 'progress', atMs: this.nowMs, ...told })
    }
    if (!isLast) return
    node.isComplete = true
    this.from(index, completeFrame(this.#bytes, digest))
  }

  #tell(event: OriginFact): void {
    if (this.machine.isEnded) return
    this.#onlooker?.fact(event, this.nowMs)
    this.#carryOut(this.machine.handle(event, this.nowMs))
  }

  #carryOut(commands: readonly OriginWish[]): void {
    this.#onlooker?.wishes(commands, this.nowMs)
    for (const command of commands) {
      if (command.type === 'list') {
        const { type: _, member, route, ...how } = command
        const send = { node: member, relay: route !== 0, ...how }
        this.node(member).listed.push(send)
        this.sends.push(send)
      } else if (command.type === 'hash') {
        const { offset, length } = command
        const digests = new Uint8Array(8 * Math.ceil(length / (64 * KIB)))
        this.#tell({ type: 'hashed', part: 'file', offset, length, digests })
      } else if (command.type === 'checkSource')
        this.#tell({ type: 'sourceChecked', isDoubtful: false })
      else if (command.type === 'announceOutcome')
        this.outcomes.set(command.member, {
          ...command.outcome,
          ...broughtTo(this.machine.peers[command.member] as Peer, this.machine.peers),
          seconds: this.nowMs / 1000,
          servedBy: null,
        })
      else if (command.type === 'sum') this.#tell({ type: 'summed', fileDigest: digest })
    }
  }
}

function queued(node: FluidNode): number {
  return node.listed.reduce((sum, send) => sum + send.length, 0)
}
