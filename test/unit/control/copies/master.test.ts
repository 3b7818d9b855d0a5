/** The master with nodes that do what they are told, on a virtual clock. */
import { describe, expect, it } from 'vitest'
import { parseCriteria } from '../../../../src/base/criteria.js'
import type { RangePair } from '../../../../src/base/ranges.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import { Master, type MasterNote, type MasterSpec } from '../../../../src/control/copies/master.js'
import type { Copy } from '../../../../src/control/copies/scheduler.js'
import { setRows } from '../../../../src/control/copies/set-rows.js'
import type { FileSet } from '../../../../src/control/copies/sets.js'
import type { Ended, HeldThere } from '../../../../src/control/messages/mastering.js'

const MB = 1e6

function setFor(
  name: string,
  files: readonly string[],
  where: string,
  more: Partial<FileSet> = {},
): FileSet {
  return {
    ...{ name, where: parseCriteria(where), priority: 5, never: null, from: null },
    files: files.map((file) => {
      const [one, digest = null] = file.split('@')
      return { name: one as string, digest }
    }),
    ...more,
  }
}

interface Content {
  readonly name: string
  readonly contentId: string
  readonly size: number
  readonly isGrowing: boolean
}

/** What each node has in truth. */
class Fleet {
  readonly master: Master
  readonly nodes = new Map<string, Map<string, RangeSet>>()
  readonly contents = new Map<string, Content>()
  readonly notes: MasterNote[] = []
  readonly running = new Map<number, { copy: Copy; contentId: string; endsMs: number }>()
  readonly away = new Set<string>()
  /** Files that sources say they have and have not. */
  readonly lies = new Set<string>()
  copies = 0
  orders = 0
  nowMs = 0

  constructor(spec?: MasterSpec) {
    this.master = new Master(spec)
  }

  join(name: string, attributes: Record<string, string> = {}, rate = 12.5 * MB): void {
    const { site = 'here' } = attributes
    this.away.delete(name)
    if (!this.nodes.has(name)) this.nodes.set(name, new Map())
    const [up, down] = [{ bytesPerSecond: rate }, { bytesPerSecond: rate }]
    const all = { ...attributes, name, site }
    this.master.post({ type: 'joined', node: name, site, attributes: all, up, down }, this.nowMs)
    this.say(name)
  }

  leave(name: string): void {
    this.away.add(name)
    for (const [id, { copy }] of this.running)
      if ([copy.source, copy.target].some((one) => this.master.network.nodeName(one) === name))
        this.running.delete(id)
    this.master.post({ type: 'left', node: name }, this.nowMs)
  }

  put(node: string, contentId: string, name: string, size: number, isGrowing = false): void {
    this.contents.set(contentId, { name, contentId, size, isGrowing })
    this.nodes.get(node)?.set(contentId, RangeSet.of([[0, size]]))
    this.say(node)
  }

  /** A node tells all that it has. */
  say(node: string, freeBytes = 1e12): void {
    const files = [...(this.nodes.get(node) ?? [])].map(([id, held]): HeldThere => {
      const { name, contentId, size, isGrowing } = this.contents.get(id) as Content
      const isAll = held.bytes === size
      return {
        ...{ name, contentId, size, isGrowing },
        digest: isGrowing ? null : `digest of ${contentId}`,
        ranges: isAll ? null : held.toArray(),
      }
    })
    this.master.post({ type: 'state', node, files, gone: [], isAll: true, freeBytes }, this.nowMs)
  }

  sets(...sets: FileSet[]): void {
    this.master.post({ type: 'sets', sets }, this.nowMs)
  }

  has(node: string, contentId: string): boolean {
    const held = this.nodes.get(node)?.get(contentId)
    return held !== undefined && held.bytes === this.contents.get(contentId)?.size
  }

  run(forMs = 10_000_000): void {
    const until = this.nowMs + forMs
    for (let steps = 0; steps < 50_000; steps++) {
      this.#carryOut()
      const ends = [...this.running.values()].map(({ endsMs }) => endsMs)
      const isWanted = [...this.nodes.keys()].some((node) => this.master.lacking(node).length > 0)
      const due = isWanted ? this.master.dueMs : Number.POSITIVE_INFINITY
      const next = Math.min(due, ...ends)
      if (next > until) {
        if (next < Number.POSITIVE_INFINITY) this.nowMs = Math.max(this.nowMs, until)
        return
      }
      this.nowMs = Math.max(this.nowMs, next)
      for (const [id, { copy, contentId, endsMs }] of [...this.running]) {
        if (endsMs > this.nowMs) continue
        this.running.delete(id)
        this.#ended(id, copy, contentId)
      }
    }
    throw new Error(`no end at ${this.nowMs} ms`)
  }

  #carryOut(): void {
    for (const wish of this.master.advance(this.nowMs)) {
      if (wish.type === 'note') this.notes.push(wish.note)
      if (wish.type === 'stop') this.running.delete(wish.copy.id)
      if (wish.type !== 'copy' || this.away.has(wish.node)) continue
      const { copy, version } = wish
      this.copies += copy.length
      this.orders += 1
      const endsMs = this.nowMs + Math.max(1, (copy.length / copy.rate) * 1_000)
      this.running.set(copy.id, { copy, contentId: version.contentId, endsMs })
    }
  }

  #ended(id: number, copy: Copy, contentId: string): void {
    const [source, node] = [copy.source, copy.target].map((one) =>
      this.master.network.nodeName(one),
    )
    const range: RangePair = [copy.offset, copy.length]
    const held = this.nodes.get(source as string)?.get(contentId)
    const isThere = held?.contains(...range) === true && !this.lies.has(source as string)
    const mine = this.nodes.get(node as string) as Map<string, RangeSet>
    if (isThere) mine.set(contentId, mine.get(contentId) ?? new RangeSet())
    if (isThere) mine.get(contentId)?.add(...range)
    const ended: Ended = isThere
      ? { bytes: copy.length, cause: null, blames: [] }
      : { bytes: 0, cause: 'absent', blames: ['source'] }
    this.master.post({ type: 'copied', node: node as string, copy: id, ended }, this.nowMs)
  }
}

const fleetOf = (count: number, spec?: MasterSpec) => {
  const fleet = new Fleet(spec)
  const names = Array.from({ length: count }, (_, i) => `n${i}`)
  for (const name of names) fleet.join(name)
  return { fleet, names }
}

describe('Master', () => {
  it('has each node hold its set, and nothing copied twice', () => {
    const { fleet, names } = fleetOf(6)
    fleet.sets(setFor('all', ['a', 'b'], 'name=n*'))
    fleet.put('n0', 'A', 'a', 50 * MB)
    fleet.put('n1', 'B', 'b', 30 * MB)
    fleet.run()
    for (const name of names)
      expect([fleet.has(name, 'A'), fleet.has(name, 'B')]).toEqual([true, true])
    expect(fleet.copies).toBe(5 * 50 * MB + 5 * 30 * MB)
    expect(names.flatMap((name) => fleet.master.lacking(name))).toEqual([])
  })

  it('brings the latest of a name, and the one of a digest where a set says which', () => {
    const { fleet } = fleetOf(3)
    fleet.sets(setFor('new', ['a'], 'name=n1'), setFor('old', ['a@digest of A1'], 'name=n2'))
    fleet.put('n0', 'A1', 'a', 20 * MB)
    fleet.run()
    expect([fleet.has('n1', 'A1'), fleet.has('n2', 'A1')]).toEqual([true, true])
    fleet.put('n0', 'A2', 'a', 21 * MB)
    fleet.run()
    expect([fleet.has('n1', 'A2'), fleet.has('n2', 'A2')]).toEqual([true, false])
  })

  it('follows a file that grows to its end', () => {
    const { fleet, names } = fleetOf(3)
    fleet.sets(setFor('log', ['log'], 'name'))
    fleet.put('n0', 'L', 'log', 10 * MB, true)
    fleet.run(60_000)
    expect(fleet.has('n2', 'L')).toBe(true)
    expect(fleet.master.lacking('n2')).toHaveLength(1)
    fleet.put('n0', 'L', 'log', 25 * MB, false)
    fleet.run()
    for (const name of names) expect(fleet.has(name, 'L')).toBe(true)
    expect(fleet.master.lacking('n2')).toEqual([])
    expect(fleet.copies).toBe(2 * 25 * MB)
  })

  it('takes from others what a node says it has and has not', () => {
    const { fleet } = fleetOf(3)
    fleet.put('n0', 'A', 'a', 40 * MB)
    fleet.put('n1', 'A', 'a', 40 * MB)
    fleet.lies.add('n0')
    fleet.sets(setFor('all', ['a'], 'name=n2'))
    fleet.run()
    expect(fleet.has('n2', 'A')).toBe(true)
  })

  it('goes on with a node that was away, for what it still lacks', () => {
    const { fleet, names } = fleetOf(4)
    fleet.sets(setFor('all', ['a'], 'name'))
    fleet.put('n0', 'A', 'a', 100 * MB)
    fleet.run(5_000)
    fleet.leave('n3')
    fleet.run()
    expect(names.map((name) => fleet.has(name, 'A'))).toEqual([true, true, true, false])
    const before = fleet.copies
    const had = fleet.nodes.get('n3')?.get('A')?.bytes ?? 0
    expect(had).toBeGreaterThan(0)
    fleet.join('n3')
    fleet.run()
    expect(fleet.has('n3', 'A')).toBe(true)
    expect(fleet.copies - before).toBe(100 * MB - had)
  })

  it('asks a node again that never spoke of its copy, and notes what failed', () => {
    const { fleet } = fleetOf(2)
    fleet.sets(setFor('all', ['a'], 'name'))
    fleet.put('n0', 'A', 'a', 5 * MB)
    const [wish] = fleet.master.advance(0).filter(({ type }) => type === 'copy')
    expect(wish).toBeDefined()
    fleet.run()
    expect(fleet.has('n1', 'A')).toBe(true)
    expect(fleet.nowMs).toBeGreaterThanOrEqual(30_000)
  })

  it('sends nothing to and takes nothing from a node that is drained', () => {
    const { fleet } = fleetOf(3)
    fleet.sets(setFor('all', ['a'], 'name'))
    fleet.master.post({ type: 'drain', node: 'n1', isDrained: true }, 0)
    fleet.put('n0', 'A', 'a', 20 * MB)
    fleet.run()
    expect([fleet.has('n1', 'A'), fleet.has('n2', 'A')]).toEqual([false, true])
    fleet.master.post({ type: 'drain', node: 'n1', isDrained: false }, fleet.nowMs)
    fleet.master.post({ type: 'drain', node: 'n0', isDrained: true }, fleet.nowMs)
    fleet.run()
    expect(fleet.has('n1', 'A')).toBe(true)
  })

  it('asks for nothing that a node has no room for', () => {
    const { fleet } = fleetOf(2)
    fleet.put('n0', 'A', 'a', 20 * MB)
    fleet.put('n0', 'B', 'b', 20 * MB)
    fleet.say('n1', 30 * MB)
    fleet.sets(setFor('all', ['a', 'b'], 'name'))
    fleet.run()
    expect([fleet.has('n1', 'A'), fleet.has('n1', 'B')]).toEqual([true, false])
    expect(fleet.notes).toContainEqual({ about: 'full', node: 'n1', name: 'b' })
  })

  it('refuses a content that is said to be another one than it is', () => {
    const { fleet } = fleetOf(2)
    fleet.put('n0', 'A', 'a', 20 * MB)
    const file = {
      name: 'a',
      contentId: 'A',
      digest: 'digest of A',
      size: 21 * MB,
      isGrowing: false,
    }
    const files = [{ ...file, ranges: null }]
    fleet.master.post({ type: 'state', node: 'n1', files, gone: [], isAll: true, freeBytes: 1 }, 0)
    fleet.run()
    expect(fleet.notes).toEqual([{ about: 'refused', node: 'n1', name: 'a' }])
  })

  it('says which sets contradict each other, and follows the one of higher priority', () => {
    const { fleet } = fleetOf(2)
    fleet.sets(
      setFor('one', ['a@digest of A'], 'name=n1'),
      setFor('other', ['a@digest of B'], 'name=n1', { priority: 7 }),
    )
    const wishes = fleet.master.advance(0).filter((wish) => wish.type === 'required')
    expect(wishes.findLast(({ node }) => node === 'n1')?.set.contradictions).toEqual([
      { name: 'a', sets: ['other', 'one'] },
    ])
    fleet.put('n0', 'A', 'a', 5 * MB)
    fleet.put('n0', 'B', 'a', 6 * MB)
    fleet.run()
    expect([fleet.has('n1', 'A'), fleet.has('n1', 'B')]).toEqual([false, true])
  })

  it('copies to no site that may not have it, and from none that sets exclude', () => {
    const fleet = new Fleet()
    fleet.join('n0', { site: 'home' })
    fleet.join('n1', { site: 'eu' })
    fleet.join('n2', { site: 'us' })
    fleet.sets(
      setFor('all', ['a'], 'name', {
        never: parseCriteria('site=us'),
        from: parseCriteria('site=home'),
      }),
    )
    fleet.put('n0', 'A', 'a', 20 * MB)
    fleet.run()
    expect([fleet.has('n1', 'A'), fleet.has('n2', 'A')]).toEqual([true, false])
  })
  it('copies from a site that other sets allow, once they do', () => {
    const fleet = new Fleet()
    fleet.join('n0', { site: 'home' })
    fleet.join('n1', { site: 'eu' })
    fleet.sets(setFor('all', ['a'], 'name', { from: parseCriteria('site=us') }))
    fleet.put('n0', 'A', 'a', 2 * MB)
    fleet.run()
    expect(fleet.has('n1', 'A')).toBe(false)
    fleet.sets(setFor('all', ['a'], 'name'))
    fleet.run()
    expect(fleet.has('n1', 'A')).toBe(true)
  })

  it('believes a source again that lacked for a moment what it holds', () => {
    const { fleet } = fleetOf(3)
    fleet.sets(setFor('all', ['a'], 'name=n1 || name=n2'))
    fleet.lies.add('n0')
    fleet.put('n0', 'A', 'a', 10 * MB)
    fleet.run(1_000)
    // Both have asked it at one time: that is one failure, and no more by then.
    const failures = fleet.master.components.records(fleet.nowMs)
    expect(failures.map(([, { causes }]) => causes)).toEqual([[{ cause: 'absent', count: 1 }]])
    fleet.lies.clear()
    fleet.run()
    expect([fleet.has('n1', 'A'), fleet.has('n2', 'A')]).toEqual([true, true])
  })

  it('has what is all there and has no name yet copied on, and not to where it is', () => {
    const { fleet } = fleetOf(3)
    const [{ id }] = fleet.master.members.values() as never as [{ id: number }]
    fleet.sets(setFor('all', ['a'], 'name=n*'))
    const state = (ranges: readonly RangePair[] | null) => {
      const a = { name: 'a', contentId: 'A', digest: 'digest of A', size: 8, isGrowing: false }
      const files = [{ ...a, ranges }]
      fleet.master.post(
        { type: 'state', node: 'n0', files, gone: [], isAll: false, freeBytes: 1e9 },
        fleet.nowMs,
      )
    }
    state([[0, 8]])
    const orders = () =>
      fleet.master.advance(fleet.nowMs).flatMap((wish) => (wish.type === 'copy' ? wish.copy : []))
    const [first, second] = orders()
    expect([first?.source, second?.source]).toEqual([id, id])
    expect(fleet.master.lacking('n0')).toEqual([])
    const [row] = [...setRows(fleet.master, 0)]
    expect([row?.complete, row?.missingBytes]).toEqual([0, 16])
    state(null)
    expect([...setRows(fleet.master, 0)][0]?.complete).toBe(1)
  })

  it('takes contents of one digest for one, whoever has signed them', () => {
    const { fleet } = fleetOf(3)
    fleet.sets(setFor('all', ['a'], 'name=n*'))
    const say = (node: string, contentId: string, digest: string, gone: string[] = []) => {
      const a = { name: 'a', contentId, digest, size: 8, isGrowing: false, ranges: null }
      const told = gone.map((id) => ({ name: 'a', contentId: id }))
      const state = { node, files: [a], gone: told, isAll: false, freeBytes: 1e9 }
      fleet.master.post({ type: 'state', ...state }, fleet.nowMs)
    }
    const orders = () => {
      const wishes = fleet.master.advance(fleet.nowMs)
      return wishes.flatMap((wish) => (wish.type === 'copy' ? wish.version.digest : []))
    }
    say('n0', 'A', 'one')
    fleet.join('n1')
    const first = { name: 'a', contentId: 'B', digest: 'one', size: 8, isGrowing: false }
    const files = [{ ...first, ranges: null }]
    const all = { node: 'n1', files, gone: [], isAll: true, freeBytes: 1e9 }
    fleet.master.post({ type: 'state', ...all }, fleet.nowMs)
    expect([fleet.master.lacking('n1'), orders()]).toEqual([[], ['one']])
    // It is there under another id since: the word of the earlier one takes nothing away.
    say('n0', 'C', 'one', ['A'])
    expect(fleet.master.lacking('n0')).toEqual([])
    say('n0', 'D', 'two', ['C'])
    expect(fleet.master.lacking('n1')).toHaveLength(1)
    expect(fleet.master.lacking('n0')).toEqual([])
    // An earlier content that is published again is the latest one.
    say('n0', 'E', 'one', ['D'])
    expect([fleet.master.lacking('n1'), fleet.master.lacking('n0')]).toEqual([[], []])
    expect(fleet.master.versions.find('a', null)).toMatchObject({ contentId: 'E', digest: 'one' })
    expect(fleet.master.heard.map(({ contentId }) => contentId)).toEqual(['D', 'E'])
    say('n1', 'E', 'one', ['B'])
    say('n0', 'E', 'one')
    expect(fleet.master.versions.count).toBe(2)
  })

  it('has a content of no bytes copied once to each, and only from where it may come', () => {
    const { fleet } = fleetOf(1)
    const from = parseCriteria('site=here')
    fleet.sets(setFor('all', ['z'], 'name=n*', { from }))
    fleet.join('n1', { site: 'there' })
    fleet.join('n2', { site: 'there' })
    fleet.put('n0', 'Z', 'z', 0)
    fleet.run()
    expect(['n1', 'n2'].map((name) => fleet.has(name, 'Z'))).toEqual([true, true])
    expect(fleet.orders).toBe(2)
    expect([...setRows(fleet.master, 0)][0]).toMatchObject({ complete: 3, missingFiles: 0 })
  })
})
