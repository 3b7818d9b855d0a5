/** What people are told of a master: why a node has what it has, links, sets, changes of sets. */
import { beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../../../src/base/bytes.js'
import { parseCriteria } from '../../../../src/base/criteria.js'
import { explained } from '../../../../src/control/copies/explained.js'
import { Master } from '../../../../src/control/copies/master.js'
import {
  auditRows,
  componentRows,
  linkRows,
  nodeRows,
  planRows,
} from '../../../../src/control/copies/rows.js'
import { appliedSets, setChanges, withOwnSets } from '../../../../src/control/copies/set-changes.js'
import { setRows } from '../../../../src/control/copies/set-rows.js'
import type { FileSet } from '../../../../src/control/copies/sets.js'
import { parseObject } from '../../../../src/protocol/fields.js'
import { plainSet, readSet } from '../../../../src/protocol/file-sets.js'

const MB = 1e6
const digestOf = (letter: string) => `blake3:${letter.repeat(64)}`
const file = (name: string, letter = 'a', size = 20 * MB) => ({
  ...{ name, contentId: letter.repeat(32), digest: digestOf(letter), size },
  ...{ isGrowing: false, ranges: null },
})
const set = (name: string, files: readonly string[], more: Partial<FileSet> = {}): FileSet => ({
  ...{ name, where: parseCriteria('site'), priority: 5, never: null, from: null },
  files: files.map((one) => ({ name: one, digest: null })),
  ...more,
})

let master: Master
let nowMs = 0
const rate = { bytesPerSecond: 100 * MB }

function join(node: string, site: string, files: ReturnType<typeof file>[] = [], freeBytes = 1e9) {
  const attributes = { name: node, site }
  master.post({ type: 'joined', node, site, attributes, up: rate, down: rate }, nowMs)
  master.post({ type: 'state', node, files, gone: [], isAll: true, freeBytes }, nowMs)
}

/** The copies that begin. */
function decide() {
  return master.advance(nowMs).flatMap((wish) => (wish.type === 'copy' ? [wish.copy] : []))
}

beforeEach(() => {
  nowMs = 1_000
  const link = { from: 'a', to: 'b', bytesPerSecond: 10 * MB, costPerGb: 0.5 }
  master = new Master({
    topology: {
      sites: [{ name: 'a' }, { name: 'b' }],
      links: [{ name: 'ab', ...link }],
      routes: [],
    },
  })
  join('a-1', 'a', [file('f')])
  join('a-2', 'a', [file('f')])
  join('b-1', 'b')
  master.post({ type: 'sets', sets: [set('s', ['f', 'g'])] }, nowMs)
})

describe('a node and a file', () => {
  const state = (node: string, name: string) => explained(master, node, name, nowMs)

  it('are explained with every candidate, its score and what it is made of', () => {
    // Another one of the source's copies has the link: nothing runs yet.
    const before = state('b-1', 'f')
    expect(before).toMatchObject({ state: 'next', set: 's', heldBytes: 0, size: 20 * MB })
    expect(before?.candidates.map(({ source }) => source)).toEqual(['a-1', 'a-2'])
    const [best] = before?.candidates ?? []
    expect(best).toMatchObject({ site: 'a', hops: 1, costPerGb: 0.5, holders: 2, faults: 0 })
    const sum = Object.values(best?.parts ?? {}).reduce((all, part) => all + part, 0)
    expect(sum).toBeCloseTo(best?.score ?? 0)
    const [copy] = decide()
    expect(copy).toMatchObject({ target: master.network.nodeId('b-1') })
    expect(state('b-1', 'f')).toMatchObject({
      copies: [{ source: 'a-1', target: 'b-1', range: [0, copy?.length], name: 'f' }],
    })
  })

  it('are explained where nothing is copied', () => {
    expect(state('nobody', 'f')).toBeNull()
    expect(state('a-1', 'f')).toMatchObject({ state: 'held', heldBytes: 20 * MB })
    expect(state('b-1', 'g')).toMatchObject({ state: 'unknown', digest: null, size: null })
    expect(state('b-1', 'h')).toMatchObject({ state: 'unwanted', set: null })
    join('b-2', 'b', [], 5)
    expect(state('b-2', 'f')).toMatchObject({ state: 'full' })
    for (const node of ['a-1', 'a-2']) master.post({ type: 'left', node }, nowMs)
    decide()
    expect(state('a-1', 'f')).toMatchObject({ state: 'away' })
    expect(state('b-1', 'f')).toMatchObject({
      ...{ state: 'source', text: 'no other node holds any of f' },
    })
    master.post({ type: 'drain', node: 'b-1', isDrained: true }, nowMs)
    expect(state('b-1', 'f')).toMatchObject({ state: 'drained' })
  })

  it('name what has no room, and who may not be copied from', () => {
    const where = parseCriteria('site=b')
    master.post({ type: 'sets', sets: [set('s', ['f', 'g'], { where })] }, nowMs)
    join('a-3', 'a', [file('g', 'b', 200 * MB)])
    decide()
    expect(state('b-1', 'g')).toMatchObject({ state: 'room', text: 'there is no room on link ab' })
    master.post({ type: 'sets', sets: [set('s', ['f'], { from: parseCriteria('site=b') })] }, nowMs)
    join('b-2', 'b')
    decide()
    expect(state('b-2', 'f')?.text).toContain('2 may not be copied from')
  })
})

describe('what is told of a master', () => {
  it('counts a copy of which the target says first that all is there', () => {
    const carried = () => [...linkRows(master, nowMs)].find(({ name }) => name === 'ab')?.bytes
    for (let copies = decide(); copies.length > 0; copies = decide())
      for (const { id: copy, length, offset } of copies) {
        nowMs += 3_000
        const isLast = offset + length === 20 * MB
        const files = [file('f')].filter(() => isLast)
        const said = { node: 'b-1', files, gone: [], isAll: false, freeBytes: 1e9 }
        const all = [{ copy, bytes: length }]
        master.post({ type: 'state', ...said, carried: all }, nowMs)
        expect(decide()).toEqual([])
        const ended = { bytes: length, cause: null, blames: [] }
        master.post({ type: 'copied', node: 'b-1', copy, ended }, nowMs)
      }
    expect(carried()).toBe(20 * MB)
  })

  it('is what each link may carry, carries and has cost', () => {
    const [copy] = decide()
    const row = () => [...linkRows(master, nowMs)].find(({ name }) => name === 'ab')
    expect(row()).toMatchObject({
      ...{ kind: 'link', capabilityBytesPerSecond: 10 * MB, bytes: 0, cost: 0 },
      ...{ allocatedBytesPerSecond: 10 * MB, usedBytesPerSecond: 0, isFailed: false },
    })
    nowMs += 2_000
    const ended = { bytes: copy?.length ?? 0, cause: null, blames: [] }
    const said = { files: [], gone: [], isAll: false, freeBytes: 1e9 }
    const carried = (node: string, bytes: number) =>
      master.post(
        { type: 'state', node, ...said, carried: [{ copy: copy?.id ?? 0, bytes }] },
        nowMs,
      )
    // As it lands, and by the word of its target alone.
    carried('b-1', 1_000)
    carried('a-1', 5_000)
    expect(row()).toMatchObject({ bytes: 1_000 })
    carried('b-1', ended.bytes)
    carried('b-1', 1_000)
    master.post({ type: 'copied', node: 'b-1', copy: copy?.id ?? 0, ended }, nowMs)
    expect(row()).toMatchObject({ bytes: copy?.length, usedBytesPerSecond: ended.bytes / 60 })
    expect(row()?.cost).toBeCloseTo((ended.bytes / 1e9) * 0.5)
    nowMs += 70_000
    expect(row()).toMatchObject({ bytes: copy?.length, usedBytesPerSecond: 0 })
    const kinds = [...linkRows(master, nowMs)].map(({ kind }) => kind)
    expect(kinds).toEqual(['link', ...Array(3).fill(['uplink', 'downlink']).flat()])
  })

  it('is what failed, by name', () => {
    const master = new Master({ faults: 1 })
    const join = (node: string, files: ReturnType<typeof file>[]) => {
      const joined = { type: 'joined', node, site: 'a', attributes: { site: 'a' } } as const
      master.post({ ...joined, up: rate, down: rate }, 0)
      master.post({ type: 'state', node, files, gone: [], isAll: true, freeBytes: 1e9 }, 0)
    }
    join('n', [file('f')])
    join('m', [])
    master.post({ type: 'sets', sets: [set('s', ['f'])] }, 0)
    const [wish] = master.advance(0).filter(({ type }) => type === 'copy')
    const copy = wish?.type === 'copy' ? wish.copy.id : -1
    const ended = { bytes: 0, cause: 'ERR_FR_IO', blames: ['source'] as const }
    master.post({ type: 'copied', node: 'm', copy, ended }, 0)
    expect([...componentRows(master, 0)]).toEqual([
      {
        ...{ event: 'component', kind: 'node', name: 'n', isFailed: true, retrySeconds: 30 },
        ...{ failures: 1, causes: [{ cause: 'ERR_FR_IO', count: 1 }] },
      },
    ])
  })

  it('is who is to have which part from which site, and what runs', () => {
    const [copy] = decide()
    expect([...planRows(master, 'f')]).toEqual([
      {
        ...{ event: 'copy', copy: copy?.id, name: 'f', range: [0, copy?.length] },
        seconds: (copy?.length ?? 0) / (10 * MB),
        ...{ source: 'a-1', target: 'b-1', bytesPerSecond: 10 * MB },
      },
      {
        ...{ event: 'slice', name: 'f', size: 20 * MB, range: [0, 20 * MB], from: 'a', to: 'b' },
        nodes: 1,
      },
    ])
    expect([...planRows(master, 'g')]).toEqual([])
  })

  it('is how far each set is, and what nodes hold that is not what sets want', () => {
    const other = { name: 'f', digest: digestOf('c'), size: 7 }
    master.post({ type: 'sets', sets: [...master.sets, set('t', [], { files: [other] })] }, nowMs)
    const [first, second] = [...setRows(master, nowMs)]
    expect(first).toMatchObject({
      ...{ set: 's', files: 2, nodes: 3, complete: 0, missingFiles: 4, missingBytes: 20 * MB },
      ...{ unknown: ['g'], unended: [] },
      leftAtNodes: [
        { node: 'b-1', files: 2, bytes: 20 * MB },
        { node: 'a-1', files: 1, bytes: 0 },
        { node: 'a-2', files: 1, bytes: 0 },
      ],
      leftOfFiles: [
        { name: 'f', nodes: 1, bytes: 20 * MB },
        { name: 'g', nodes: 3, bytes: 0 },
      ],
    })
    expect(second).toMatchObject({ set: 't', nodes: 0, contradictions: [{ name: 'f', set: 's' }] })
    const missing = { missing: 1, missingBytes: 20 * MB }
    expect([...nodeRows(master)][2]).toMatchObject({ node: 'b-1', wanted: 2, files: 0, ...missing })
    const small = { ...other, digest: digestOf('a') }
    master.post({ type: 'sets', sets: [set('t', [], { files: [small] })] }, nowMs)
    join('b-2', 'b', [file('f', 'd')])
    expect([...auditRows(master)].map(({ node, fault }) => [node, fault])).toEqual([
      ['a-1', 'size'],
      ['a-2', 'size'],
      ['b-1', 'missing'],
      ['b-2', 'other'],
    ])
  })
})

describe('sets that are applied', () => {
  const before = [set('x', ['a', 'b']), set('y', ['c'])]

  it('take the place of those with their names, and of all only where others are pruned', () => {
    const given = [set('y', ['d']), set('z', ['e'])]
    const names = (isPruned: boolean) =>
      appliedSets(before, given, isPruned).map(({ name, files }) => [name, files[0]?.name])
    expect(names(false)).toEqual([
      ['x', 'a'],
      ['y', 'd'],
      ['z', 'e'],
    ])
    expect(names(true)).toEqual([
      ['y', 'd'],
      ['z', 'e'],
    ])
  })

  it('go with the file in the directory of the master, unless they were applied', () => {
    const names = (sets: readonly FileSet[]) => sets.map(({ name }) => name)
    const first = withOwnSets(before, [set('y', ['d']), set('z', ['e'])])
    expect(names(first)).toEqual(['x', 'y', 'z'])
    expect(first[1]?.files[0]?.name).toBe('d')
    expect(names(withOwnSets(first, [set('z', ['e'])]))).toEqual(['x', 'z'])
    expect(names(withOwnSets(first, []))).toEqual(['x'])
    expect(withOwnSets(first, null)).toEqual(first)
    const applied = appliedSets(first, [set('z', ['f'])], false)
    expect(names(withOwnSets(applied, []))).toEqual(['x', 'z'])
    // A master that is started again knows it.
    const kept = first.map((one) => parseObject(utf8(JSON.stringify(plainSet(one))), 'set'))
    expect(kept.map(readSet)[1]?.isOwn).toBe(true)
  })

  it('differ in what is added, removed and changed', () => {
    const changed = set('x', ['b'], { priority: 7 })
    const files = [...changed.files, { name: 'c', digest: null }].map((one) => ({
      ...{ ...one, digest: one.name === 'b' ? digestOf('b') : null },
    }))
    expect(setChanges(before, [{ ...changed, files }, set('z', ['e'])])).toEqual([
      {
        ...{ event: 'change', set: 'x', change: 'changed', fields: ['priority', 'files'] },
        ...{ added: 1, removed: 1, changed: 1 },
        ...{ filesAdded: ['c'], filesRemoved: ['a'], filesChanged: ['b'] },
      },
      expect.objectContaining({ set: 'z', change: 'added', filesAdded: ['e'] }),
      expect.objectContaining({ set: 'y', change: 'removed', filesRemoved: ['c'] }),
    ])
    expect(setChanges(before, before)).toEqual([])
  })
})
