/** Silent nodes, as the origin's machine has them: away, back, at last failed. */
import { describe, expect, it } from 'vitest'
import { limits, MIB } from '../../../../src/base/limits.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { progressOf } from '../plans.js'
import { block, frames, Bench as OriginBench, outcomes } from './origin-support.js'

/** Three nodes with equal shares, all receiving. */
class Bench extends OriginBench {
  constructor() {
    super(3, { bytes: 3 * block, strategy: 'classic', retries: 0 })
    this.running()
  }
}

/** A report of a node that has received from these mates. */
const progress = (landedBytes: number, heard: number[] = []): Frame =>
  progressOf({
    landedBytes,
    receivedBytes: landedBytes + heard.length,
    received: heard.map((member) => ({ member, bytes: 1 })),
  })

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
    expect(away).toContainEqual({ type: 'redial', member: 2 })
    expect(outcomes(away)).toEqual([])
    const detour = { member: 2, why: 'away', ranges: [[2 * block, block]] }
    for (const node of [0, 1]) expect(frames(away, node, 'detour')).toMatchObject([detour])
    const later = bench.pass(limits.silenceMs - limits.awayMs, [0, 1], () => landed++)
    expect(outcomes(later)).toEqual([['n2:1', 'failed', 'ERR_FR_NODE_SILENT: silent for 15 s']])
    expect(frames(later, 0, 'detour')).toMatchObject([{ member: 2, why: 'broken' }])
    const after = [...later, ...bench.pass(1_000, [0, 1], () => landed++)]
    expect(after.filter((c) => c.type === 'note' && c.event === 'back')).toEqual([])
  })

  it('the share of a node that is away is hashed on: the origin brings it to the others', () => {
    const share = 32 * MIB
    const options = { bytes: 3 * share, strategy: 'classic', hashAheadBytes: 8 * MIB } as const
    const bench = new OriginBench(3, { ...options, silenceMs: limits.silenceMsMax })
    let landed = 0
    const hashed = { 0: 0, 1: 0, 2: 0 } as Record<number, number>
    const hash = (commands: readonly OriginWish[]): void => {
      for (const wish of commands) {
        if (wish.type !== 'hash') continue
        const { part, offset, length } = wish
        const owner = Math.floor(offset / share)
        hashed[owner] = (hashed[owner] ?? 0) + length
        const digests = new Uint8Array((length / block) * 8)
        hash(bench.feed({ type: 'hashed', part, offset, length, digests }))
      }
    }
    hash(bench.ready(0, 1, 2))
    // Nothing is sent here, so hashing is as far ahead of it as it may be.
    expect(hashed).toEqual({ 0: 8 * MIB, 1: 8 * MIB, 2: 8 * MIB })
    hash(bench.pass(limits.awayMs, [0, 1], () => landed++))
    expect(hashed).toEqual({ 0: 8 * MIB, 1: 8 * MIB, 2: share })
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
