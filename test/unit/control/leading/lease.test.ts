/**
 * Several that may lead over one stored value: clocks apart and of different speed, requests and
 * replies lost or late, processes that sleep in the middle. Never do two lead at one moment, and
 * nothing that was confirmed is lost; faults that are put in are found.
 */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import {
  Lease,
  type LeaseSpec,
  type LeaseStep,
  type SeenHead,
  type Stamp,
} from '../../../../src/control/leading/lease.js'
import { Random } from '../../../../src/sim/random.js'

interface Held extends Stamp {
  /** What was stored before, of which this is the continuation; null: nothing. */
  readonly before: Held | null
}

interface Candidate {
  readonly id: string
  readonly lease: Lease
  readonly clock: (ms: number) => number
  isBusy: boolean
  asleepUntilMs: number
  /** What it believes to be stored. */
  known: Held
}

const times: Omit<LeaseSpec, 'id'> = {
  ...{ leaseMs: limits.leaseMs, patienceMs: limits.leasePatienceMs },
  ...{ beatMs: limits.leaseBeatMs, lookMs: limits.leaseLookMs },
}
const nobody: Held = { term: 0, holder: null, beat: 0, before: null }

interface Faults {
  readonly times?: Partial<LeaseSpec>
  /** What is stored is replaced whoever wrote it last. */
  readonly isBlind?: boolean
}

interface Outcome {
  readonly doubled: number
  readonly lost: number
  readonly terms: number
  readonly confirmed: number
  readonly leadsAtEnd: number
}

/** A minute, of which the last quarter is calm. */
function run(seed: number, faults: Faults = {}): Outcome {
  const source = new Random(seed)
  const random = (): number => source.next()
  const queue: { atMs: number; step: () => void }[] = []
  const at = (atMs: number, step: () => void): void => {
    queue.push({ atMs, step })
  }
  let [nowMs, doubled, revision] = [0, 0, 0]
  let stored = nobody
  const confirmed = new Set<Held>()
  const isCalm = (): boolean => nowMs > 45_000
  const chance = (of: number): boolean => !isCalm() && random() < of
  const delay = (): number => (chance(0.1) ? random() * 4_000 : random() * (isCalm() ? 20 : 150))

  const candidates = ['a', 'b', 'c'].map((id): Candidate => {
    const [ahead, speed] = [random() * 1e9, 0.98 + random() * 0.04]
    return {
      ...{ id, clock: (ms: number) => ahead + ms * speed, isBusy: false, asleepUntilMs: 0 },
      ...{ lease: new Lease({ id, ...times, ...faults.times }), known: nobody },
    }
  })

  const look = (): void => {
    const leading = candidates.filter(({ lease, clock }) => lease.mayLead(clock(nowMs)))
    if (leading.length > 1) doubled += 1
  }

  /** To the store and back; what does not come back in time has failed. */
  const ask = (one: Candidate, act: () => (() => void) | null): void => {
    let isOver = false
    one.isBusy = true
    const end = (how: () => void): void => {
      if (isOver) return
      isOver = true
      one.isBusy = false
      how()
    }
    at(nowMs + limits.leaseRequestMs, () => end(() => one.lease.failed()))
    if (chance(0.05)) return
    at(nowMs + delay(), () => {
      const reply = act()
      if (chance(0.05)) return
      at(nowMs + delay(), () => end(() => (reply === null ? one.lease.failed() : reply())))
    })
  }

  const write = (one: Candidate, { revision: of, stamp }: LeaseStep & { type: 'write' }) => {
    const next: Held = { ...stamp, before: one.known }
    ask(one, () => {
      if (of !== revision && faults.isBlind !== true) return null
      stored = next
      revision += 1
      const given = revision
      return () => {
        one.known = next
        one.lease.wrote(given, one.clock(nowMs))
        confirmed.add(next)
      }
    })
  }

  const turn = (one: Candidate): void => {
    if (one.isBusy) return
    if (chance(0.01)) one.asleepUntilMs = nowMs + random() * 6_000
    const local = one.clock(nowMs)
    const step = one.lease.next(local)
    if (step.type === 'wait') return
    if (step.type === 'write') return write(one, step)
    ask(one, () => {
      const [seen, held]: [SeenHead, Held] = [{ ...stored, revision }, stored]
      return () => {
        one.known = held
        one.lease.saw(seen, one.clock(nowMs))
      }
    })
  }

  const tick = (one: Candidate): void => {
    if (nowMs >= one.asleepUntilMs) turn(one)
    at(nowMs + 10 + random() * 40, () => tick(one))
  }
  for (const one of candidates) at(random() * 100, () => tick(one))
  while (nowMs < 60_000) {
    let first = 0
    for (const [i, { atMs }] of queue.entries())
      if (atMs < (queue[first]?.atMs ?? Infinity)) first = i
    const [next] = queue.splice(first, 1)
    if (next === undefined) break
    nowMs = next.atMs
    next.step()
    look()
  }
  const all = new Set<Held>()
  for (let held: Held | null = stored; held !== null; held = held.before) all.add(held)
  const lost = [...confirmed].filter((one) => !all.has(one)).length
  const leadsAtEnd = candidates.filter((one) => one.lease.mayLead(one.clock(nowMs))).length
  return { doubled, lost, terms: stored.term, confirmed: confirmed.size, leadsAtEnd }
}

const seeds = Array.from({ length: 16 }, (_, i) => i + 1)
const isDoubled = (faults: Faults): boolean => seeds.some((seed) => run(seed, faults).doubled > 0)

describe('a lease that several want', () => {
  it('is held by one at a time, is had again soon, and nothing that was confirmed is lost', () => {
    let terms = 0
    for (const seed of seeds) {
      const { doubled, lost, leadsAtEnd, confirmed, ...more } = run(seed)
      expect({ seed, doubled, lost, leadsAtEnd }).toEqual({
        seed,
        doubled: 0,
        lost: 0,
        leadsAtEnd: 1,
      })
      expect(confirmed).toBeGreaterThan(40)
      terms += more.terms
    }
    expect(terms).toBeGreaterThan(3 * seeds.length)
  })

  it('finds a patience that is shorter than the lease', () => {
    expect(isDoubled({ times: { patienceMs: limits.leaseMs / 2 } })).toBe(true)
  })

  it('finds what is stored replaced by one who did not know of it', () => {
    expect(seeds.some((seed) => run(seed, { isBlind: true }).lost > 0)).toBe(true)
  })

  it('finds a lease that is longer than others know', () => {
    expect(isDoubled({ times: { leaseMs: 2 * limits.leasePatienceMs } })).toBe(true)
  })
})

describe('one that leads', () => {
  const spec = { id: 'a', ...times }
  const step = (lease: Lease, nowMs: number) => lease.next(nowMs)
  const took = () => {
    const lease = new Lease(spec)
    lease.saw({ revision: 0, term: 0, holder: null, beat: 0 }, 0)
    expect(step(lease, 0)).toEqual({
      ...{ type: 'write', revision: 0, stamp: { term: 1, holder: 'a', beat: 1 } },
    })
    lease.wrote(7, 100)
    return lease
  }

  it('counts from when it wrote, not from when it was told so', () => {
    const lease = took()
    expect([limits.leaseMs - 1, limits.leaseMs].map((ms) => lease.mayLead(ms))).toEqual([
      true,
      false,
    ])
    expect(step(lease, limits.leaseMs)).toEqual({ type: 'read' })
  })

  it('writes again where it does not know whether it has written', () => {
    const lease = took()
    expect(step(lease, limits.leaseBeatMs)).toMatchObject({ revision: 7, stamp: { beat: 2 } })
    lease.failed()
    expect(step(lease, 900)).toEqual({ type: 'read' })
    // It had been stored.
    lease.saw({ revision: 8, term: 1, holder: 'a', beat: 2 }, 910)
    expect(lease.untilMs).toBe(limits.leaseBeatMs + limits.leaseMs)
    lease.hurry()
    expect(step(lease, 920)).toMatchObject({ revision: 8, stamp: { beat: 3 } })
    lease.failed()
    // It had not; what others may have seen is the one before.
    lease.saw({ revision: 8, term: 1, holder: 'a', beat: 2 }, 930)
    expect(lease.untilMs).toBe(limits.leaseBeatMs + limits.leaseMs)
  })

  it('is over once somebody else leads, and can be given up', () => {
    const lease = took()
    step(lease, limits.leaseBeatMs)
    lease.failed()
    lease.saw({ revision: 9, term: 2, holder: 'b', beat: 1 }, 500)
    expect(lease.mayLead(500)).toBe(false)
    expect(lease.release(500)).toBeNull()
    const other = took()
    expect(other.release(200)).toMatchObject({ revision: 7, stamp: { term: 1, holder: null } })
    expect(other.mayLead(200)).toBe(false)
    const follower = new Lease({ ...spec, id: 'c' })
    follower.saw({ revision: 8, term: 1, holder: null, beat: 2 }, 0)
    expect(step(follower, 0)).toMatchObject({ stamp: { term: 2, holder: 'c' } })
  })
})
