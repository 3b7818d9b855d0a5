import { beforeEach, describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { SwarmAnswer, SwarmPeer } from '../../../../src/control/messages/swarming.js'
import { Pull, type PullWish } from '../../../../src/control/swarm/pull.js'
import { UnitSet } from '../../../../src/control/swarm/units.js'

const count = 8
const order = Array.from({ length: count }, (_, unit) => unit)
const whole: [number, number][] = [[0, count]]

function peer(nodeId: string, site: string): SwarmPeer {
  return { nodeId, address: `${nodeId}:1`, site }
}

const [self, mate, far] = [peer('me', 'a'), peer('mate', 'a'), peer('far', 'b')]
const initiator = peer('first', 'c')

function answer(more: Partial<SwarmAnswer> = {}): SwarmAnswer {
  const nothing = { have: [], coming: [], grants: [], others: [] }
  return { ...nothing, open: 0, serviceMs: 0, againMs: limits.swarmAgainMs, ...more }
}

function asksOf(wishes: readonly PullWish[]) {
  return wishes.flatMap((wish) =>
    wish.type === 'ask' ? [{ ...wish.ask, to: wish.to.nodeId }] : [],
  )
}

function ordersOf(wishes: readonly PullWish[]) {
  return wishes.flatMap((wish) => (wish.type === 'order' ? [wish] : []))
}

describe('a pull', () => {
  let pull: Pull
  beforeEach(() => {
    const spec = { contentId: 'c', count, order, self, initiator }
    pull = new Pull(spec, new UnitSet(count), 0)
  })

  it('asks the initiator, takes what it is given, tells it, and is complete', () => {
    const [first] = asksOf(pull.due(0))
    expect(first).toMatchObject({ to: 'first', most: limits.swarmOrders, address: 'me:1' })
    expect([...(first?.wants ?? [])].sort()).toEqual(order)
    pull.answered('first', answer({ have: whole, grants: [3, 4, 6] }), 1, 1)
    const wishes = pull.due(1)
    expect(ordersOf(wishes)).toEqual(
      [3, 4, 6].map((unit, at) => {
        return { type: 'order', order: at, first: unit, count: 1, from: initiator }
      }),
    )
    // It is asked again with the first of these that has come, and then at once.
    expect(asksOf(wishes)).toEqual([])
    pull.ended(0, true, 2)
    const coming = [
      [4, 1],
      [6, 1],
    ]
    const again = { to: 'first', have: [[3, 1]], coming, most: limits.swarmOrders - 2 }
    expect(asksOf(pull.due(2))).toMatchObject([again])
    pull.answered('first', answer({ have: whole, grants: [0, 1, 2, 5, 7] }), 1, 2)
    pull.due(2)
    for (let each = 1; each < 8; each++) pull.ended(each, true, 3)
    expect(pull.isComplete).toBe(true)
    const last = asksOf(pull.due(3))
    expect(last).toMatchObject([{ to: 'first', have: whole, wants: [], most: 0 }])
    pull.answered('first', answer(), 1, 4)
    expect(pull.due(4)).toEqual([])
    expect(pull.nextMs(4)).toBe(Number.POSITIVE_INFINITY)
  })

  it('takes no unit twice, whoever gives it', () => {
    pull.met(mate, 0)
    expect(asksOf(pull.due(0)).map(({ to }) => to)).toEqual(['first', 'mate'])
    pull.answered('first', answer({ have: whole, grants: [1, 1, 99] }), 1, 1)
    pull.answered('mate', answer({ have: [[1, 1]], grants: [1] }), 1, 1)
    expect(ordersOf(pull.due(1))).toHaveLength(1)
  })

  it('asks outside its site for nothing that a mate has or gets', () => {
    pull.met(mate, 0)
    pull.met(far, 0)
    pull.due(0)
    pull.answered('mate', answer({ have: [[0, 2]], coming: [[2, 3]] }), 1, 1)
    pull.answered('far', answer({ have: whole }), 20, 1)
    pull.answered('first', answer({ have: whole }), 20, 1)
    const asks = asksOf(pull.due(500))
    const of = (name: string) => asks.find(({ to }) => to === name)?.wants ?? []
    expect([...of('mate')].sort()).toEqual([0, 1])
    const outside = new Set([...of('far'), ...of('first')])
    // Some of what nobody in the site has is the mate's to bring.
    expect([...outside].every((unit) => unit > 4)).toBe(true)
  })

  it('takes what it needs from anybody when nothing comes', () => {
    pull.met(mate, 0)
    pull.due(0)
    pull.answered('mate', answer({ coming: whole }), 1, 1)
    pull.answered('first', answer({ have: whole }), 20, 1)
    expect(asksOf(pull.due(1_000)).find(({ to }) => to === 'first')?.wants).toEqual([])
    pull.answered('first', answer({ have: whole }), 20, 1_001)
    const late = asksOf(pull.due(limits.swarmPatienceMs + 500))
    expect(late.find(({ to }) => to === 'first')).toMatchObject({ isStuck: true })
    expect(late.find(({ to }) => to === 'first')?.wants).toHaveLength(count)
  })

  it('asks again for what did not come, and forgets a holder that fails again and again', () => {
    pull.met(mate, 0)
    let nowMs = 0
    for (let each = 0; each < limits.swarmFailures; each++) {
      expect(asksOf(pull.due(nowMs)).map(({ to }) => to)).toContain('mate')
      pull.unanswered('mate', nowMs)
      pull.unanswered('first', nowMs)
      nowMs += 60_000
    }
    const asked = asksOf(pull.due(nowMs)).map(({ to }) => to)
    expect(asked).toEqual(['first'])
    pull.answered('first', answer({ have: whole, grants: [0] }), 1, nowMs)
    const [first] = ordersOf(pull.due(nowMs))
    pull.ended(first?.order ?? -1, false, nowMs)
    expect(pull.coming.size).toBe(0)
    pull.unanswered('first', nowMs)
    expect(asksOf(pull.due(nowMs + 10_000))[0]?.wants).toContain(0)
  })

  it('wants the rarest of the next units first, and later ones behind them', () => {
    const many = 3 * limits.swarmWindow
    const all = Array.from({ length: many }, (_, unit) => unit)
    const spec = { contentId: 'c', count: many, order: all, self, initiator: mate }
    const long = new Pull(spec, new UnitSet(many), 0)
    long.met({ ...far, site: 'a' }, 0)
    long.due(0)
    // All of the window but one is at two holders.
    const rare = 5
    const others: [number, number][] = [
      [0, rare],
      [rare + 1, many],
    ]
    long.answered('far', answer({ have: others }), 1, 1)
    long.answered('mate', answer({ have: [[0, many]] }), 1, 1)
    const [first] = asksOf(long.due(1_000)).filter(({ to }) => to === 'mate')
    const wants = first?.wants ?? []
    expect(wants[0]).toBe(rare)
    const isNext = (unit: number): boolean => unit < limits.swarmWindow
    expect(wants.slice(0, limits.swarmWindow).every(isNext)).toBe(true)
    expect(wants.slice(limits.swarmWindow).some(isNext)).toBe(false)
  })

  describe('that is played', () => {
    const many = 40
    const all = Array.from({ length: many }, (_, unit) => unit)
    const had: [number, number][] = [[0, many]]
    const stopsOf = (wishes: readonly PullWish[]) =>
      wishes.flatMap((wish) => (wish.type === 'stop' ? [wish.order] : []))
    let played: Pull
    beforeEach(() => {
      const spec = { contentId: 'c', count: many, order: all, index: [39], self, initiator }
      played = new Pull(spec, new UnitSet(many), 0)
    })

    it('asks for the index and what comes next alone, of whoever has it', () => {
      played.met(mate, 0)
      played.met(far, 0)
      played.played(1, [20, 21, 22], 0)
      const asks = asksOf(played.due(0))
      expect(asks).not.toEqual([])
      for (const { wants, isStuck } of asks) {
        expect(wants).toEqual([39, 20, 21, 22])
        expect(isStuck).toBe(true)
      }
    })

    it('lets go of what can wait, goes on with the rest, and then with all else', () => {
      played.due(0)
      played.answered('first', answer({ have: had, grants: [5, 20, 7] }), 1, 1)
      expect(ordersOf(played.due(1)).map(({ first }) => first)).toEqual([5, 20, 7])
      played.played(1, [20, 21, 22], 2)
      const wishes = played.due(2)
      // Its holder would send the others first.
      expect(stopsOf(wishes)).toEqual([0, 1, 2])
      expect(asksOf(wishes)).toMatchObject([{ wants: [39, 20, 21, 22], coming: [] }])
      // What was stopped is over: nobody counts it, and it may be given again.
      played.ended(0, true, 3)
      expect(played.have.has(5)).toBe(false)
      played.answered('first', answer({ have: had, grants: [39, 20, 21, 22] }), 1, 3)
      const ordered = ordersOf(played.due(3)).map(({ first }) => first)
      expect(ordered).toEqual([39, 20, 21, 22])
      // All of the window is under way: nothing takes its place.
      for (const order of [3, 4]) played.ended(order, true, 4)
      for (const { wants } of asksOf(played.due(4))) expect(wants).toEqual([])
      for (const order of [5, 6]) played.ended(order, true, 5)
      played.answered('first', answer({ have: had }), 1, 5)
      const later = asksOf(played.due(3_000))
      expect(later[0]?.wants.length).toBeGreaterThan(20)
    })

    it('has a window that moves, and ends with its player', () => {
      const wants = (nowMs: number) => {
        const [ask] = asksOf(played.due(nowMs))
        played.answered('first', answer({ have: had }), 1, nowMs)
        return ask?.wants
      }
      played.played(1, [3, 4, 5], 0)
      expect(wants(0)).toEqual([39, 3, 4, 5])
      played.played(1, [30, 31, 32], 1)
      played.played(2, [10, 11], 1)
      expect(wants(1)).toEqual([39, 30, 10, 31, 11, 32])
      played.left(1)
      expect(wants(5_000)).toEqual([39, 10, 11])
      played.left(2)
      expect(wants(10_000)?.length).toBeGreaterThan(20)
    })

    it('knows a bounded number of players, and of units of each', () => {
      const each = limits.swarmPlayed
      for (let player = 0; player <= limits.swarmPlayers; player++)
        played.played(player, player === 0 ? [1] : all.slice(10, 10 + 2 * each), 0)
      const units = [39, ...all.slice(10, 10 + each)]
      expect(asksOf(played.due(0))[0]?.wants).toEqual(units)
    })

    it('has nothing to hurry for what nobody wants here, or is here', () => {
      const spec = { contentId: 'c', count: many, order: [0, 1, 2], self, initiator }
      const part = new Pull(spec, UnitSet.ofRuns(many, [[0, 1]]), 0)
      part.played(1, [0, 30, 31], 0)
      expect([...(asksOf(part.due(0))[0]?.wants ?? [])].sort()).toEqual([1, 2])
    })
  })

  it('knows a bounded number of holders, those of its site rather than others', () => {
    for (let each = 0; each < 2 * limits.swarmPeers; each++) pull.met(peer(`f${each}`, 'b'), 0)
    expect(pull.holders.size).toBe(limits.swarmPeers)
    pull.met(mate, 0)
    expect(pull.holders.size).toBe(limits.swarmPeers)
    expect(pull.holders.get('mate')).toBeDefined()
    expect(pull.holders.get('first')).toBeDefined()
  })
})
