/** Absolute plans: what follows from the difference between two, and which are refused. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { originNumber, type PlanFrame } from '../../../../src/control/messages/types.js'
import { hasCycle } from '../../../../src/control/plan/check.js'
import { Neighbourhood } from '../../../../src/control/receiver/neighbourhood.js'
import { memberOf, membersOf, originId, planOf } from '../plans.js'

const take = (neighbours: Neighbourhood, plan: PlanFrame) => neighbours.take(plan, originId)

function following(...plans: PlanFrame[]): Neighbourhood {
  const neighbours = new Neighbourhood()
  for (const plan of plans) expect(take(neighbours, plan)).not.toHaveProperty('code')
  return neighbours
}

const nothing = {
  ...{ begins: false, areRoutesNew: false, paces: null },
  ...{ dial: [], met: [], gone: [], back: [] },
}
const [m0, m2, m3] = [memberOf(0), memberOf(2), memberOf(3)]

describe('what follows from a plan', () => {
  it('is whom to dial and meet, each once, and who is gone', () => {
    const neighbours = new Neighbourhood()
    const news = (nodes: number[], over: Partial<PlanFrame>) =>
      take(neighbours, planOf(1, nodes, over))
    expect(news([1], { phase: 'forming', epoch: 1 })).toEqual(nothing)
    expect(news([0, 1, 2], { phase: 'forming', epoch: 3 })).toEqual(nothing)
    // Node 2 was expected and is not there yet: not gone.
    const begun = { ...nothing, begins: true, dial: [m0], met: [m0] }
    expect(news([0, 1], { epoch: 4 })).toEqual(begun)
    const joined = { ...nothing, areRoutesNew: true, dial: [m2, m3], met: [m2, m3] }
    expect(news([0, 1, 2, 3], { epoch: 8 })).toEqual(joined)
    expect(news([1, 2, 3], { epoch: 9 })).toEqual({ ...nothing, areRoutesNew: true, gone: [0] })
    expect(neighbours.isGone(0)).toBe(true)
    expect(neighbours.mate(0)).toBeUndefined()
    expect(neighbours.member(0)).toEqual(m0)
  })

  it('is nobody to dial where there is no route', () => {
    const begun = { ...nothing, begins: true, met: [m0] }
    expect(take(new Neighbourhood(), planOf(1, [0, 1], { routes: [] }))).toEqual(begun)
  })

  it('is in a higher term whatever its epoch says', () => {
    const term = { counter: 2, member: originNumber }
    const neighbours = following(planOf(1, [0, 1], { epoch: 9 }), planOf(1, [0, 1], { term }))
    expect(neighbours.plan?.term).toEqual(term)
  })

  it('is the first edge that was named for a member', () => {
    const edge = (id: string) => [{ member: 0, id, secret: 'cd'.repeat(32) }]
    const neighbours = following(
      planOf(1, [0, 1], { edges: edge('ab') }),
      planOf(1, [0, 1], { epoch: 2, edges: edge('cd') }),
    )
    expect(neighbours.edge(0)?.id).toBe('ab')
  })
})

describe('a stale plan', () => {
  const term = { counter: 3, member: originNumber }
  it.each<[string, Partial<PlanFrame>]>([
    ['the same epoch', { term, epoch: 5 }],
    ['a lower epoch', { term, epoch: 4 }],
    ['a lower term', { term: { ...term, counter: 2 }, epoch: 9 }],
  ])('of %s is refused and changes nothing', (_, over) => {
    const neighbours = following(planOf(1, [0, 1, 2], { term, epoch: 5 }))
    const before = neighbours.plan
    expect(take(neighbours, planOf(1, [1], over))).toMatchObject({ code: 'ERR_FR_STALE' })
    expect(neighbours.plan).toBe(before)
    expect(neighbours.isGone(0)).toBe(false)
  })
})

describe('a plan is a violation that', () => {
  const route = (member: number, next = 0) => ({ routes: [{ route: 1, to: [{ member, next }] }] })
  it.each<[string, Partial<PlanFrame>]>([
    ['gives the node another number', { you: 0 }],
    ['is for no member', { members: membersOf(0, 2) }],
    ['uses a number twice', { members: [...membersOf(0, 1), memberOf(0)] }],
    ['uses a number for another node', { members: [...membersOf(1, 2), { ...m0, nodeId: 'x' }] }],
    ['brings back who was gone', { members: membersOf(0, 1, 2, 7) }],
    ['has a coordinator that is no member', { members: [memberOf(0), memberOf(1)] }],
    ['makes the node its coordinator', { coordinator: 1, term: { counter: 9, member: 1 } }],
    ['is of another coordinator', { coordinator: 0, term: { counter: 9, member: 0 } }],
    ['has a term of another', { term: { counter: 9, member: 0 } }],
    ['reports to nobody', { reportTo: 9 }],
    ['has a parent that is no member', { parents: [9] }],
    ['makes the node its own parent', { parents: [1] }],
    ['has a standby that is no member', { standbys: [9] }],
    [
      'shares the link to a site twice',
      { siteShares: [1, 2].map((bytesPerSecond) => ({ site: 'b', bytesPerSecond })) },
    ],
    ['has a standby twice', { standbys: [0, 0] }],
    ['routes to who is no member', route(9)],
    ['routes back', route(1, 1)],
    ['has a route twice', { routes: [...route(0).routes, ...route(0).routes] }],
    ['is from before bytes flowed', { phase: 'forming' }],
  ])('%s', (_, over) => {
    const neighbours = following(
      planOf(1, [0, 1, 2, 7], { epoch: 1 }),
      planOf(1, [0, 1, 2], { epoch: 2 }),
    )
    const before = neighbours.plan
    const plan = planOf(1, [0, 1, 2], { epoch: 3, ...over })
    expect(take(neighbours, plan)).toMatchObject({ code: 'ERR_FR_PROTOCOL' })
    expect(neighbours.plan).toBe(before)
  })

  it('of another coordinator may bring back whom the last one left out', () => {
    const running = { phase: 'running' } as const
    const neighbours = following(planOf(1, [0, 1, 2], running), planOf(1, [1, 2], { epoch: 9 }))
    expect(neighbours.isGone(0)).toBe(true)
    const term = { counter: 2, member: 2 }
    const back = planOf(1, [0, 1, 2], {
      ...running,
      term,
      coordinator: 2,
      reportTo: 2,
      parents: [],
    })
    const members = back.members.filter(({ number }) => number < 3)
    const news = neighbours.take({ ...back, members }, 'id2')
    expect(news).toMatchObject({ back: [0], met: [{ number: 0 }] })
    expect([neighbours.isGone(0), neighbours.mate(0)?.number]).toEqual([false, 0])
  })

  it('names more members, one after another, than a push can have', () => {
    const neighbours = following(planOf(1, [1]))
    let epoch = 2
    for (let first = 2; first < limits.membersPerPlan; first++)
      expect(take(neighbours, planOf(1, [1, first], { epoch: epoch++ }))).toMatchObject({
        met: [memberOf(first)],
      })
    expect(take(neighbours, planOf(1, [1, 9_999], { epoch }))).toMatchObject({
      code: 'ERR_FR_PROTOCOL',
    })
  })
})

it('a cycle is one of members and routes, not of members alone', () => {
  const leads = (route: number, member: number, next: number) => ({
    route,
    to: [{ member, next }],
  })
  const chain = new Map([
    [1, [leads(1, 2, 1)]],
    [2, [leads(1, 3, 2)]],
    [3, [leads(2, 1, 0), leads(3, 1, 1)]],
  ])
  expect(hasCycle(chain)).toBe(false)
  expect(hasCycle(chain.set(3, [leads(2, 1, 1)]))).toBe(true)
})
