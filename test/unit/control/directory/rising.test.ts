/** A node that is told of a place nearer to the root. */
import { expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { Directory } from '../../../../src/control/directory/directory.js'
import type { DirectoryWish, LinkFrame } from '../../../../src/control/directory/facts.js'

const id = (number: number): string => `${number}`.padStart(32, '0')
const parent = { nodeId: id(8), address: 'parent:1' }
const top = { nodeId: id(1), address: 'top:1' }
/** The root, three more, and the parent. */
const path = [1, 2, 3, 4, 8].map(id)

/** Below that parent, since time 0. */
function joined() {
  const machine = new Directory(
    {
      ...{ nodeId: id(9), address: 'self:1', attributes: {}, parents: [parent.address] },
      ...{ maxChildren: 4, deputy: null, run: 'ab'.repeat(12), seed: 1 },
    },
    0,
  )
  machine.post({ type: 'due' }, 0)
  machine.post({ type: 'opened', link: 1, kind: 'parent', ...parent }, 0)
  const lineage = (depth: number | null, nowMs: number): void => {
    const room = depth === null ? null : { depth, address: top.address }
    const shared = { type: 'lineage', path, grandparent: 'g:1', deputy: null, room } as const
    machine.post({ type: 'said', link: 1, frame: shared satisfies LinkFrame }, nowMs)
  }
  return { machine, lineage }
}

const dialsOf = (wishes: readonly DirectoryWish[]): string[] =>
  wishes.flatMap((wish) => (wish.type === 'dial' && wish.kind === 'parent' ? wish.address : []))

/** Its next step, and when that is. */
function next(machine: Directory) {
  const nowMs = machine.dueMs
  return { nowMs, wishes: machine.post({ type: 'due' }, nowMs) }
}

it('dials it after a while, and leaves its parent once it is there', () => {
  const { machine, lineage } = joined()
  lineage(0, 0)
  const { nowMs, wishes } = next(machine)
  expect(nowMs).toBeGreaterThanOrEqual(limits.riseMs / 2)
  expect(nowMs).toBeLessThanOrEqual(limits.riseMs)
  expect(dialsOf(wishes)).toEqual([top.address])
  expect(machine.tree.lineage.parent).toMatchObject(parent)
  const opened = machine.post({ type: 'opened', link: 2, kind: 'parent', ...top }, nowMs + 5)
  expect(opened).toContainEqual({ type: 'hangUp', link: 1 })
  expect(opened).toContainEqual({
    ...{ type: 'say', link: 2 },
    frame: expect.objectContaining({ type: 'enroll', below: 0, depth: path.length }),
  })
  expect(machine.tree.lineage).toMatchObject({ parent: null, isAsking: true, path: [] })
  // It is refused there: the parent from before is the first that is asked again.
  const refuse = { type: 'refuse', code: 'ERR_FR_BUSY', text: '' } as const
  machine.post({ type: 'said', link: 2, frame: refuse }, nowMs + 10)
  expect(dialsOf(next(machine).wishes)).toEqual([parent.address])
})

it('stays where it is while it does not reach it, and tries later each time', () => {
  const { machine, lineage } = joined()
  lineage(0, 0)
  let lastMs = 0
  for (let tries = 1; tries <= 6; tries++) {
    const { nowMs, wishes } = next(machine)
    const fullMs = Math.min(limits.riseMsMax, limits.riseMs * 2 ** (tries - 1))
    expect(nowMs - lastMs).toBeGreaterThanOrEqual(fullMs / 2)
    expect(dialsOf(wishes)).toEqual([top.address])
    machine.post({ type: 'failed', kind: 'parent', address: top.address, text: '' }, nowMs)
    expect(machine.tree.lineage.parent).toMatchObject(parent)
    lastMs = nowMs
  }
})

it('goes nowhere for a single step, nor for a place that is gone again', () => {
  const { machine, lineage } = joined()
  const nearest = path.length - limits.riseSteps
  lineage(nearest, 0)
  expect(machine.tree.lineage.dueMs).toBe(Number.POSITIVE_INFINITY)
  lineage(nearest - 1, 0)
  expect(machine.tree.lineage.dueMs).toBeLessThan(Number.POSITIVE_INFINITY)
  lineage(null, 10)
  expect(machine.tree.lineage.dueMs).toBe(Number.POSITIVE_INFINITY)
})

const enroll = { site: '', below: 0, dictionary: '', bits: 0, depth: null } as const

/** What children are told of places, by link. */
const told = (wishes: readonly DirectoryWish[]) =>
  wishes.flatMap((wish) =>
    wish.type === 'say' && wish.frame.type === 'lineage' ? [[wish.link, wish.frame.room]] : [],
  )

function called(machine: Directory, link: number, depth: number | null = null) {
  const frame = { type: 'enroll', ...enroll, depth, address: `child:${link}` } as const
  return machine.post({ type: 'called', link, nodeId: id(20 + link), frame }, 0)
}

it('tells those below it of a place above it, else of its own', () => {
  const { machine, lineage } = joined()
  lineage(null, 0)
  expect(told(called(machine, 3))).toEqual([[3, { depth: path.length, address: null }]])
  const said = (depth: number, address: string | null) => {
    const shared = { type: 'lineage', path, grandparent: 'g:1', deputy: null } as const
    const frame = { ...shared, room: { depth, address } }
    return told(machine.post({ type: 'said', link: 1, frame }, 0))
  }
  expect(said(1, top.address)).toEqual([[3, { depth: 1, address: top.address }]])
  // The parent itself is reached where it was dialled.
  const depth = path.length - 1
  expect(said(depth, null)).toEqual([[3, { depth, address: parent.address }]])
})

it('tells each child of places below the others, and passes down who comes for them', () => {
  const { machine, lineage } = joined()
  lineage(null, 0)
  for (const link of [3, 4, 5, 6]) called(machine, link)
  const room = (link: number, steps: number | null, nowMs: number) => {
    const summary = { dictionary: '', some: '', every: '', count: 9, isWhole: true }
    const frame = { type: 'rollUp', ...summary, room: steps } as const
    return machine.post({ type: 'said', link, frame }, nowMs)
  }
  // Nobody is told of what is below itself.
  const depth = (steps: number) => ({ depth: path.length + steps, address: null })
  expect(told(room(3, 2, 0))).toEqual([4, 5, 6].map((link) => [link, depth(3)]))
  const wishes = room(4, 0, 2 * limits.rollUpCountMs)
  expect(told(wishes)).toEqual([3, 5, 6].map((link) => [link, depth(1)]))
  expect(wishes).toContainEqual({
    ...{ type: 'say', link: 1, frame: expect.objectContaining({ type: 'rollUp', room: 1 }) },
  })
  expect(told(room(3, null, 2 * limits.rollUpCountMs))).toEqual([[4, null]])
  // A child of this node is two steps down at best, and one of its child 4 three.
  const passed = (link: number, deep: number) =>
    called(machine, link, deep).flatMap((wish) => (wish.type === 'say' ? [wish.frame] : []))
  expect(passed(7, path.length + 3)).toEqual([
    { type: 'passDown', nodeId: id(24), address: 'child:4' },
  ])
  for (const deep of [path.length + 2, path.length + 1, path.length])
    expect(passed(8, deep)).toMatchObject([{ type: 'refuse', code: 'ERR_FR_BUSY' }])
})
