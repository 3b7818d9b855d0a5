/** Copies that their targets refuse are ordered again later and later, and not for ever at once. */
import { expect, it } from 'vitest'
import { parseCriteria } from '../../../../src/base/criteria.js'
import { limits } from '../../../../src/base/limits.js'
import { explained } from '../../../../src/control/copies/explained.js'
import { Master, type MasterWish } from '../../../../src/control/copies/master.js'
import type { Ended } from '../../../../src/control/messages/mastering.js'

const refused: Ended = { bytes: 0, cause: 'ERR_FR_READ_ONLY', blames: [] }
const content = { contentId: 'c', digest: 'd', size: 1_000, isGrowing: false, name: 'a' }

function started() {
  const master = new Master()
  const files = [{ name: 'a', digest: null }]
  const set = { name: 's', priority: 5, never: null, from: null, where: parseCriteria('name') }
  master.post({ type: 'sets', sets: [{ ...set, files }] }, 0)
  join(master, 'n0', 0, true)
  join(master, 'n1', 0, false)
  return master
}

function join(master: Master, node: string, nowMs: number, isHolder: boolean): void {
  const rate = { bytesPerSecond: 1e6 }
  const attributes = { name: node, site: 'here' }
  master.post({ type: 'joined', node, site: 'here', attributes, up: rate, down: rate }, nowMs)
  const files = isHolder ? [{ ...content, ranges: null }] : []
  const state = { files, gone: [], isAll: true, freeBytes: 1e9, running: [] }
  master.post({ type: 'state', node, ...state }, nowMs)
}

/** When copies are ordered until then, each of which ends at once. */
function ordersOf(master: Master, [fromMs, untilMs]: [number, number], ended: Ended): number[] {
  const orders: number[] = []
  let nowMs = fromMs
  while (nowMs <= untilMs) {
    for (const wish of master.advance(nowMs) as MasterWish[]) {
      if (wish.type !== 'copy') continue
      orders.push(nowMs)
      master.post({ type: 'copied', node: wish.node, copy: wish.copy.id, ended }, nowMs)
    }
    nowMs = Math.max(nowMs, master.dueMs)
    if (orders.length > 100) throw new Error('it is ordered for ever')
  }
  return orders
}

it('waits twice as long each time, and at most a quarter of an hour', () => {
  const master = started()
  const orders = ordersOf(master, [0, 3_600_000], refused)
  const waits = orders.slice(1).map((at, i) => at - (orders[i] as number))
  const { refusedMs, refusedMsMax } = limits
  expect(waits.slice(0, 9)).toEqual(Array.from({ length: 9 }, (_, i) => refusedMs * 2 ** i))
  expect(waits.slice(9)).toEqual(waits.slice(9).map(() => refusedMsMax))
  expect(waits.length).toBeGreaterThan(10)
})

it('says so, and asks anew a node that has begun anew', () => {
  const master = started()
  const [first] = master.advance(0).flatMap((wish) => (wish.type === 'copy' ? [wish.copy.id] : []))
  master.post({ type: 'copied', node: 'n1', copy: first as number, ended: refused }, 0)
  const note = { about: 'declined', node: 'n1', name: 'a', cause: 'ERR_FR_READ_ONLY' }
  expect(master.advance(1)).toContainEqual({ type: 'note', note })
  expect(explained(master, 'n1', 'a', 1)).toMatchObject({ state: 'declined' })
  join(master, 'n1', 2, false)
  expect(ordersOf(master, [2, 2], { bytes: 1_000, cause: null, blames: [] })).toEqual([2])
  expect(master.lacking('n1')).toEqual([])
})

it('waits for nothing where something came, or a component is blamed', () => {
  const orders = ordersOf(started(), [0, 0], { ...refused, bytes: 10 })
  expect(orders.length).toBeGreaterThan(5)
})
