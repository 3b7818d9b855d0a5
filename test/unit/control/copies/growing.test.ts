/** What a master orders of a content that is still written, and when nothing more is required. */
import { expect, it } from 'vitest'
import { parseCriteria } from '../../../../src/base/criteria.js'
import { limits } from '../../../../src/base/limits.js'
import type { RangePair } from '../../../../src/base/ranges.js'
import { explained } from '../../../../src/control/copies/explained.js'
import { Master, type MasterWish } from '../../../../src/control/copies/master.js'
import { setRows } from '../../../../src/control/copies/set-rows.js'
import type { FileSet } from '../../../../src/control/copies/sets.js'
import type { Ended } from '../../../../src/control/messages/mastering.js'

const MB = 1_000_000
const came: Omit<Ended, 'bytes'> = { cause: null, blames: [] }
type Order = MasterWish & { readonly type: 'copy' }

function started(names: readonly string[], topology = {}) {
  const master = new Master({ topology: { sites: [], links: [], routes: [], ...topology } })
  const set = { name: 's', priority: 5, never: null, from: null, where: parseCriteria('name') }
  master.post({ type: 'sets', sets: [{ ...set, files: [{ name: 'log', digest: null }] }] }, 0)
  for (const node of names) {
    const [site = 'x'] = node.split('-')
    const rate = { bytesPerSecond: Number.POSITIVE_INFINITY }
    const attributes = { name: node, site }
    master.post({ type: 'joined', node, site, attributes, up: rate, down: rate }, 0)
    say(master, node, 0, false, [])
  }
  return master
}

/** What a node says of it, which has this. */
function say(master: Master, node: string, size: number, hasEnded: boolean, has?: RangePair[]) {
  const said = { name: 'log', contentId: 'c', size, isGrowing: !hasEnded }
  const held = { ...said, digest: hasEnded ? 'd' : null, ranges: has ?? null }
  const files = size === 0 ? [] : [held]
  const more = { gone: [], isAll: true, freeBytes: 1e12 }
  master.post({ type: 'state', node, files, ...more }, 0)
}

function orders(master: Master): Order[] {
  const found: Order[] = []
  for (let turn = 0; turn < 8; turn++)
    for (const wish of master.advance(0)) if (wish.type === 'copy') found.push(wish)
  return found
}

const told = (all: readonly Order[], master: Master) =>
  all.map(({ node, copy: { source, offset, length } }) => {
    return `${node} from ${master.network.nodeName(source)}: ${offset}+${length}`
  })

it('comes in order, into a site once, and there to two nodes of one at a time', () => {
  const master = started(['x-0', 'x-1', 'x-2', 'x-3', 'y-1', 'y-2'])
  say(master, 'x-0', 3 * MB, false)
  const first = orders(master)
  const [into, within] = [
    first.filter(({ copy }) => copy.crosses),
    first.filter((one) => !one.copy.crosses),
  ]
  expect(into).toHaveLength(1)
  expect(within).toHaveLength(2)
  for (const { copy } of first) expect([copy.offset, copy.length]).toEqual([0, 3 * MB])
  // More of it: nobody to whom something comes is ordered the next part before.
  say(master, 'x-0', 5 * MB, false)
  expect(orders(master)).toEqual([])
  const [{ node, copy }] = within as [Order, Order]
  master.post({ type: 'copied', node, copy: copy.id, ended: { ...came, bytes: 3 * MB } }, 0)
  expect(told(orders(master), master)).toContain(`${node} from x-0: ${3 * MB}+${2 * MB}`)
})

it('is required until it has ended and has its name', () => {
  const master = started(['x-0', 'x-1'])
  say(master, 'x-0', MB, false)
  const [{ copy }] = orders(master) as [Order]
  master.post({ type: 'copied', node: 'x-1', copy: copy.id, ended: { ...came, bytes: MB } }, 0)
  say(master, 'x-1', MB, false, [[0, MB]])
  expect(orders(master)).toEqual([])
  expect(master.lacking('x-1')).toHaveLength(1)
  // Without another byte; x-1 does not say that it has heard of it.
  say(master, 'x-0', MB, true)
  expect(told(orders(master), master)).toEqual([`x-1 from x-0: ${MB - 1}+1`])
  expect(master.lacking('x-1')).toHaveLength(1)
  say(master, 'x-1', MB, true)
  expect(master.lacking('x-1')).toEqual([])
  expect(master.lacking('x-0')).toEqual([])
})

it('who has every byte hears of the end from anybody, who lacks one only from where it may', () => {
  const topology = {
    links: [{ name: 'y-x', from: 'y', to: 'x', bytesPerSecond: MB }],
    sites: [{ name: 'x' }, { name: 'y' }],
  }
  for (const [has, expected] of [
    [MB, [`x-1 from y-0: ${MB - 1}+1`]],
    [MB - 1, []],
  ] as const) {
    const master = started(['y-0', 'x-1'], topology)
    const [set] = master.sets as [FileSet]
    master.post({ type: 'sets', sets: [{ ...set, from: parseCriteria('site=z') }] }, 0)
    say(master, 'y-0', MB, false)
    say(master, 'x-1', MB, false, [[0, has]])
    expect(orders(master)).toEqual([])
    say(master, 'y-0', MB, true)
    expect(told(orders(master), master)).toEqual(expected)
    expect(master.lacking('x-1')).toHaveLength(1)
  }
})

it('is said to have no end where nothing comes of it, or nobody has it any more', () => {
  const master = started(['x-0', 'x-1'])
  say(master, 'x-0', MB, false)
  const [{ copy }] = orders(master) as [Order]
  master.post({ type: 'copied', node: 'x-1', copy: copy.id, ended: { ...came, bytes: MB } }, 0)
  say(master, 'x-1', MB, false, [[0, MB]])
  orders(master)
  const state = (nowMs: number) => explained(master, 'x-1', 'log', nowMs)
  const unended = (nowMs: number) => [...setRows(master, nowMs)][0]?.unended
  const late = limits.growingQuietMs
  expect(state(late - 1)).toMatchObject({ state: 'growing', heldBytes: MB })
  expect(unended(late - 1)).toEqual([])
  expect(state(late)).toMatchObject({ state: 'unended' })
  expect(state(late)?.text).toContain(`${MB} bytes of it came, and nothing more for 60 s`)
  expect(unended(late)).toEqual([{ name: 'log', bytes: MB, seconds: late / 1_000 }])
  // The same again is nothing new; one more byte is.
  say(master, 'x-0', MB, false)
  expect(unended(late)).toHaveLength(1)
  master.post(
    { type: 'state', node: 'x-0', ...{ gone: [], isAll: true, freeBytes: 1e12 }, files: [] },
    5,
  )
  say(master, 'x-1', 0, false)
  expect(orders(master)).toEqual([])
  const back = limits.masterListensMs
  expect(unended(back - 1)).toEqual([])
  expect(state(back)).toMatchObject({ state: 'unended' })
  expect(unended(back)).toMatchObject([{ name: 'log' }])
  const held = { name: 'log', contentId: 'c', size: MB + 1, isGrowing: true, digest: null }
  const files = [{ ...held, ranges: null }]
  const more = { gone: [], isAll: true, freeBytes: 1e12 }
  master.post({ type: 'state', node: 'x-0', files, ...more }, late)
  expect(unended(late + 1)).toEqual([])
  say(master, 'x-0', MB + 1, true)
  expect(unended(9 * late)).toEqual([])
})

it('is required by its digest as soon as that is known', () => {
  const master = started(['x-0', 'x-1'])
  const [set] = master.sets
  const pinned = [{ name: 'log', digest: 'd' }]
  master.post({ type: 'sets', sets: [{ ...(set as FileSet), files: pinned }] }, 0)
  say(master, 'x-0', MB, false)
  say(master, 'x-1', 0, false)
  expect(orders(master)).toEqual([])
  const files = [
    { name: 'log', contentId: 'c', size: MB, isGrowing: false, digest: 'd', ranges: null },
  ]
  const more = { gone: [], isAll: false, freeBytes: 1e12 }
  master.post({ type: 'state', node: 'x-0', files, ...more }, 0)
  expect(told(orders(master), master)).toEqual([`x-1 from x-0: 0+${MB}`])
})
