/**
 * Pulls between simulated nodes: the links on which they ask each other for bytes, and the data
 * connections that a holder opens where it has none. What hangs answers nothing; what is dead
 * breaks.
 */
import { limits } from '../base/limits.js'
import type { Frame } from '../control/messages/types.js'
import type { PullCommand, PullEvent } from '../control/pulling/events.js'
import type { EdgeScenario } from './scenario.js'
import type { Timeline } from './timeline.js'

/** What a pull needs of a node. */
export interface PullPeer {
  readonly runs: boolean
  readonly isHung: boolean
  post(event: PullEvent): void
  pullFeedFailed(to: number): void
}

export interface PullNet {
  readonly timeline: Timeline
  readonly nodes: readonly (PullPeer | undefined)[]
  edge(from: number, to: number): EdgeScenario
  /** A message on its way, in the order of its direction. */
  travel(direction: string, from: number, to: number, run: () => void): void
  /** False: there is one, or the receiver does not want another. */
  openPullFeed(from: number, to: number): boolean
}

export class SimPulls {
  readonly #net: PullNet
  /** Open links, asker first. */
  readonly #links = new Set<string>()
  /** Feeds that were opened for pulls, in all. */
  feeds = 0

  constructor(net: PullNet) {
    this.#net = net
  }

  dial(from: number, { mate }: PullCommand & { type: 'dialPull' }): void {
    const { timeline, nodes } = this.#net
    const to = mate.index
    const { cannotDial, latencyMs } = this.#net.edge(from, to)
    const fail = (code: 'ERR_FR_UNREACHABLE' | 'ERR_FR_TIMEOUT'): void =>
      nodes[from]?.post({ type: 'pullClosed', index: mate.index, code })
    if (cannotDial) return timeline.after(limits.connectMs, () => fail('ERR_FR_UNREACHABLE'))
    timeline.after(latencyMs * 6, () => {
      const holder = nodes[to]
      if (holder?.isHung === true)
        return timeline.after(limits.helloMs, () => fail('ERR_FR_TIMEOUT'))
      if (holder?.runs !== true) return fail('ERR_FR_UNREACHABLE')
      this.#links.add(key(from, to))
      nodes[from]?.post({ type: 'pullOpened', index: mate.index, rttMs: 2 * latencyMs })
    })
  }

  ask(from: number, to: number, frame: Frame & { type: 'pull' }): void {
    this.#say(key(from, to), from, to, () => {
      this.#net.nodes[to]?.post({ type: 'pullAsked', index: from, frame })
    })
  }

  answer(from: number, to: number, frame: Frame & { type: 'holding' | 'pullRefused' }): void {
    this.#say(key(to, from), from, to, () => {
      this.#net.nodes[to]?.post({ type: 'pullAnswered', index: from, frame })
    })
  }

  /** The holder dials a data connection to whoever asked. */
  openFeed(from: number, to: number): void {
    const { cannotDial, latencyMs } = this.#net.edge(from, to)
    this.#net.timeline.after(cannotDial ? limits.connectMs : latencyMs * 3, () => {
      const holder = this.#net.nodes[from]
      const isOpen = !cannotDial && holder?.runs === true && this.#net.openPullFeed(from, to)
      if (isOpen) this.feeds++
      else holder?.pullFeedFailed(to)
    })
  }

  /** A process died, or its transfer ended: its links break. */
  ended(node: number): void {
    for (const [other] of this.#net.nodes.entries()) {
      this.#links.delete(key(node, other))
      if (!this.#links.delete(key(other, node))) continue
      this.#net.timeline.after(this.#net.edge(other, node).latencyMs, () => {
        this.#net.nodes[other]?.post({ type: 'pullClosed', index: node, code: 'ERR_FR_NODE_LOST' })
      })
    }
  }

  #say(link: string, from: number, to: number, heard: () => void): void {
    if (!this.#links.has(link)) return
    this.#net.travel(`p${from}>${to}`, from, to, () => {
      if (this.#links.has(link)) heard()
    })
  }
}

function key(asker: number, holder: number): string {
  return `${asker}~${holder}`
}
