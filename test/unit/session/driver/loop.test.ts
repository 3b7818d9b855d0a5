/** The loop around a machine: what time passes for it while its process has no turn. */
import { describe, expect, it } from 'vitest'
import { awakeMs, nowMs, unwatch, watch } from '../../../../src/base/time/awake.js'
import { Loop, type Machine } from '../../../../src/session/driver/loop.js'
import { processClock } from '../../../../src/session/sockets.js'

type Heard = { readonly type: 'heard' }
type Told = Heard | { readonly type: 'due' }

const heard: Heard = { type: 'heard' }

/** Notes when it was told what; wishes for `work` once, and is to be asked at `dueMs`. */
class Recorder implements Machine<Told, 'work'> {
  readonly facts: { readonly fact: Told; readonly atMs: number }[] = []
  dueMs: number | null = null
  #reached: (() => void) | undefined

  handle(fact: Told, atMs: number): 'work'[] {
    this.facts.push({ fact, atMs })
    if (this.dueMs !== null && atMs >= this.dueMs) {
      this.dueMs = null
      this.#reached?.()
    }
    return this.facts.length === 1 ? ['work'] : []
  }

  deadlineMs(): number | null {
    return this.dueMs
  }

  reached(): Promise<void> {
    return new Promise((resolve) => {
      this.#reached = resolve
    })
  }

  /** How much time passed for the machine between its first fact and its last. */
  get elapsedMs(): number {
    return (this.facts.at(-1)?.atMs ?? 0) - (this.facts[0]?.atMs ?? 0)
  }
}

function sleepWithoutTurning(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function loopOf(machine: Recorder, work: () => void = () => {}): Loop<Heard, 'work'> {
  return new Loop<Heard, 'work'>(machine, processClock, {
    execute: work,
    crashed: (error) => {
      throw error
    },
  })
}

/** What comes after this much of a sleep is lost: the next beat of the clock. */
const beatMs = 100

describe('the time of a machine', () => {
  it('stands still while its process has no turn', () => {
    const machine = new Recorder()
    const loop = loopOf(machine)
    loop.start([])
    loop.post(heard)
    sleepWithoutTurning(350)
    loop.post(heard)
    expect(machine.elapsedMs).toBeLessThanOrEqual(beatMs)
    loop.stop()
  })

  it('stands still while a wish is carried out that takes the turn of everybody', () => {
    const machine = new Recorder()
    const loop = loopOf(machine, () => sleepWithoutTurning(350))
    loop.start([])
    loop.post(heard, heard)
    expect(machine.facts).toHaveLength(2)
    expect(machine.elapsedMs).toBeLessThanOrEqual(beatMs)
    loop.stop()
  })

  it('reaches a deadline that fell into lost time only after as much time awake', async () => {
    const machine = new Recorder()
    const loop = loopOf(machine)
    watch()
    machine.dueMs = awakeMs() + 150
    const { dueMs } = machine
    loop.start([])
    sleepWithoutTurning(400)
    const turnMs = nowMs()
    await machine.reached()
    expect(nowMs() - turnMs).toBeGreaterThan(150 - beatMs - 1)
    expect(machine.facts.at(-1)?.fact).toEqual({ type: 'due' })
    expect(machine.facts.at(-1)?.atMs).toBeGreaterThanOrEqual(dueMs)
    loop.stop()
    unwatch()
  })
})

describe('the awake clock', () => {
  it('never goes back, also where lateness turns out to be lost time', () => {
    watch()
    const [sinceMs, awake] = [nowMs(), awakeMs()]
    let lastMs = awake
    let stepsBack = 0
    while (nowMs() - sinceMs < 350) {
      const ms = awakeMs()
      if (ms < lastMs) stepsBack += 1
      lastMs = ms
    }
    unwatch()
    expect(stepsBack).toBe(0)
    expect(lastMs - awake).toBeLessThan(350)
  })

  it('goes on with the other clock in a process that has its turns', async () => {
    watch()
    const [sinceMs, awake] = [nowMs(), awakeMs()]
    const turn = () => new Promise((resolve) => setTimeout(resolve, 5))
    while (awakeMs() - awake < 250) await turn()
    expect(nowMs() - sinceMs).toBeGreaterThanOrEqual(249)
    unwatch()
  })
})
