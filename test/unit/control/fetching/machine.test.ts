/** The machine of a get: what follows from what its holders say and bring. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { FetchConfig, FetchFact, FetchWish } from '../../../../src/control/fetching/events.js'
import { FetchMachine } from '../../../../src/control/fetching/machine.js'
import type { FetchOffer } from '../../../../src/control/messages/types.js'

const block = 65_536
const size = 8 * block
const fileDigest = `xxh64-blocks/${block}:${'0'.repeat(16)}`
const name = { name: 'f', nameIsBase64: false }
const digests = Uint8Array.from({ length: 8 * 8 }, (_, at) => Math.floor(at / 8) + 1)
const digestOf = (at: number): Uint8Array => digests.slice(at * 8, at * 8 + 8)

const offer: FetchOffer = {
  transfer: 'a'.repeat(32),
  you: 1,
  edge: { id: 'b'.repeat(32), secret: 'c'.repeat(64) },
  entry: {
    ...{ stream: 0, contentId: 'd'.repeat(32), ...name, base: 0, span: size, size },
    ...{ author: 'e'.repeat(64), dataBytes: size, mode: 0o644, mtimeSeconds: 0, mtimeNanos: 0 },
  },
  digest: 'xxh64',
  fileDigest,
}

class Bench {
  readonly machine: FetchMachine
  nowMs = 1_000
  wishes: FetchWish[]

  constructor(count: number, timeoutMs: number | null = null, more: Partial<FetchConfig> = {}) {
    const holders = Array.from({ length: count }, (_, i) => `h${i + 1}:1`)
    const silenceMs = 15_000
    const config = { holders, range: null, aheadBytes: null, silenceMs, timeoutMs, ...more }
    this.machine = new FetchMachine(config, name, this.nowMs)
    this.wishes = this.machine.start(this.nowMs)
  }

  tell(...facts: FetchFact[]): FetchWish[] {
    this.wishes = facts.flatMap((fact) => this.machine.handle(fact, this.nowMs))
    return this.wishes
  }

  /** To the machine's own deadline. */
  wait(): FetchWish[] {
    this.nowMs = Math.max(this.nowMs + 1, this.machine.deadlineMs() ?? 0)
    return this.tell({ type: 'due' })
  }

  offered(member: number, said = offer): FetchWish[] {
    return this.tell(
      { type: 'linked', member, nodeId: '', rttMs: 1 },
      { type: 'said', member, frame: { type: 'fetched', ...said } },
    )
  }

  /** All holders are fed from, and the digests of the first are asked for. */
  begun(count: number): void {
    for (let member = 1; member <= count; member++) this.offered(member)
    this.tell({ type: 'opened', found: [] })
    for (let member = 1; member <= count; member++) this.tell({ type: 'fedIn', member })
  }

  proved(): FetchWish[] {
    return this.tell(
      { type: 'digests', member: 1, offset: 0, length: size, digests },
      { type: 'summed', fileDigest },
    )
  }

  landed(at: number, scratch = false, found = digestOf(at)): FetchWish[] {
    return this.tell({
      ...{ type: 'landed', scratch, offset: at * block, length: block, digests: found },
    })
  }
}

const types = (wishes: readonly FetchWish[]): string[] => wishes.map(({ type }) => type)
const end = (wishes: readonly FetchWish[]) => wishes.find((wish) => wish.type === 'end')

describe('a fetch', () => {
  it('dials all holders, asks for the name, opens the file of what is offered', () => {
    const bench = new Bench(2)
    expect(bench.wishes).toEqual([
      { type: 'connect', member: 1 },
      { type: 'connect', member: 2 },
    ])
    const [asked] = bench.tell({ type: 'linked', member: 2, nodeId: '', rttMs: 1 })
    expect(asked).toEqual({ type: 'say', member: 2, frame: { type: 'fetch', ...name } })
    expect(bench.tell({ type: 'said', member: 2, frame: { type: 'fetched', ...offer } })).toEqual(
      [],
    )
    // The first in the list has a second to say what it holds.
    expect(types(bench.offered(1))).toEqual(['say', 'open'])
  })

  it('does not wait for a silent holder for long', () => {
    const bench = new Bench(2)
    bench.offered(2)
    expect(types(bench.wait())).toContain('open')
    expect(bench.nowMs).toBe(1_000 + limits.fetchChooseMs)
  })

  it('counts blocks only once the digests give the file digest', () => {
    const bench = new Bench(1)
    bench.begun(1)
    for (let at = 0; at < 8; at++) expect(types(bench.landed(at))).not.toContain('verified')
    expect(types(bench.proved())).toContain('verified')
    expect(end(bench.wishes)).toEqual({ type: 'end', failure: null })
  })

  it('does not believe digests that give another file digest', () => {
    const bench = new Bench(2)
    bench.begun(2)
    bench.tell({ type: 'digests', member: 1, offset: 0, length: size, digests })
    const wishes = bench.tell({ type: 'summed', fileDigest: `${fileDigest.slice(0, -1)}1` })
    expect(wishes).toContainEqual({ type: 'hangUp', member: 1 })
    const asked = { type: 'needDigests', ranges: [[0, size]] }
    expect(wishes).toContainEqual({ type: 'say', member: 2, frame: asked })
  })

  it('has a wrong block sent again, and copies the repair in', () => {
    const bench = new Bench(1)
    bench.begun(1)
    bench.proved()
    const wishes = bench.landed(3, false, digestOf(4))
    const need = { type: 'need', scratch: true, ranges: [[3 * block, block]] }
    expect(wishes).toContainEqual({ type: 'say', member: 1, frame: need })
    expect(bench.landed(3, true)).toContainEqual({
      ...{ type: 'copyIn', offset: 3 * block, length: block },
    })
    bench.tell({ type: 'copied', offset: 3 * block, length: block })
    const hash = { type: 'hash', part: 'file', offset: 3 * block, length: block } as const
    expect([...bench.wishes, ...bench.wait()]).toContainEqual(hash)
    const verified = bench.tell({ ...hash, type: 'hashed', digests: digestOf(3) })
    expect(types(verified)).toContain('verified')
  })

  it('does not ask for what came late from a holder that is out', () => {
    const bench = new Bench(2)
    bench.offered(1)
    bench.offered(2)
    bench.tell({ type: 'opened', found: [] }, { type: 'fedIn', member: 1 })
    bench.proved()
    bench.tell({ type: 'unlinked', member: 1, code: 'ERR_FR_PROTOCOL', text: 'broken' })
    bench.landed(3)
    const wishes = [...bench.tell({ type: 'fedIn', member: 2 }), ...bench.wait()]
    const asked = wishes.flatMap((wish) =>
      wish.type === 'say' && wish.frame.type === 'pull' ? wish.frame.ranges : [],
    )
    expect(asked[0]).toEqual([0, 3 * block])
    expect(asked.every(([from, bytes]) => from + bytes <= 3 * block || from >= 4 * block)).toBe(
      true,
    )
  })

  it('holds what an earlier fetch left where it is right, and fetches the rest', () => {
    const bench = new Bench(1)
    bench.offered(1)
    const left = new Uint8Array([...digestOf(0), ...digestOf(7)])
    bench.tell({ type: 'opened', found: [{ offset: 0, length: 2 * block, digests: left }] })
    bench.tell({ type: 'fedIn', member: 1 })
    const wishes = bench.proved()
    expect(wishes).toContainEqual({ type: 'hold', offset: 0, length: block })
    expect(wishes.filter(({ type }) => type === 'hold')).toHaveLength(1)
    const next = [2, 3, 4, 5].flatMap((at) => bench.landed(at))
    const asked = next.flatMap((wish) =>
      wish.type === 'say' && wish.frame.type === 'pull' ? wish.frame.ranges : [],
    )
    expect(asked.some(([offset]) => offset === block)).toBe(true)
  })

  it('says of each holder why, when nobody is left', () => {
    const bench = new Bench(2)
    const refuse = { type: 'refuse', code: 'ERR_FR_NOT_HELD', text: 'no such file' } as const
    for (const member of [1, 2])
      bench.tell({ type: 'linked', member, nodeId: '' }, { type: 'said', member, frame: refuse })
    const text = 'no node offers the file: h1:1: no such file; h2:1: no such file'
    expect(end(bench.wishes)).toEqual({ type: 'end', failure: { code: 'ERR_FR_NOT_HELD', text } })
    expect(bench.machine.deadlineMs()).toBeNull()
  })

  it.each([
    [null, 'ERR_FR_UNREACHABLE'],
    [2_000, 'ERR_FR_TIMEOUT'],
  ] as const)('ends in time (%o) when a holder cannot be reached', (timeoutMs, code) => {
    const bench = new Bench(1, timeoutMs)
    for (let tries = 0; end(bench.wishes) === undefined; tries++) {
      expect(tries).toBeLessThan(100)
      if (bench.wishes.some(({ type }) => type === 'connect'))
        bench.tell({ type: 'unlinked', member: 1, code: 'ERR_FR_UNREACHABLE', text: 'no' })
      if (end(bench.wishes) === undefined) bench.wait()
    }
    expect(end(bench.wishes)).toMatchObject({ failure: { code } })
    expect(bench.nowMs - 1_000).toBeLessThanOrEqual(timeoutMs ?? limits.fetchSilenceMs)
  })

  it('ends where one says that the name is no file, and nobody offers one', () => {
    const bench = new Bench(2)
    bench.tell({ type: 'linked', member: 1, nodeId: '', rttMs: 1 })
    const frame = { type: 'refuse', code: 'ERR_FR_UNSUPPORTED', text: 'is a tree' } as const
    expect(end(bench.tell({ type: 'said', member: 1, frame }))).toBe(undefined)
    const lost = { code: 'ERR_FR_UNREACHABLE', text: 'nobody is there' } as const
    expect(end(bench.tell({ type: 'unlinked', member: 2, ...lost }))).toMatchObject({
      failure: { code: 'ERR_FR_UNSUPPORTED' },
    })
  })

  it('asks a holder for bytes as soon as it can be asked', () => {
    const bench = new Bench(1)
    bench.offered(1)
    bench.tell({ type: 'opened', found: [] })
    const pull = { type: 'pull', request: 0, ranges: [[0, 4 * block]] }
    const wishes = bench.tell({ type: 'fedIn', member: 1 })
    expect(wishes).toContainEqual({ type: 'say', member: 1, frame: pull })
  })

  it('blames a wrong block on who was asked for it, and on nobody where that were two', () => {
    const bench = new Bench(2)
    bench.begun(2)
    bench.proved()
    const [first, second] = bench.machine.holders
    const wrong = digestOf(7).map((byte) => byte ^ 1)
    // Each is asked for four blocks; the first may have brought a part of its own.
    bench.tell({ type: 'unfed', member: 1, direction: 'in', code: null, text: null })
    bench.landed(4, false, wrong)
    expect([first?.wrongBlocks, second?.wrongBlocks]).toEqual([0, 1])
    for (const at of [5, 6, 7]) bench.landed(at)
    for (const at of [0, 1, 2]) bench.landed(at, false, wrong)
    expect([first?.wrongBlocks, second?.wrongBlocks]).toEqual([0, 1])
    expect(second?.state).toBe('open')
  })
})

describe('a fetch of one content', () => {
  it('takes it from nobody who holds another one', () => {
    const bench = new Bench(1, null, { fileDigest: `${fileDigest.slice(0, -1)}1` })
    const failed = end(bench.offered(1))
    expect(failed?.failure?.code).toBe('ERR_FR_NOT_HELD')
  })

  it('asks for no digests where they were proved before, and counts what was found', () => {
    const bench = new Bench(1)
    bench.offered(1)
    const found = [{ offset: 0, length: 2 * block, digests: digests.slice(0, 16) }]
    const opened = bench.tell({ type: 'opened', found, digests })
    expect(opened).toContainEqual(
      expect.objectContaining({ type: 'verified', offset: 0, length: 2 * block, isFound: true }),
    )
    const fed = bench.tell({ type: 'fedIn', member: 1 })
    const said = fed.flatMap((wish) => (wish.type === 'say' ? wish.frame.type : []))
    expect(new Set(said)).toEqual(new Set(['pull']))
    for (let at = 2; at < 7; at++) expect(end(bench.landed(at))).toBeUndefined()
    expect(end(bench.landed(7))).toEqual({ type: 'end', failure: null })
  })

  it('ends once all has come that its holder has got, where the rest is final', () => {
    const bench = new Bench(1, null, { isLackFinal: true })
    bench.offered(1)
    bench.tell({ type: 'opened', found: [], digests })
    const pulls = bench.tell({ type: 'fedIn', member: 1 }).flatMap((wish) => {
      return wish.type === 'say' && wish.frame.type === 'pull' ? [wish.frame] : []
    })
    const ends: unknown[] = []
    const answer = ({ request, ranges: [range] }: (typeof pulls)[0]): void => {
      const [offset, length] = range as readonly [number, number]
      const has = Math.max(0, Math.min(offset + length, 6 * block) - offset)
      const ranges = has === 0 ? [] : ([[offset, has]] as const)
      const frame = { type: 'holding', request, ranges, backlogBytes: 0 } as const
      const told = bench.tell({ type: 'said', member: 1, frame })
      for (let at = offset / block; at * block < offset + has; at++) told.push(...bench.landed(at))
      ends.push(...told.filter(({ type }) => type === 'end'))
      for (const wish of told)
        if (wish.type === 'say' && wish.frame.type === 'pull') answer(wish.frame)
    }
    for (const pull of pulls) answer(pull)
    expect(ends).toMatchObject([{ failure: { code: 'ERR_FR_NOT_HELD' } }])
  })

  it('waits without an end for a holder that has no more yet, where it follows', () => {
    const ends: unknown[] = []
    for (const isFollowing of [true, false]) {
      const bench = new Bench(1, null, { isFollowing })
      bench.offered(1)
      bench.tell({ type: 'opened', found: [], digests })
      let wishes = bench.tell({ type: 'fedIn', member: 1 })
      let answers = 0
      while (wishes.every(({ type }) => type !== 'end') && answers < 100) {
        for (const wish of wishes) {
          if (wish.type !== 'say' || wish.frame.type !== 'pull') continue
          const { request } = wish.frame
          const none = { type: 'holding', request, ranges: [], backlogBytes: 0 } as const
          bench.tell({ type: 'said', member: 1, frame: none })
          answers++
        }
        wishes = bench.wait()
      }
      if (answers < 100) ends.push(isFollowing)
    }
    expect(ends).toEqual([false])
  })

  it('goes on with what is wanted later, where it stands, and ends when its holder leaves', () => {
    const range = { first: 0, last: block - 1 }
    const bench = new Bench(1, null, { range, isStanding: true })
    bench.tell({ type: 'wanted', ranges: [[2 * block, block]] })
    bench.offered(1)
    bench.tell({ type: 'opened', found: [], digests })
    const pulled = (wishes: readonly FetchWish[]) =>
      wishes.flatMap((wish) =>
        wish.type === 'say' && wish.frame.type === 'pull' ? wish.frame.ranges : [],
      )
    const asked = pulled(bench.tell({ type: 'fedIn', member: 1 }))
    expect(asked).toEqual([
      [0, block],
      [2 * block, block],
    ])
    for (const at of [0, 2]) expect(types(bench.landed(at))).toContain('verified')
    // It rests: nothing is due, however long.
    expect(bench.machine.deadlineMs()).toBeNull()
    bench.nowMs += 3_600_000
    const more = bench.tell({ type: 'wanted', ranges: [[4 * block, 2 * block]] })
    expect(pulled(more)).toEqual([[4 * block, 2 * block]])
    expect(end(bench.landed(4))).toBeUndefined()
    expect(types(bench.landed(5))).toContain('verified')
    const lost = { type: 'unlinked', member: 1, code: 'ERR_FR_NODE_LOST', text: 'gone' } as const
    expect(end(bench.tell(lost))).toMatchObject({ failure: { code: 'ERR_FR_NODE_LOST' } })
  })
})
