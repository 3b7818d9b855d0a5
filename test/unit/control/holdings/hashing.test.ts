/** In which order bytes are hashed, and how far ahead. */
import { describe, expect, it } from 'vitest'
import { GIB, limits } from '../../../../src/base/limits.js'
import { HashQueue, HashSchedule, taskBytesFor } from '../../../../src/control/holdings/hashing.js'

const task = limits.hashTaskBytes
const most = limits.hashTasksInFlight

it('tasks are whole blocks, one at least', () => {
  expect(taskBytesFor(task / 4)).toBe(task)
  expect(taskBytesFor(task / 4 + 1)).toBe(3 * (task / 4 + 1))
  expect(taskBytesFor(3 * task)).toBe(3 * task)
})

describe('the schedule of an origin', () => {
  const share = (owner: number, offset: number, length: number) => ({ owner, offset, length })
  const shares = [share(1, 0, 2 * task), share(2, 2 * task, 0), share(3, 2 * task, task + 5)]
  const make = (aheadBytes?: number): HashSchedule => new HashSchedule(shares, 1, aheadBytes)
  const nothingSent = () => 0
  /** All that may run, each done at once. */
  const drained = (schedule: HashSchedule, sent: (owner: number) => number) => {
    const tasks: (readonly [owner: number, offset: number, length: number])[] = []
    for (let next = schedule.take(sent); next !== undefined; next = schedule.take(sent)) {
      tasks.push([next.owner, next.offset, next.length])
      schedule.done()
    }
    return tasks
  }

  it('goes on where more of the last share comes to be, in tasks of one section each', () => {
    const schedule = new HashSchedule([share(0, 0, 0)], 'sections', Number.POSITIVE_INFINITY)
    expect(schedule.isDone).toBe(true)
    schedule.extend(task + 5 * 65_536)
    expect(drained(schedule, nothingSent)).toEqual([
      [0, 0, task],
      [0, task, 5 * 65_536],
    ])
    // An older word is void.
    schedule.extend(task)
    expect(schedule.isDone).toBe(true)
    const border = 4 * GIB
    const late = new HashSchedule([share(0, border - 65_536, 0)], 'sections')
    late.extend(border + 131_072)
    expect(drained(late, nothingSent)).toEqual([
      [0, border - 65_536, 65_536],
      [0, border, 131_072],
    ])
  })

  it('goes round the shares, and ends with short ones', () => {
    const schedule = make(10 * task)
    expect(schedule.isDone).toBe(false)
    expect(drained(schedule, nothingSent)).toEqual([
      [1, 0, task],
      [3, 2 * task, task],
      [1, task, task],
      [3, 3 * task, 5],
    ])
    expect(schedule.isDone).toBe(true)
  })

  it('stays near what was sent, except for who is gone', () => {
    const schedule = make(task)
    expect(drained(schedule, nothingSent)).toEqual([
      [1, 0, task],
      [3, 2 * task, task],
    ])
    schedule.free(3)
    expect(drained(schedule, nothingSent)).toEqual([[3, 3 * task, 5]])
    expect(schedule.isDone).toBe(false)
    expect(drained(schedule, (owner) => (owner === 1 ? 1 : 0))).toEqual([[1, task, task]])
    expect(schedule.isDone).toBe(true)
  })

  it('has no more under way than it may, and is not done before that is back', () => {
    const many = Array.from({ length: most + 1 }, (_, i) => share(i, i, 1))
    const schedule = new HashSchedule(many, 1)
    for (let i = 0; i < most; i++) expect(schedule.take(nothingSent)?.owner).toBe(i)
    expect(schedule.take(nothingSent)).toBeUndefined()
    schedule.done()
    expect(schedule.take(nothingSent)?.owner).toBe(most)
    for (let i = 0; i < most; i++) schedule.done()
    expect(schedule.isDone).toBe(true)
    const open = new HashSchedule([share(0, 0, 1)], 1)
    open.take(nothingSent)
    expect(open.isDone).toBe(false)
  })
})

describe('the queue of a node', () => {
  const waitMs = 10

  it('lets short runs gather for a moment, and not where nothing more comes', () => {
    const queue = new HashQueue(1)
    expect([queue.isIdle, queue.deadlineMs(), queue.take(0, true)]).toEqual([true, null, undefined])
    queue.add(0, 5, 100)
    queue.add(5, 5, 105)
    expect(queue.deadlineMs()).toBe(100 + waitMs)
    expect(queue.take(100 + waitMs - 1, false)).toBeUndefined()
    expect(queue.take(100 + waitMs, false)).toEqual([0, 10])
    expect([queue.isIdle, queue.deadlineMs()]).toEqual([false, null])
    queue.done()
    expect(queue.isIdle).toBe(true)
    queue.add(20, 1, 200)
    expect(queue.take(200, true)).toEqual([20, 1])
  })

  it('takes long runs at once, in tasks, past short ones', () => {
    const queue = new HashQueue(1)
    queue.add(0, 1, 0)
    queue.add(10, task / 4, 0)
    queue.add(10 * task, task + 1, 0)
    expect(queue.take(0, false)).toEqual([10, task / 4])
    expect(queue.take(0, false)).toEqual([10 * task, task])
    expect(queue.take(0, false)).toBeUndefined()
    expect(queue.take(waitMs, false)).toEqual([0, 1])
  })

  it('has no more under way than it may', () => {
    const queue = new HashQueue(1)
    for (let i = 0; i <= most; i++) queue.add(2 * i, 1, 0)
    for (let i = 0; i < most; i++) expect(queue.take(0, true)).toEqual([2 * i, 1])
    expect([queue.take(0, true), queue.deadlineMs()]).toEqual([undefined, null])
    queue.done()
    expect(queue.deadlineMs()).toBe(waitMs)
    expect(queue.take(0, true)).toEqual([2 * most, 1])
  })
})
