/** What one report costs the coordinator, whatever the number of nodes. */
import { describe, expect, it } from 'vitest'
import { GIB, KIB, limits } from '../../../../src/base/limits.js'
import type { OriginEvent } from '../../../../src/control/coordinator/events.js'
import { OriginMachine } from '../../../../src/control/coordinator/machine.js'
import { dealerOf } from '../../../../src/control/dealing/strategies.js'
import type { Frame } from '../../../../src/control/messages/types.js'

const reports = 10_000
const everyMs = 25

class Coordinator {
  readonly nodes: number
  readonly #machine: OriginMachine
  #nowMs = 0
  #sent = 0
  ticks = 0

  constructor(nodes: number) {
    this.nodes = nodes
    const links = Array.from({ length: nodes }, (_, node) => ({ address: `n${node}:1` }))
    const { connectMs, silenceMs, progressMs } = limits
    const file = { bytes: GIB, blockBytes: 64 * KIB, digestBytes: 8 }
    const dealer = dealerOf('adaptive', 'group', file.bytes, file.blockBytes, {
      origin: {},
      nodes: links.map(() => ({})),
    })
    const config = { ...file, nodes: links, connectMs, silenceMs, progressMs }
    this.#machine = new OriginMachine(config, dealer, 0)
    this.#machine.start()
    for (const node of links.keys()) {
      this.#tell({ type: 'linkOpened', node, nodeId: `id${node}` })
      this.#tell({ type: 'frameArrived', node, frame: { type: 'accept' } })
      this.#tell({ type: 'feedOpened', node })
    }
  }

  get isRunning(): boolean {
    return this.#machine.peers.every(({ phase }) => phase === 'running')
  }

  /** Milliseconds that reports of all nodes in turn took, each node every 25 ms. */
  report(): number {
    const startMs = performance.now()
    for (let i = 0; i < reports; i++) {
      const node = this.#sent++ % this.nodes
      this.#nowMs += everyMs / this.nodes
      const frame = i % 2 === 0 ? this.#backlog() : this.#progress(node)
      this.#tell({ type: 'frameArrived', node, frame })
      if ((this.#machine.deadlineMs() ?? Number.POSITIVE_INFINITY) > this.#nowMs) continue
      this.ticks++
      this.#tell({ type: 'ticked' })
    }
    return performance.now() - startMs
  }

  #backlog(): Frame {
    const counts = { landedBytes: 0, receivedBytes: 0, backlogBytes: 0 }
    return { type: 'backlog', atMs: Math.round(this.#nowMs), ...counts, behind: [] }
  }

  #progress(node: number): Frame {
    const mate = { index: (node + 1) % this.nodes, bytes: this.#sent }
    const landed = { landedBytes: this.#sent, verifiedBytes: 0, repairedBytes: 0, holeBytes: 0 }
    const moved = { sentBytes: 0, receivedBytes: this.#sent, duplicateBytes: 0 }
    const lists = { mates: [], received: [mate], pulled: [] }
    return { type: 'progress', ...landed, ...moved, ...lists }
  }

  #tell(event: OriginEvent): void {
    for (const command of this.#machine.handle(event, this.#nowMs))
      if (command.type === 'count') this.#tell({ type: 'counted', feeds: [] })
  }
}

describe('the coordinator', () => {
  it('takes a report in at the same cost at 10 and at 1,000 nodes', () => {
    const few = new Coordinator(10)
    const many = new Coordinator(1_000)
    expect([few.isRunning, many.isRunning]).toEqual([true, true])
    // The least of several: what else runs on this machine only ever adds.
    const least = (coordinator: Coordinator): number =>
      Math.min(...Array.from({ length: 5 }, () => coordinator.report()))
    const ratio = least(many) / least(few)
    expect(few.ticks * many.ticks).toBeGreaterThan(0)
    expect(ratio).toBeLessThan(3)
  })
})
