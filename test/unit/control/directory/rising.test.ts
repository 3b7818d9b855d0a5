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
    frame: expect.objectContaining({ type: 'enroll', below: 0 }),
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

it('tells those below it of a place above it, else of its own', () => {
  const { machine, lineage } = joined()
  lineage(null, 0)
  const enroll = { type: 'enroll', site: '', below: 0, dictionary: '', bits: 0 } as const
  const told = (wishes: readonly DirectoryWish[]) =>
    wishes.flatMap((wish) =>
      wish.type === 'say' && wish.frame.type === 'lineage' ? [wish.frame.room] : [],
    )
  const called = { type: 'called', link: 3, nodeId: id(20) } as const
  const first = machine.post({ ...called, frame: { ...enroll, address: 'child:1' } }, 0)
  expect(told(first)).toEqual([{ depth: path.length, address: 'self:1' }])
  const said = (depth: number, address: string) => {
    const shared = { type: 'lineage', path, grandparent: 'g:1', deputy: null } as const
    const frame = { ...shared, room: { depth, address } }
    return told(machine.post({ type: 'said', link: 1, frame }, 0))
  }
  expect(said(1, top.address)).toEqual([{ depth: 1, address: top.address }])
  // The parent itself is reached where it was dialled.
  expect(said(path.length - 1, '[::]:7400')).toEqual([
    { depth: path.length - 1, address: parent.address },
  ])
})
