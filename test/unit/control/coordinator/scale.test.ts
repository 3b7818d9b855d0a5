/** What one report costs the coordinator, whatever the number of nodes. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { GIB, KIB, limits } from '../../../../src/base/limits.js'
import type { OriginFact } from '../../../../src/control/coordinator/events.js'
import { OriginMachine } from '../../../../src/control/coordinator/machine.js'
import { dealerOf } from '../../../../src/control/dealing/strategies.js'
import { Detector } from '../../../../src/control/members/detector.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { progressOf, sampledAt } from '../plans.js'

class Coordinator {
  readonly nodes: number
  readonly #machine: OriginMachine
  readonly #nowMs = 0
  #sent = 0

  constructor(nodes: number) {
    this.nodes = nodes
    const links = Array.from({ length: nodes }, (_, node) => ({ address: `n${node}:1` }))
    const { connectMs, silenceMs, progressMs } = limits
    const file = { bytes: GIB, blockBytes: 64 * KIB, digestBytes: 8 }
    const dealer = dealerOf('adaptive', 'group', file.bytes, file.blockBytes, {
      origin: {},
      nodes: links.map(() => ({})),
    })
    const config = {
      ...file,
      nodeId: 'f'.repeat(32),
      nodes: links,
      connectMs,
      silenceMs,
      progressMs,
    }
    this.#machine = new OriginMachine(config, dealer, 0)
    this.#machine.start()
    for (const node of links.keys()) {
      this.#tell({ type: 'linked', member: node, nodeId: `id${node}` })
      this.#tell({ type: 'said', member: node, frame: { type: 'accept', have: [] } })
      this.#tell({ type: 'fedOut', member: node })
    }
  }

  get isRunning(): boolean {
    return this.#machine.peers.every(({ phase }) => phase === 'running')
  }

  /** Reports of all nodes in turn, between two ticks. */
  report(): void {
    for (let i = 0; i < 2_000; i++) {
      const node = this.#sent++ % this.nodes
      const frame = i % 2 === 0 ? this.#backlog() : this.#progress(node)
      this.#tell({ type: 'said', member: node, frame })
      if ((this.#machine.deadlineMs() ?? 0) <= this.#nowMs) throw new Error('a tick is due')
    }
  }

  #backlog(): Frame {
    const counts = { landedBytes: 0, receivedBytes: 0, backlogBytes: 0 }
    return { type: 'backlog', atMs: Math.round(this.#nowMs), ...counts, behind: [] }
  }

  #progress(node: number): Frame {
    const mate = { member: (node + 1) % this.nodes, bytes: this.#sent }
    const counts = { landedBytes: this.#sent, receivedBytes: this.#sent }
    return progressOf({ atMs: Math.round(this.#nowMs), ...counts, received: [mate] })
  }

  #tell(event: OriginFact): void {
    for (const command of this.#machine.handle(event, this.#nowMs))
      if (command.type === 'sample') this.#tell(sampledAt(this.#nowMs))
  }
}

describe('the coordinator', () => {
  // How long it takes is in `npm run bench -- micro`.
  it('looks at as many nodes for a report at 10 and at 1,000 nodes', () => {
    const { health } = Detector.prototype
    let looks = 0
    Detector.prototype.health = function (peer, nowMs) {
      looks++
      return health.call(this, peer, nowMs)
    }
    onTestFinished(() => {
      Detector.prototype.health = health
    })
    const looksAt = (nodes: number): number => {
      const coordinator = new Coordinator(nodes)
      expect(coordinator.isRunning).toBe(true)
      looks = 0
      coordinator.report()
      return looks
    }
    const few = looksAt(10)
    expect(few).toBeGreaterThan(0)
    expect(looksAt(1_000)).toBe(few)
  })
})
