/**
 * Pulls between simulated nodes: the links on which they ask each other for bytes, and the data
 * connections that a holder opens where it has none. What hangs answers nothing; what is dead
 * breaks.
 */
import { limits } from '../base/limits.js'
import type { Frame } from '../control/messages/types.js'
import type { PullCommand, PullEvent } from '../control/pulling/events.js'
import { SimChannel } from './codec.js'
import type { EdgeScenario } from './scenario.js'
import type { Timeline } from './timeline.js'

/** What a pull needs of a node. */
export interface PullPeer {
  readonly runs: boolean
  readonly isHung: boolean
  readonly feeds: {
    dialledBy(from: number, to: number, channel: 'pull', told: (isWelcome: boolean) => void): void
    pullFeedFailed(to: number): void
  }
  post(event: PullEvent): void
}

export interface PullNet {
  readonly timeline: Timeline
  readonly nodes: readonly (PullPeer | undefined)[]
  edge(from: number, to: number): EdgeScenario
  /** A message on its way, in the order of its direction. */
  travel(direction: string, from: number, to: number, run: () => void): void
  /** Opens a data connection, if the receiver wants one; else `pullFeedFailed`. */
  openPullFeed(from: number, to: number): void
}

export class SimPulls {
  readonly #net: PullNet
  readonly #hear: (from: number, to: number, frame: Frame) => void
  /** Open links, asker first: to the holder, and back. */
  readonly #links = new Map<string, readonly [SimChannel, SimChannel]>()

  constructor(net: PullNet, hear: (from: number, to: number, frame: Frame) => void) {
    this.#net = net
    this.#hear = hear
  }

  dial(from: number, { mate }: PullCommand & { type: 'dialPull' }): void {
    const { timeline, nodes } = this.#net
    const to = mate.number
    const { cannotDial, latencyMs } = this.#net.edge(from, to)
    const fail = (code: 'ERR_FR_UNREACHABLE' | 'ERR_FR_TIMEOUT'): void =>
      nodes[from]?.post({ type: 'pullClosed', index: mate.number, code })
    if (cannotDial) return timeline.after(limits.connectMs, () => fail('ERR_FR_UNREACHABLE'))
    timeline.after(latencyMs * 6, () => {
      const holder = nodes[to]
      if (holder?.isHung === true)
        return timeline.after(limits.helloMs, () => fail('ERR_FR_TIMEOUT'))
      if (holder?.runs !== true) return fail('ERR_FR_UNREACHABLE')
      holder.feeds.dialledBy(from, to, 'pull', (isWelcome) => {
        if (!isWelcome || !holder.runs) return fail('ERR_FR_UNREACHABLE')
        this.#links.set(key(from, to), [new SimChannel(), new SimChannel()])
        nodes[from]?.post({ type: 'pullOpened', index: mate.number, rttMs: 2 * latencyMs })
      })
    })
  }

  ask(from: number, to: number, frame: Frame & { type: 'pull' }): void {
    const link = this.#links.get(key(from, to))
    this.#say(link?.[0], from, to, frame, (read) => {
      if (this.#links.get(key(from, to)) === link)
        this.#net.nodes[to]?.post({ type: 'pullAsked', index: from, frame: read })
    })
  }

  answer(from: number, to: number, frame: Frame & { type: 'holding' | 'pullRefused' }): void {
    const link = this.#links.get(key(to, from))
    this.#say(link?.[1], from, to, frame, (read) => {
      if (this.#links.get(key(to, from)) === link)
        this.#net.nodes[to]?.post({ type: 'pullAnswered', index: from, frame: read })
    })
  }

  /** The holder dials a data connection to whoever asked. */
  openFeed(from: number, to: number): void {
    const { cannotDial, latencyMs } = this.#net.edge(from, to)
    this.#net.timeline.after(cannotDial ? limits.connectMs : latencyMs * 3, () => {
      const holder = this.#net.nodes[from]
      if (cannotDial || holder?.runs !== true) return holder?.feeds.pullFeedFailed(to)
      this.#net.openPullFeed(from, to)
    })
  }

  /** A process died, or its transfer ended: its links break. */
  ended(node: number): void {
    for (const [other] of this.#net.nodes.entries()) this.hangUp(node, other)
  }

  /** The node closes its links with this mate, both ways. */
  hangUp(node: number, mate: number): void {
    this.#links.delete(key(node, mate))
    if (!this.#links.delete(key(mate, node))) return
    this.#net.timeline.after(this.#net.edge(mate, node).latencyMs, () => {
      this.#net.nodes[mate]?.post({ type: 'pullClosed', index: node, code: 'ERR_FR_NODE_LOST' })
    })
  }

  #say<F extends Frame>(
    channel: SimChannel | undefined,
    from: number,
    to: number,
    frame: F,
    heard: (read: F) => void,
  ): void {
    if (channel === undefined) return
    const arrive = channel.write(frame)
    this.#net.travel(`p${from}>${to}`, from, to, () => {
      const read = arrive()
      this.#hear(from, to, read)
      heard(read)
    })
  }
}

function key(asker: number, holder: number): string {
  return `${asker}~${holder}`
}
