/** The loop around a machine: whose fault it is when time has passed. */
import { describe, expect, it } from 'vitest'
import { nowMs } from '../../../src/base/time/awake.js'
import { Loop, type Machine } from '../../../src/session/loop.js'

type Fact = { readonly type: 'heard' | 'ticked' } | { readonly type: 'delayed'; lateMs: number }

/** Wants to be asked at first after `waitMs`, and after any fact in a minute. */
class Recorder implements Machine<Fact, never> {
  readonly facts: Fact[] = []
  #dueMs: number

  constructor(waitMs: number) {
    this.#dueMs = nowMs() + waitMs
  }

  handle(fact: Fact, now: number): never[] {
    this.facts.push(fact)
    this.#dueMs = now + 60_000
    return []
  }

  deadlineMs(): number {
    return this.#dueMs
  }
}

function sleepWithoutTurning(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function started(waitMs: number): {
  loop: Loop<Fact, never>
  facts: Fact[]
  ticked: Promise<void>
} {
  const machine = new Recorder(waitMs)
  let resolve = () => {}
  const ticked = new Promise<void>((done) => {
    resolve = done
  })
  const loop = new Loop<Fact, never>(machine, {
    execute: () => {},
    ticked: () => {
      resolve()
      return { type: 'ticked' }
    },
    delayed: (lateMs) => ({ type: 'delayed', lateMs }),
    crashed: (error) => {
      throw error
    },
  })
  loop.start([])
  return { loop, facts: machine.facts, ticked }
}

describe('a process that was late', () => {
  it('says so before a fact that comes ahead of the timer, and once', () => {
    const { loop, facts } = started(20)
    sleepWithoutTurning(350)
    loop.post({ type: 'heard' })
    loop.post({ type: 'heard' })
    expect(facts.map(({ type }) => type)).toEqual(['delayed', 'heard', 'heard'])
    const [first] = facts as [Fact & { type: 'delayed' }]
    expect(first.lateMs).toBeGreaterThanOrEqual(100)
    loop.stop()
  })

  it('says so when its timer fires', async () => {
    const { loop, facts, ticked } = started(20)
    sleepWithoutTurning(350)
    await ticked
    expect(facts.map(({ type }) => type)).toEqual(['delayed', 'ticked'])
    loop.stop()
  })

  it('says so before a fact that was posted before, where a wish took the time', () => {
    const facts: Fact[] = []
    let isSlow = true
    const loop = new Loop<Fact, 'work'>(
      {
        handle: (fact) => {
          facts.push(fact)
          return fact.type === 'heard' && isSlow ? ['work'] : []
        },
        deadlineMs: () => null,
      },
      {
        execute: () => {
          sleepWithoutTurning(350)
          isSlow = false
        },
        ticked: () => ({ type: 'ticked' }),
        delayed: (lateMs) => ({ type: 'delayed', lateMs }),
        crashed: (error) => {
          throw error
        },
      },
    )
    loop.start([])
    loop.post({ type: 'heard' }, { type: 'ticked' })
    expect(facts.map(({ type }) => type)).toEqual(['heard', 'delayed', 'ticked'])
    loop.stop()
  })

  it('says nothing when it was not', () => {
    const { loop, facts } = started(60_000)
    loop.post({ type: 'heard' })
    expect(facts).toEqual([{ type: 'heard' }])
    loop.stop()
  })
})
