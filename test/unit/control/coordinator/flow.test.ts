/** What people are told of a push under way: shares, queues, rates, the end, the bound. */
import { describe, expect, it } from 'vitest'
import { GIB, KIB, MIB } from '../../../../src/base/limits.js'
import { DealtRelay } from '../../../../src/control/dealing/relay-queue.js'
import { UnicastDealer } from '../../../../src/control/dealing/unicast.js'
import { ObservedRate } from '../../../../src/control/members/observed.js'
import type { Peer } from '../../../../src/control/members/peer.js'
import { relayRates } from '../../../../src/control/plan/plan.js'
import { pushView, resultView } from '../../../../src/control/view/push-view.js'
import { bytesOf, DealerBench, report, to } from '../dealing/dealer-bench.js'
import { adaptiveDealer, classicDealer } from '../dealing/dealers.js'
import { FluidPush } from './flow-support.js'

const factsOf = (push: FluidPush, bytes: number) => (seconds: number) => ({
  transfer: 't',
  bytes,
  dataBytes: bytes,
  seconds,
  boundSeconds: null,
  warnings: [],
  originBytesSent: push.nodes.reduce((sum, node) => sum + node.receivedBytes, 0),
  originSite: null,
})
const resultOf = (push: FluidPush, bytes: number) =>
  resultView(push.machine, push.outcomes, factsOf(push, bytes))
const viewOf = (push: FluidPush, bytes: number) =>
  pushView(push.machine, factsOf(push, bytes)(push.nowMs / 1000))
const sumOf = (shares: readonly { dealtBytes: number }[]) =>
  shares.reduce((sum, share) => sum + share.dealtBytes, 0)

describe('an observed rate', () => {
  it('is that of the best half second', () => {
    const rate = new ObservedRate()
    for (let ms = 0; ms <= 1_000; ms += 50) rate.add(ms * 10, ms)
    expect(rate).toMatchObject({ recent: 10_000, highest: 10_000 })
    for (let ms = 1_050; ms <= 2_000; ms += 50) rate.add(10_000 + (ms - 1_000) * 30, ms)
    expect(rate).toMatchObject({ recent: 30_000, highest: 30_000 })
    for (let ms = 2_050; ms <= 4_000; ms += 50) rate.add(40_000, ms)
    expect(rate).toMatchObject({ recent: 0, highest: 30_000 })
  })

  it('is never below the mean of the whole time, whatever falls between two windows', () => {
    const rate = new ObservedRate()
    rate.add(0, 0)
    rate.add(300_000, 50)
    rate.add(300_000, 549)
    rate.add(300_000, 590)
    // Right behind another look: the last word counts all the same.
    rate.add(600_000, 600)
    expect(rate.highest).toBe(1_000_000)
  })

  it('counts what had gone before a first look that came late', () => {
    const rate = new ObservedRate()
    rate.add(400_000, 100)
    rate.add(500_000, 600)
    expect(rate).toMatchObject({ recent: 200_000, highest: 1_000_000 })
  })

  it('needs half a second, and takes neither a burst nor the rest after it for one', () => {
    const rate = new ObservedRate()
    rate.add(0, 0)
    rate.add(1_000_000, 100)
    expect(rate).toMatchObject({ recent: 10_000_000, highest: null })
    rate.add(1_000_000, 500)
    expect(rate).toMatchObject({ recent: 2_000_000, highest: null })
    rate.add(2_000_000, 800)
    expect(rate.highest).toBe(2_500_000)
  })

  it('hears nothing in a look from before the last one: a clock does not go back', () => {
    const rate = new ObservedRate()
    rate.add(0, 1_000)
    rate.add(1_000, 2_000)
    rate.add(9_000, 500)
    expect(rate).toMatchObject({ recent: 1_000, highest: 1_000 })
  })

  it('takes no step back for a rate, and nothing for one that never moved', () => {
    const rate = new ObservedRate()
    rate.add(1_000, 0)
    rate.add(0, 600)
    expect(rate).toMatchObject({ recent: 0, highest: null })
  })
})

describe('the shares of a result', () => {
  it('follow the uplinks, and with the direct bytes are the file', () => {
    const bytes = 64 * MIB
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 20_000, [15_000, 15_000, 3_000])
    push.run()
    const result = resultOf(push, bytes)
    expect(result.nodes.map((node) => node.status)).toEqual(Array(3).fill('complete'))
    expect(sumOf(result.shares) + result.directBytes).toBe(bytes)
    expect(result.resentBytes).toBe(0)
    const [fast = 0, , slow = 0] = result.shares.map((share) => share.dealtBytes)
    expect(fast / slow).toBeGreaterThan(2)
  })

  it('know what the origin sent to everybody', () => {
    const bytes = 64 * MIB
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 40_000, [5_000, 5_000])
    push.run()
    const result = resultOf(push, bytes)
    expect(result.directBytes).toBeGreaterThan(bytes / 8)
    expect(sumOf(result.shares) + result.directBytes).toBe(bytes)
    const direct = push.sends.filter((send) => send.why === 'everybody')
    expect(bytesOf(direct)).toBe(2 * result.directBytes)
  })

  it('are less what was taken back from a node that died', () => {
    const bytes = 64 * MIB
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 20_000, [9_000, 9_000, 9_000])
    push.run(1_500)
    const before = viewOf(push, bytes).nodes[1]?.dealtBytes as number
    push.kill(1)
    // What it had forwarded, its mates hold.
    push.run(200)
    const view = viewOf(push, bytes)
    expect(view.nodes[1]).toMatchObject({ state: 'failed', queueBytes: null })
    expect(view.nodes[1]?.dealtBytes).toBeLessThan(before)
    expect(view.nodes[1]?.dealtBytes).toBeGreaterThan(0)
    push.run()
    const result = resultOf(push, bytes)
    expect(result.nodes.map((node) => node.status)).toEqual(['complete', 'failed', 'complete'])
    expect(sumOf(result.shares) + result.directBytes).toBe(bytes)
    // The dead count neither in what has landed nor in what is to land.
    const ended = viewOf(push, bytes)
    expect(ended).toMatchObject({ landedBytes: 2 * bytes, totalBytes: 2 * bytes, share: 1 })
  })

  it('are equal for the equal split, and none for unicast', () => {
    const bytes = 48 * MIB
    const classic = new FluidPush(bytes, classicDealer(bytes, 64 * KIB), 20_000, [9_000, 9_000])
    classic.run()
    expect(resultOf(classic, bytes)).toMatchObject({
      shares: [{ dealtBytes: 24 * MIB }, { dealtBytes: 24 * MIB }],
      directBytes: 0,
    })
    const unicast = new FluidPush(bytes, new UnicastDealer('adaptive', bytes), 20_000, [1, 1])
    unicast.run()
    expect(resultOf(unicast, bytes)).toMatchObject({
      shares: [
        { dealtBytes: 0, relayedBytes: 0 },
        { dealtBytes: 0, relayedBytes: 0 },
      ],
      directBytes: bytes,
    })
  })

  it('leave out what is sent again', () => {
    const bytes = 48 * MIB
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 20_000, [9_000, 9_000])
    push.run(500)
    const ranges = [[0, 64 * KIB]] as const
    push.from(0, { type: 'need', scratch: true, ranges })
    push.run()
    const result = resultOf(push, bytes)
    expect(result.resentBytes).toBe(64 * KIB)
    expect(sumOf(result.shares) + result.directBytes).toBe(bytes)
  })
})

describe('what was relayed', () => {
  it('is what mates received, whatever was dealt', () => {
    const bytes = 48 * MIB
    const push = new FluidPush(bytes, classicDealer(bytes, 64 * KIB), 20_000, [9_000, 9_000])
    push.run()
    const result = resultOf(push, bytes)
    expect(result.shares).toEqual(
      [0, 1].map((node) => ({
        node: `n${node}:1`,
        dealtBytes: 24 * MIB,
        relayedBytes: 24 * MIB,
        relayedShare: 0.25,
      })),
    )
    expect(result.originShare).toBe(0.5)
    expect(result.nodes).toMatchObject([
      { receivedBytes: bytes, duplicateBytes: 0, holeBytes: 0 },
      { receivedBytes: bytes, duplicateBytes: 0, holeBytes: 0 },
    ])
  })

  it('is nothing where nobody could reach a mate, although all was dealt', () => {
    const bytes = 512 * KIB
    const push = new FluidPush(bytes, classicDealer(bytes, 64 * KIB), 20_000, [0, 0])
    push.run(2_000)
    for (const [index, node] of push.nodes.entries()) {
      // The other half, from the origin after all.
      node.receivedBytes = bytes
      node.listed.splice(0)
      expect(viewOf(push, bytes).nodes[index]?.dealtBytes).toBe(bytes / 2)
    }
    push.run()
    const result = resultOf(push, bytes)
    expect(result.nodes.map((node) => node.status)).toEqual(['complete', 'complete'])
    expect(result.originShare).toBe(1)
    expect(result.shares).toMatchObject([
      { dealtBytes: bytes / 2, relayedBytes: 0, relayedShare: 0 },
      { dealtBytes: bytes / 2, relayedBytes: 0, relayedShare: 0 },
    ])
  })
})

describe('an efficiency', () => {
  const bytes = 64 * MIB
  const ended = (() => {
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 20_000, [15_000, 15_000])
    push.run()
    return push
  })()
  const withBound = (boundSeconds: number) =>
    resultView(ended.machine, ended.outcomes, (seconds) => ({
      ...factsOf(ended, bytes)(seconds),
      boundSeconds,
    }))

  it('above 1 is none: the bound is wrong, and a warning says so', () => {
    const { seconds } = withBound(1)
    const wrong = withBound(seconds * 1.01)
    expect(wrong.boundSeconds).toBe(seconds * 1.01)
    expect(wrong.efficiency).toBeNull()
    expect(wrong.warnings).toEqual([
      `the bound from configured link speeds is wrong: ${(seconds * 1.01).toFixed(3)} s, ` +
        `and the push took ${seconds.toFixed(3)} s`,
    ])
    expect(withBound(seconds)).toMatchObject({ efficiency: 1, warnings: [] })
  })

  it('under way is that of the part the slowest living node has, or none', () => {
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 20_000, [15_000, 15_000])
    push.run(1_000)
    const facts = factsOf(push, bytes)(1)
    const least = Math.min(...push.machine.peers.map((peer) => peer.counts.landedBytes)) / bytes
    const efficiencyAt = (boundSeconds: number) =>
      pushView(push.machine, { ...facts, boundSeconds }).efficiency
    expect(efficiencyAt(1)).toBeCloseTo(least)
    expect(efficiencyAt(1.01 / least)).toBeNull()
  })

  it('goes by data where the file has holes', () => {
    const data = { dataBytes: bytes / 4 }
    const whole = resultOf(ended, bytes).observedBoundSeconds as number
    const result = resultView(ended.machine, ended.outcomes, (seconds) => ({
      ...factsOf(ended, bytes)(seconds),
      ...data,
    }))
    expect(result).toMatchObject({ bytes, ...data, observedBoundSeconds: whole / 4 })
    // Which of its data a node has is not known before the end.
    const facts = { ...factsOf(ended, bytes)(9), ...data, boundSeconds: 1 }
    expect(pushView(ended.machine, facts).efficiency).toBeNull()
  })
})

describe('the observed bound', () => {
  it('is the file at the rate of the origin that was seen, where that is the limit', () => {
    const bytes = 64 * MIB
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 20_000, [15_000, 15_000, 15_000])
    push.run()
    const result = resultOf(push, bytes)
    expect(result).toMatchObject({ boundSeconds: null, efficiency: null, boundFrom: 'observed' })
    const seconds = bytes / 20_000_000
    expect(result.observedBoundSeconds).toBeGreaterThan(seconds * 0.95)
    expect(result.observedBoundSeconds).toBeLessThan(seconds * 1.05)
    expect(result.observedEfficiency).toBeGreaterThan(0.85)
    expect(result.observedEfficiency).toBeLessThan(1.02)
  })

  it('is not guessed for what is over in no time', () => {
    const bytes = 2 * MIB
    const push = new FluidPush(bytes, new UnicastDealer('adaptive', bytes), 20_000, [1, 1])
    push.run()
    expect(push.nowMs).toBeLessThan(500)
    expect(resultOf(push, bytes)).toMatchObject({
      boundFrom: null,
      observedBoundSeconds: null,
      observedEfficiency: null,
    })
  })

  it('is not that of nodes that held a part before', () => {
    const bytes = 64 * MIB
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 20_000, [15_000, 15_000])
    push.run()
    const [peer] = push.machine.peers
    ;(peer as Peer).had.accepts([[0, MIB]])
    const facts = { observedBoundSeconds: null, efficiency: null, observedEfficiency: null }
    expect(resultOf(push, bytes)).toMatchObject({ ...facts, boundFrom: null, warnings: [] })
  })

  it('is not made of what came after the last node was complete', () => {
    const bytes = 64 * MIB
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 20_000, [15_000, 15_000])
    push.run()
    const { flow } = push.machine
    expect(flow.observedBoundSeconds(bytes, 0.5)).toBeGreaterThan(0)
    expect(flow.observedBoundSeconds(bytes, 0.49)).toBeNull()
  })

  it('stands beside the configured one, which comes first', () => {
    const bytes = 64 * MIB
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 20_000, [15_000, 15_000])
    push.run()
    const facts = factsOf(push, bytes)
    const result = resultView(push.machine, push.outcomes, (seconds) => ({
      ...facts(seconds),
      boundSeconds: 3,
    }))
    expect(result).toMatchObject({ boundSeconds: 3, boundFrom: 'configured' })
    expect(result.efficiency).toBeCloseTo(3 / result.seconds)
    expect(result.observedBoundSeconds).toBeGreaterThan(3)
  })
})

describe('the view of a push under way', () => {
  it('shows rates, shares and queues', () => {
    const bytes = 64 * MIB
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 20_000, [15_000, 15_000])
    push.run(2_000)
    const view = viewOf(push, bytes)
    for (const node of view.nodes) {
      expect(node.rateBytesPerSecond).toBeGreaterThan(15e6)
      expect(node.rateBytesPerSecond).toBeLessThan(22e6)
      expect(node.rateOutBytesPerSecond).toBeGreaterThan(8e6)
      expect(node.rateOutBytesPerSecond).toBeLessThan(12e6)
      expect(node.queueBytes).toBeGreaterThan(0)
      expect(node.queueBytes).toBeLessThan(8 * MIB)
      expect(node.isLagging).toBe(false)
    }
    // Of the two copies the origin sends one, and the nodes the other, to each other.
    const relayed = view.nodes.reduce((sum, node) => sum + node.relayedShare, 0)
    expect(relayed).toBeGreaterThan(0.45)
    expect(relayed).toBeLessThan(0.55)
    const landed = view.nodes.reduce((sum, node) => sum + node.landedBytes, 0)
    expect(view).toMatchObject({ landedBytes: landed, totalBytes: 2 * bytes })
    expect(view.share).toBe(landed / (2 * bytes))
  })

  it('predicts no end before the origin can have sent all', () => {
    const bytes = 64 * MIB
    const push = new FluidPush(bytes, adaptiveDealer(bytes), 20_000, [15_000, 15_000])
    push.run(1_000)
    const left = (bytes - 20_000 * push.nowMs) / 20e6
    for (const { etaSeconds } of viewOf(push, bytes).nodes) {
      expect(etaSeconds).toBeGreaterThan(left * 0.9)
      expect(etaSeconds).toBeLessThan(left * 1.3)
    }
    // A node far ahead of the others still waits for the origin's last byte.
    const sent = push.machine.flow.secondsLeft
    expect(sent).toBeGreaterThan(left * 0.9)
    push.from(0, {
      type: 'progress',
      atMs: push.nowMs,
      landedBytes: bytes - 1,
      verifiedBytes: 0,
      repairedBytes: 0,
      sentBytes: 0,
      mates: [],
      holeBytes: 0,
      receivedBytes: 0,
      duplicateBytes: 0,
      received: [],
      pulled: [],
    })
    expect(viewOf(push, bytes).nodes[0]?.etaSeconds).toBeCloseTo(sent)
  })

  it('knows no queue for unicast', () => {
    const bytes = 64 * MIB
    const unicast = new FluidPush(bytes, new UnicastDealer('adaptive', bytes), 20_000, [1, 1])
    unicast.run(100)
    expect(viewOf(unicast, bytes).nodes[0]).toMatchObject({ queueBytes: null, relayedBytes: 0 })
  })

  it('knows nothing before the plan', () => {
    const push = new FluidPush(MIB, adaptiveDealer(MIB), 0, [0])
    expect(viewOf(push, MIB).nodes[0]).toMatchObject({
      rateBytesPerSecond: 0,
      rateOutBytesPerSecond: 0,
      etaSeconds: null,
    })
  })
})

describe('configured uplinks', () => {
  it('are divided by the mates, and bounded by the own downlink and the origin', () => {
    const up = (uplinkBytesPerSecond: number) => ({ uplinkBytesPerSecond })
    expect([...relayRates({}, [up(30), up(60), {}, up(90)])]).toEqual([
      [0, 10],
      [1, 20],
      [3, 30],
    ])
    const slow = { uplinkBytesPerSecond: 90, downlinkBytesPerSecond: 5 }
    expect([...relayRates({}, [slow, {}])]).toEqual([[0, 5]])
    expect([...relayRates(up(15), [up(20), up(40), {}])]).toEqual([
      [0, 5],
      [1, 10],
    ])
    expect([...relayRates({}, [up(20)])]).toEqual([])
    expect([...relayRates(up(1), [{}, {}])]).toEqual([])
  })

  it('give the first windows their size, and nothing else changes', () => {
    const start = (rates?: ReadonlyMap<number, number>) => {
      const bench = new DealerBench(GIB, 3, 0, adaptiveDealer(GIB, rates))
      const sends = bench.start()
      return [0, 1, 2].map((node) => bytesOf(to(sends, node)))
    }
    const [plain = 0] = start()
    expect(start(new Map())).toEqual([plain, plain, plain])
    const [fast = 0, slow = 0, unknown = 0] = start(
      new Map([
        [0, 12_000_000],
        [1, 1_000],
      ]),
    )
    expect(fast).toBeGreaterThan(1_500_000)
    expect(fast).toBeLessThanOrEqual(1_800_000)
    expect([slow, unknown].every((bytes) => bytes > 0 && bytes <= plain)).toBe(true)
  })

  it('cost at most a window of 4 MiB where they are absurd, and reports win', () => {
    const relay = new DealtRelay(0, 0, 1e15)
    expect(relay.window).toBeCloseTo(4 * MIB)
    let listed = 0
    for (let ms = 25; ms <= 3_000; ms += 25) {
      for (; relay.hasRoom(10) && listed < 16 * MIB; listed += relay.unitBytes)
        relay.deal(listed, relay.unitBytes, ms)
      relay.counted({ queuedBytes: 0, sentBytes: listed }, 0)
      relay.reported(report(listed, listed - 1_000 * ms, ms), ms)
    }
    expect(relay.rate).toBeLessThan(1_200_000)
  })
})
