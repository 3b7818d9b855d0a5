/** Silent nodes, as the origin's machine has them: away, back, at last failed. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { OriginFact, OriginWish } from '../../../../src/control/coordinator/events.js'
import { OriginMachine } from '../../../../src/control/coordinator/machine.js'
import { ClassicDealer } from '../../../../src/control/dealing/classic.js'
import type { Frame } from '../../../../src/control/messages/types.js'

const block = 65_536
const bytes = 3 * block
const progress = (landedBytes: number, heard: number[] = []): Frame => {
  const counts = { landedBytes, verifiedBytes: 0, repairedBytes: 0, sentBytes: 0 }
  const came = { holeBytes: 0, receivedBytes: landedBytes + heard.length, duplicateBytes: 0 }
  const received = heard.map((index) => ({ index, bytes: 1 }))
  return { type: 'progress', atMs: 0, ...counts, ...came, mates: [], received, pulled: [] }
}

/** Three nodes with equal shares, all receiving. */
class Bench {
  nowMs = 0
  readonly machine: OriginMachine

  constructor() {
    const { connectMs, progressMs, silenceMs } = limits
    const nodes = [0, 1, 2].map((i) => ({ address: `n${i}:1` }))
    const times = { nodeId: 'f'.repeat(32), connectMs, progressMs, silenceMs }
    const config = { bytes, blockBytes: block, digestBytes: 8, nodes, ...times }
    this.machine = new OriginMachine(config, new ClassicDealer(bytes, block), 0)
    for (const node of [0, 1, 2]) {
      this.feed({ type: 'linked', member: node, nodeId: `id${node}` })
      this.from(node, { type: 'accept', have: [] })
      this.feed({ type: 'fedOut', member: node })
    }
  }

  feed(...events: OriginFact[]): OriginWish[] {
    return events.flatMap((event) => this.machine.handle(event, this.nowMs))
  }

  from(node: number, frame: Frame): OriginWish[] {
    return this.feed({ type: 'said', member: node, frame })
  }

  /** Those who speak report each 100 ms. */
  pass(ms: number, speaking: readonly number[], landedBytes: () => number = () => 0) {
    const commands: OriginWish[] = []
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 100
      for (const node of speaking) commands.push(...this.from(node, progress(landedBytes())))
      commands.push(...this.feed({ type: 'due' }))
    }
    return commands
  }
}

const frames = (commands: OriginWish[], node: number, type: Frame['type']) =>
  commands.flatMap((c) =>
    c.type === 'say' && c.member === node && c.frame.type === type ? [c.frame] : [],
  )
const outcomes = (commands: OriginWish[]) =>
  commands.flatMap((c) =>
    c.type === 'announceOutcome' ? [[c.outcome.node, c.outcome.status, c.outcome.reason]] : [],
  )

describe('silence', () => {
  it('makes a node suspected, then away and dealt around, at last failed', () => {
    const bench = new Bench()
    let landed = 0
    const away = bench.pass(limits.awayMs, [0, 1], () => landed++)
    const logged = away.flatMap((c) => (c.type === 'note' ? [[c.event, c.member]] : []))
    expect(logged).toEqual([
      ['suspected', 2],
      ['away', 2],
    ])
    expect(outcomes(away)).toEqual([])
    const detour = { member: 2, why: 'away', ranges: [[2 * block, block]] }
    for (const node of [0, 1]) expect(frames(away, node, 'detour')).toMatchObject([detour])
    const later = bench.pass(limits.silenceMs - limits.awayMs, [0, 1], () => landed++)
    expect(outcomes(later)).toEqual([['n2:1', 'failed', 'ERR_FR_NODE_SILENT: silent for 15 s']])
    expect(frames(later, 0, 'detour')).toMatchObject([{ member: 2, why: 'broken' }])
  })

  it('a node that speaks again goes on: it stands still from then on, not from before', () => {
    const bench = new Bench()
    let landed = 0
    bench.pass(limits.silenceMs - 200, [0, 1], () => landed++)
    const back = bench.pass(limits.stallMs - limits.awayMs, [0, 1, 2], () => landed++)
    expect(back).toContainEqual(expect.objectContaining({ type: 'note', event: 'back', member: 2 }))
    expect(outcomes(back)).toEqual([])
  })

  it('all silent: nobody is dealt around, and all fail when silence ends', () => {
    const bench = new Bench()
    const commands = bench.pass(limits.silenceMs - 100, [])
    for (const node of [0, 1, 2]) expect(frames(commands, node, 'detour')).toEqual([])
    expect(outcomes(commands)).toEqual([])
    expect(outcomes(bench.pass(100, []))).toHaveLength(3)
  })

  it('a node whose own word is stuck lives as long as mates hear of it, for a while', () => {
    let landed = 0
    const awayAfterMs = (heard: number[]): number => {
      const bench = new Bench()
      for (;;) {
        bench.nowMs += 100
        const said = bench.from(0, progress(++landed, heard))
        const commands = [...said, ...bench.from(1, progress(landed))]
        commands.push(...bench.feed({ type: 'due' }))
        if (frames(commands, 0, 'detour').length > 0) return bench.nowMs
      }
    }
    expect(awayAfterMs([2])).toBeGreaterThan(2 * limits.awayMs)
    // A word about itself, or of a place that nobody has, is nobody's.
    expect(awayAfterMs([0, 63])).toBe(limits.awayMs)
  })
})
