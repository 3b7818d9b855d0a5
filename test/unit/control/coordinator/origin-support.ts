/** The coordinator's machine alone; a test plays its nodes and links. */

import type { FrErrorCode } from '../../../../src/base/errors.js'
import { KIB, limits } from '../../../../src/base/limits.js'
import { blockBytesAt } from '../../../../src/base/sections.js'
import type {
  OriginConfig,
  OriginFact,
  OriginWish,
} from '../../../../src/control/coordinator/events.js'
import { Extent } from '../../../../src/control/coordinator/extent.js'
import { OriginMachine } from '../../../../src/control/coordinator/machine.js'
import { dealerOf } from '../../../../src/control/dealing/strategies.js'
import type { Geometry } from '../../../../src/control/holdings/have.js'
import type { Frame, Strategy } from '../../../../src/control/messages/types.js'
import { pushView } from '../../../../src/control/view/push-view.js'
import { originId, progressOf, sampledAt } from '../plans.js'

export const block = 64 * KIB
export const bytes = 4 * block

/** A node's word that it has published the whole file. */
export function completeFrame(bytes: number, fileDigest = 'digest'): Frame {
  return { type: 'complete', bytes, repairedBytes: 0, fileDigest, warnings: [] }
}

export interface BenchOptions extends Partial<OriginConfig & Geometry> {
  readonly strategy?: Strategy
  readonly shape?: 'group' | 'unicast' | 'chain'
  readonly groupSize?: number
  /** Bytes a second of each uplink, by the caller's word: small files are dealt at once. */
  readonly uplink?: number
}

export class Bench {
  nowMs = 0
  readonly machine: OriginMachine
  readonly dialled: OriginWish[]
  readonly #config: OriginConfig

  constructor(nodes = 2, options: BenchOptions = {}) {
    const { strategy = 'adaptive', shape = 'group', uplink = 1e9, groupSize, ...rest } = options
    const { bytes: size = bytes, blockBytes = block, ...over } = rest
    this.#config = {
      extent: new Extent(size, blockBytes),
      digestBytes: 8,
      nodes: Array.from({ length: nodes }, (_, i) => ({ address: `n${i}:1` })),
      nodeId: originId,
      connectMs: limits.reachMs,
      progressMs: limits.progressMs,
      silenceMs: limits.silenceMs,
      retries: 2,
      ...over,
    }
    const known = Array.from({ length: 8 }, () => ({ uplinkBytesPerSecond: uplink }))
    const groups = groupSize === undefined ? {} : { groupSize }
    const speeds = { nodes: () => known }
    const dealer = dealerOf(strategy, shape, size, blockBytesAt(0, blockBytes), speeds, [], groups)
    this.machine = new OriginMachine(this.#config, dealer, 0)
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

  ready(...nodes: number[]): OriginWish[] {
    return nodes.flatMap((node) => this.readyAs(node, node))
  }

  /** The attempt `node` is the node with this id. */
  readyAs(node: number, id: number): OriginWish[] {
    return this.feed(
      { type: 'linked', member: node, nodeId: `id${id}` },
      { type: 'said', member: node, frame: { type: 'accept', have: [] } },
      { type: 'fedOut', member: node },
    )
  }

  running(): this {
    this.ready(...this.machine.peers.keys())
    return this
  }

  /** Digests of these blocks; those of block i are bytes of i + 1. */
  hashed(from: number, blocks = 1): OriginWish[] {
    const blockBytes = blockBytesAt(0, this.#config.extent.blockBytes)
    const digests = digestsOf(...Array.from({ length: blocks }, (_, at) => from + at))
    const range = { offset: from * blockBytes, length: blocks * blockBytes }
    return this.feed({ type: 'hashed', part: 'file', ...range, digests })
  }

  sealed(): this {
    const { bytes, blockBytes } = this.#config.extent
    this.hashed(0, bytes / blockBytesAt(0, blockBytes))
    this.feed(
      { type: 'sourceChecked', isDoubtful: false },
      { type: 'summed', fileDigest: 'digest' },
    )
    return this
  }

  complete(node: number): OriginWish[] {
    return this.from(node, completeFrame(this.#config.extent.bytes))
  }

  /** Those who speak report each 100 ms. */
  pass(ms: number, speaking: readonly number[], landedBytes: () => number = () => 0): OriginWish[] {
    const commands: OriginWish[] = []
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 100
      for (const node of speaking)
        commands.push(...this.from(node, progressOf({ landedBytes: landedBytes() })))
      commands.push(...this.feed({ type: 'due' }))
    }
    return commands
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
      originSite: null,
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

export function digestsOf(...blocks: number[]): Uint8Array {
  return Uint8Array.from(blocks.flatMap((at) => new Array<number>(8).fill(at + 1)))
}

export const dials = (commands: readonly OriginWish[]) =>
  commands.flatMap((c) => (c.type === 'connect' ? [c.member] : []))
export const announced = (commands: readonly OriginWish[]) =>
  commands.flatMap((c) => (c.type === 'announceOutcome' ? [c.outcome] : []))
export const outcomes = (commands: readonly OriginWish[]) =>
  announced(commands).map(({ node, status, reason }) => [node, status, reason])
export const has = (commands: readonly OriginWish[], type: OriginWish['type']) =>
  commands.some((command) => command.type === type)
/** Frames of one type to one node. */
export const frames = <T extends Frame['type']>(
  commands: readonly OriginWish[],
  node: number,
  type: T,
) =>
  commands.flatMap((c) =>
    c.type === 'say' && c.member === node && c.frame.type === type
      ? [c.frame as Frame & { type: T }]
      : [],
  )
