/** What people see of a master's answers, and what the commands take. */
import { describe, expect, it } from 'vitest'
import type {
  ComponentTold,
  ExplainTold,
  NodeTold,
  PlanTold,
  ResourceTold,
  SetChange,
  SetTold,
} from '../../../src/api/master-client-types.js'
import { parseCommandLine } from '../../../src/cli/program.js'
import {
  appliedLines,
  auditLines,
  componentLines,
  drainLine,
  explainLines,
  linkLines,
  masterLines,
  nodeLines,
  planLines,
  setLines,
} from '../../../src/cli/render/master.js'

const plain = (_: string, text: string) => text
const MB = 1e6

describe('a master, as people see it', () => {
  it('is its links, failures and nodes in tables', () => {
    const link: ResourceTold = {
      ...{ event: 'link', kind: 'link', name: 'a\u001bb', capabilityBytesPerSecond: 10 * MB },
      ...{ allocatedBytesPerSecond: 5 * MB, usedBytesPerSecond: 0, costPerGb: 0.05 },
      ...{ bytes: 2 ** 30, cost: 0.0537, isFailed: true },
    }
    expect(linkLines([link, { ...link, capabilityBytesPerSecond: null }], plain)).toEqual([
      'kind  link    may carry  allocated   used  price a GB   carried    cost  state',
      'link  a\\x1bb  10.0 MB/s  5.00 MB/s  0 B/s        0.05  1.00 GiB  0.0537  failed',
      'link  a\\x1bb          -  5.00 MB/s  0 B/s        0.05  1.00 GiB  0.0537  failed',
    ])
    const component: ComponentTold = {
      ...{ event: 'component', kind: 'disk', name: 'n', isFailed: true, retrySeconds: 30 },
      ...{ failures: 2, causes: [{ cause: 'silent', count: 3 }] },
    }
    expect(componentLines([component], plain)[1]).toBe(
      'disk  n          failed  2 times  30s       silent 3',
    )
    const node: NodeTold = {
      ...{ event: 'node', node: 'n', site: 's', isHere: true, isDrained: true, files: 1 },
      ...{ wanted: 3, missing: 2, missingBytes: 2_048, freeBytes: 1_024 },
    }
    expect(nodeLines([node], plain)[1]).toMatch(/^n +s +drained +1 +3 +2 +2.00 KiB +1.00 KiB$/)
    const told = { master: '10.0.0.1:7400', nodes: [node, { ...node, isHere: false }], sets: [] }
    expect(masterLines({ event: 'masterStatus', ...told, copies: [] }, plain)).toEqual([
      '10.0.0.1:7400 is a master: 1 of 2 nodes are here, 0 copies run',
      ...nodeLines(told.nodes, plain),
      'there are no sets',
    ])
    expect([linkLines([], plain).length, componentLines([], plain), nodeLines([], plain)]).toEqual([
      ...[1, ['nothing has failed'], ['no node has joined']],
    ])
  })

  it('is what runs and what is planned, sets, and what is not as they say', () => {
    const copy: PlanTold = {
      ...{ event: 'copy', copy: 1, name: 'f', range: [0, 10 * MB], source: 'a', target: 'b' },
      ...{ bytesPerSecond: 5 * MB, seconds: 2 },
    }
    const slice: PlanTold = {
      ...{ event: 'slice', name: 'f', size: 10 * MB, range: [0, 10 * MB], from: 'x', to: 'y' },
      nodes: 2,
    }
    expect(planLines([copy, slice], plain)).toEqual([
      'copied now  part               from  to       rate  takes',
      'f           9.54 MiB from 0 B  a     b   5.00 MB/s   2.0s',
      'planned  part               from site  to site      for',
      'f        9.54 MiB from 0 B  x          y        2 nodes',
    ])
    const set: SetTold = {
      ...{ event: 'set', set: 's', priority: 5, files: 2, nodes: 3, complete: 1 },
      ...{ missingFiles: 2, missingBytes: 1_024, unknown: ['g'] },
      contradictions: [{ name: 'f', set: 't' }],
      leftAtNodes: [{ node: 'n', files: 2, bytes: 1_024 }],
      leftOfFiles: [{ name: 'f', nodes: 1, bytes: 1_024 }],
      unended: [{ name: 'log', bytes: 2_048, seconds: 90 }],
    }
    expect(setLines([set], plain).slice(1)).toEqual([
      's           5      2          1 of 3  2 files  1.00 KiB',
      's: n lacks 2 files, 1.00 KiB',
      's: no node here holds g',
      's: log has no end: its author has not ended it, 2.00 KiB came, nothing more for 1m30s',
      's: t decides about f',
    ])
    const audit = { event: 'audit', node: 'n', name: 'f', fault: 'other' } as const
    expect(auditLines([{ ...audit, wanted: 'blake3:a', held: null }], plain)[1]).toBe(
      'n     f     other  blake3:a  -',
    )
  })

  it('is why a node has what it has', () => {
    const told: ExplainTold = {
      ...{ event: 'explain', node: 'n', name: 'f', digest: null, size: 2_048, heldBytes: 1_024 },
      ...{ set: 's', state: 'next', text: 'soon', copies: [] },
      candidates: [
        {
          ...{ event: 'candidate', source: 'a', site: 'x', range: [0, 1_024], holders: 1 },
          ...{ bytesPerSecond: null, costPerGb: 0.5, hops: 1, fullness: 0.25, serving: 2 },
          ...{ faults: 0, score: 1.5, parts: { cost: -0.5, age: 0, priority: 2 } },
        },
      ],
    }
    const [head, titles, row] = explainLines(told, plain)
    expect(head).toBe('n, f, holds 1.00 KiB of 2.00 KiB, because of set s: next: soon')
    expect(titles).toMatch(/^could come from +site +part +rate +price a GB +links +full +serves/)
    expect(row).toMatch(
      /^a +x +1.00 KiB from 0 B +- +0.5 +1 +25% +2 +1.500 +cost -0.500, priority 2/,
    )
  })

  it('is what was changed', () => {
    const change: SetChange = {
      ...{ event: 'change', set: 's', change: 'changed', fields: ['files', 'priority'], added: 1 },
      ...{ removed: 2, changed: 0, filesAdded: [], filesRemoved: [], filesChanged: [] },
    }
    const applied = { event: 'sets', master: 'm', dryRun: false, isKept: false } as const
    expect(appliedLines({ ...applied, changes: [change] })).toEqual([
      'changed s: 1 file more, 2 files less, priority',
      'the master cannot write to its disk: this ends with it',
    ])
    expect(appliedLines({ ...applied, isKept: true, changes: [] })).toEqual(['nothing has changed'])
    const drained = { event: 'drained', master: 'm', node: 'n', isDrained: true } as const
    expect(drainLine({ ...drained, copies: 1, isKept: true })).toEqual([
      'n: drained; 1 copy was under way',
    ])
  })
})

describe('the commands that ask a master', () => {
  const command = (...argv: string[]) => parseCommandLine(argv, '0')

  it('take what they need', () => {
    const via = ['--via', '10.0.0.1', '--json']
    const asked = { via: '10.0.0.1:7400', json: true }
    for (const [argv, expected] of [
      [['sets', 'apply', 'dir', '--prune'], { action: 'apply', path: 'dir', prune: true }],
      [['sets', 'status'], { action: 'status', prune: false }],
      [['plan', 'f'], { command: 'plan', name: 'f' }],
      [['links'], { command: 'links' }],
      [['components', '--nodes'], { nodes: true }],
      [['drain', 'n', '--undo'], { node: 'n', undo: true }],
      [['explain', 'n', 'f'], { node: 'n', name: 'f' }],
      [['verify'], { command: 'verify', addresses: [] }],
    ] as const)
      expect(command(...argv, ...via)).toMatchObject({
        ...{ kind: 'run', command: { ...expected, ...asked } },
      })
  })

  it('refuse what they cannot be', () => {
    for (const argv of [
      ['sets', 'apply', '--via', 'a'],
      ['sets', 'status', 'dir', '--via', 'a'],
      ['sets', 'status', '--prune', '--via', 'a'],
      ['links'],
      ['verify'],
      ['verify', 'a', '--via', 'b'],
    ])
      expect(command(...argv).kind).toBe('usage')
  })
})
