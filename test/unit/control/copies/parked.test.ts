/** Who is looked at when there is room on a resource that several wait for. */
import { expect, it } from 'vitest'
import { type Demand, openState } from '../../../../src/control/copies/files.js'
import { Parked } from '../../../../src/control/copies/parked.js'

const resource = 7
const always = () => true

function waiting(count: number) {
  const parked = new Parked()
  const park = (demand: Demand, on = resource) => {
    demand.state = { kind: 'room', resource: on }
    parked.add(demand, on, 0)
  }
  const demands = Array.from({ length: count }, (_, node): Demand => {
    const of = { file: 1, node, site: 0, priority: 5, sinceMs: 0, order: 0, coming: null }
    return { ...of, state: openState }
  })
  for (const demand of demands) park(demand)
  /** Takes out those that are looked at. */
  const looked = (found: readonly Demand[]) => {
    for (const demand of found) {
      parked.delete(demand)
      demand.state = openState
    }
    return found.map(({ node }) => node)
  }
  return { parked, demands, park, looked }
}

it('wakes the next ones where those that were woken leave room', () => {
  const { parked, demands, park, looked } = waiting(7)
  expect(looked(parked.released(resource, 3))).toEqual([0, 1, 2])
  // One has it, the others wait for something else.
  for (const node of [1, 2]) park(demands[node] as Demand, resource + 1)
  expect(parked.areLeft).toBe(true)
  expect(looked(parked.more(always, 3))).toEqual([3, 4, 5])
  expect(looked(parked.more(() => false, 3))).toEqual([])
  expect(parked.areLeft).toBe(false)
  expect(looked(parked.released(resource, 3))).toEqual([6])
  expect(parked.areLeft).toBe(false)
})

it('wakes nobody else where all who were woken wait for the same again', () => {
  const { parked, demands, park, looked } = waiting(7)
  looked(parked.released(resource, 3))
  for (const node of [0, 1, 2]) park(demands[node] as Demand)
  expect(parked.more(always, 3)).toEqual([])
  expect(parked.areLeft).toBe(false)
})
