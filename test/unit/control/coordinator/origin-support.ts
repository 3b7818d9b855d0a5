/** The machine of an origin by itself: what its nodes and its links tell it is the test's. */
import type { FrErrorCode } from '../../../../src/base/errors.js'
import { KIB, limits } from '../../../../src/base/limits.js'
import type {
  OriginConfig,
  OriginFact,
  OriginWish,
} from '../../../../src/control/coordinator/events.js'
import { OriginMachine } from '../../../../src/control/coordinator/machine.js'
import { dealerOf } from '../../../../src/control/dealing/strategies.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { pushView } from '../../../../src/control/view/push-view.js'
import { sampledAt } from '../plans.js'

export const block = 64 * KIB
export const bytes = 4 * block

export class Bench {
  nowMs = 0
  readonly machine: OriginMachine
  readonly dialled: OriginWish[]

  constructor(nodes = 2, over: Partial<OriginConfig> = {}) {
    const config = {
      bytes,
      blockBytes: block,
      digestBytes: 8,
      nodes: Array.from({ length: nodes }, (_, i) => ({ address: `n${i}:1` })),
      nodeId: 'f'.repeat(32),
      connectMs: limits.reachMs,
      progressMs: limits.progressMs,
      silenceMs: limits.silenceMs,
      retries: 2,
      ...over,
    }
    this.machine = new OriginMachine(config, dealerOf('adaptive', 'group', bytes, block), 0)
    this.dialled = this.machine.start()
  }

  feed(...events: OriginFact[]): OriginWish[] {
    return events.flatMap((event) => this.machine.handle(event, this.nowMs))
  }

  from(node: number, ...frames: Frame[]): OriginWish[] {
    return frames.flatMap((frame) => this.feed({ type: 'said', member: node, frame }))
  }

  lost(node: number, code: FrErrorCode = 'ERR_FR_NODE_LOST'): OriginWish[] {
    return this.feed({ type: 'unlinked', member: node, code, text: 'reset' })
  }

  ready(node: number, id = node): OriginWish[] {
    return this.feed(
      { type: 'linked', member: node, nodeId: `id${id}` },
      { type: 'said', member: node, frame: { type: 'accept', have: [] } },
      { type: 'fedOut', member: node },
    )
  }

  sealed(): this {
    this.feed({
      type: 'hashed',
      part: 'file',
      offset: 0,
      length: bytes,
      digests: new Uint8Array(32),
    })
    this.feed(
      { type: 'sourceChecked', isDoubtful: false },
      { type: 'summed', fileDigest: 'digest' },
    )
    return this
  }

  complete(node: number): OriginWish[] {
    return this.from(node, {
      type: 'complete',
      bytes,
      repairedBytes: 0,
      fileDigest: 'digest',
      warnings: [],
    })
  }

  /** Goes to the machine's deadlines until it wishes one of these. */
  until(type: OriginWish['type'], withinMs = 60_000): OriginWish[] {
    const commands: OriginWish[] = []
    for (const endMs = this.nowMs + withinMs; !commands.some((c) => c.type === type); ) {
      const dueMs = this.machine.deadlineMs()
      if (dueMs === null || dueMs > endMs) throw new Error(`no ${type} until ${endMs}`)
      this.nowMs = Math.max(this.nowMs + 1, dueMs)
      commands.push(...this.feed({ type: 'due' }, sampledAt(this.nowMs)))
    }
    return commands
  }

  get facts() {
    return {
      transfer: '',
      bytes,
      dataBytes: bytes,
      seconds: 1,
      boundSeconds: null,
      originBytesSent: 0,
      warnings: [],
    }
  }

  get states() {
    return pushView(this.machine, this.facts).nodes.map(({ state, waitsFor }) => [state, waitsFor])
  }

  get outcomes() {
    const last = new Map(this.machine.peers.map((peer) => [peer.link.address, peer]))
    return [...last.values()].flatMap(({ outcome }) => outcome ?? [])
  }
}

export const dials = (commands: OriginWish[]) =>
  commands.flatMap((c) => (c.type === 'connect' ? [c.member] : []))
export const announced = (commands: OriginWish[]) =>
  commands.flatMap((c) => (c.type === 'announceOutcome' ? [c.outcome] : []))
