/** What a schedule is for, and what it may not do, as `kind: Scheduling` and sets say it. */
import { describe, expect, it } from 'vitest'
import { parseCriteria } from '../../../../src/base/criteria.js'
import type { Objective } from '../../../../src/control/copies/demand.js'
import { Master } from '../../../../src/control/copies/master.js'
import { World } from './world.js'

const MB = 1e6

/** When each of the nodes has the file, the first one first, in ms. */
function completions(objective: Objective): number[] {
  const world = new World({ objective })
  const origin = world.node('o', 'a', 10 * MB)
  const nodes = [1, 2, 3, 4, 5, 6].map((i) => world.node(`n${i}`, 'a', 2 * MB, 100 * MB))
  world.file(1, 60 * MB, [origin])
  for (const node of nodes) world.wants({ file: 1, node })
  const done = new Map<number, number>()
  for (let ms = 250; done.size < nodes.length; ms += 250) {
    world.run(ms)
    const holders = world.scheduler.files.get(1)?.holders
    for (const node of nodes) if (holders?.hasAll(node) && !done.has(node)) done.set(node, ms)
    if (ms > 600_000) throw new Error('it never ends')
  }
  return [...done.values()].sort((a, b) => a - b)
}

const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / 6

describe('an objective', () => {
  it('first-k: so many nodes have the file sooner than when all are to have it', () => {
    const [, second = 0] = completions({ kind: 'first', nodes: 2 })
    const [, secondOfAll = 0] = completions({ kind: 'all' })
    expect(second).toBeLessThan(secondOfAll)
  })

  it('mean: nodes have it sooner on average', () => {
    expect(mean(completions({ kind: 'mean' }))).toBeLessThan(mean(completions({ kind: 'all' })))
  })
})

describe('a set of files', () => {
  it('from: nothing depends on a third site, even where that has it nearer and for less', () => {
    expect(sourcesInTheWorld('site=home')).toEqual(new Set(['home1']))
    expect(sourcesInTheWorld(null)).toEqual(new Set(['eu1']))
  })
})

/** Home and eu have a file, us has it over the link from eu: from which nodes it copies. */
function sourcesInTheWorld(from: string | null): Set<string> {
  const link = (from: string, to: string) => ({
    ...{ name: `${from}-${to}`, from, to, bytesPerSecond: 10 * MB, costPerGb: 1 },
  })
  const master = new Master({
    topology: {
      sites: ['home', 'eu', 'us'].map((name) => ({ name })),
      links: [link('home', 'eu'), link('eu', 'us')],
      routes: [],
    },
  })
  const rate = { bytesPerSecond: 100 * MB }
  const file = { name: 'f', contentId: 'c', digest: 'd', size: 50 * MB, isGrowing: false }
  for (const site of ['home', 'eu', 'us']) {
    const [node, attributes] = [`${site}1`, { name: `${site}1`, site }]
    master.post({ type: 'joined', node, site, attributes, up: rate, down: rate }, 0)
    const files = site === 'us' ? [] : [{ ...file, ranges: null }]
    master.post({ type: 'state', node, files, gone: [], isAll: true, freeBytes: 1e12 }, 0)
  }
  const set = { name: 's', priority: 5, never: null, files: [{ name: 'f', digest: null }] }
  const criteria = from === null ? null : parseCriteria(from)
  const sets = [{ ...set, where: parseCriteria('site'), from: criteria }]
  master.post({ type: 'sets', sets }, 0)
  const begun = []
  for (let turn = 0; turn < 8; turn++) begun.push(...master.advance(0))
  return new Set(
    begun.flatMap((wish) =>
      wish.type === 'copy' ? [master.network.nodeName(wish.copy.source)] : [],
    ),
  )
}
