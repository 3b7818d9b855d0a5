import { describe, expect, it } from 'vitest'
import type { NodeOutcome, PushResult } from '../../../src/api/types.js'
import { changeLines } from '../../../src/cli/render/changes.js'
import { closingLines, pushExitStatus } from '../../../src/cli/render/closing.js'
import { displayWidth } from '../../../src/cli/render/text.js'
import { lost, MIB, outcomeOf, plain, resultOf } from './support.js'

const result = resultOf()

const closing = (over: Partial<PushResult> = {}, columns = 80, logged: string[] = []) =>
  closingLines({ ...result, ...over }, logged, columns, plain)

describe('the closing table', () => {
  it('has a row for each node, the reasons, the digest and the whole', () =>
    expect(closing()).toEqual([
      'node           status    seconds  relayed       rate',
      '10.0.0.2:7400  complete     5.60      75%  24.0 MB/s',
      '10.0.0.3:7400  failed       2.10       0%          -',
      '1 node failed: ERR_FR_NODE_LOST: reset\\x0aby peer',
      '  10.0.0.3:7400',
      'digest xxh64-blocks/65536:0123456789abcdef',
      '1 of 2 nodes complete in 5.6s, 128 MiB each, 23.9 MB/s delivered, bound 5.37 s,',
      'efficiency 0.957, 8.00 MiB sent to all directly',
    ]))

  it('says who brought what, and what was repaired, where that differs', () => {
    const brought = { fromOriginBytes: 32 * MIB, fromMatesBytes: 96 * MIB }
    const nodes = [
      outcomeOf({ node: '10.0.0.2:7400', ...brought, repairedBytes: 65_536 }),
      outcomeOf({ node: '10.0.0.3:7400', ...brought, fromMirrorsBytes: 8 * MIB }),
    ]
    const rows = closing({ nodes, shares: [] }, 100).slice(0, 3)
    const cells = rows.map((line) => line.split(/ {2,}/))
    const titles = ['from origin', 'from mates', 'from mirrors', 'repaired']
    expect(cells.map((row) => row.slice(3, -1))).toEqual([
      titles,
      ['32.0 MiB', '96.0 MiB', '0 B', '64.0 KiB'],
      ['32.0 MiB', '96.0 MiB', '8.00 MiB', '0 B'],
    ])
    const alone = outcomeOf({ node: '10.0.0.2:7400', fromOriginBytes: 128 * MIB })
    expect(closing({ nodes: [alone], shares: [] })[0]).not.toContain('from')
  })

  it('says what was there: blocks that were held, and what older content had of others', () => {
    const older = { heldBytes: 96 * MIB, filledBytes: 31 * MIB, receivedBytes: MIB }
    const nodes = [
      outcomeOf({ node: '10.0.0.2:7400', ...older }),
      outcomeOf({ node: '10.0.0.3:7400', heldBytes: 128 * MIB, receivedBytes: 0 }),
      outcomeOf({ node: '10.0.0.4:7400' }),
    ]
    const lines = closing({ nodes, shares: [] }, 100)
    const cells = lines.slice(0, 4).map((line) => line.split(/ {2,}/)[3])
    expect(cells).toEqual(['was there', '127 MiB', 'all of it', '0 B'])
    expect(lines.find((line) => line.includes('moved'))).toMatch(/^129 MiB moved, 3 of 3 nodes/)
    const filled = { heldBytes: 0, filledBytes: 128 * MIB, receivedBytes: 0 }
    const moved = closing({ nodes: [outcomeOf({ node: '10.0.0.2:7400', ...filled })] })
    expect(moved.at(-1)).toMatch(/^already there at 1 of 1 node/)
  })

  it('says one reason once, with how many and which nodes', () => {
    const at = (n: number, over: Partial<NodeOutcome> = {}) => {
      const node = `10.0.0.${n}:7400`
      return { ...lost, node, reason: `ERR_FR_UNREACHABLE: ${node} is away`, ...over }
    }
    const refused = at(9, { status: 'refused', reason: 'ERR_FR_NO_SPACE: full' })
    const lines = closing({ nodes: [...[1, 2, 3, 4, 5, 6].map((n) => at(n)), refused] })
    expect(lines.slice(8, -2)).toEqual([
      '6 nodes failed: ERR_FR_UNREACHABLE: the node is away',
      '  10.0.0.1:7400, 10.0.0.2:7400, 10.0.0.3:7400, 10.0.0.4:7400, 10.0.0.5:7400,',
      '  10.0.0.6:7400',
      '1 node refused: ERR_FR_NO_SPACE: full',
      '  10.0.0.9:7400',
    ])
  })

  it('names those of 10,000 nodes that are not as the others', () => {
    const nodes = Array.from({ length: 10_000 }, (_, i): NodeOutcome => {
      const node = `h${i}:7400`
      if (i % 50 === 7) return { ...lost, node, reason: 'ERR_FR_UNREACHABLE: out of reach' }
      return outcomeOf({ node, seconds: i === 4_999 ? 60 : 5 })
    })
    const lines = closing({ nodes })
    expect(lines.length).toBeLessThan(150)
    expect(lines.filter((line) => / complete +\d/.test(line)).length).toBe(8)
    expect(lines.find((line) => line.startsWith('h4999:7400 '))).toMatch(/complete +60\.00/)
    expect(lines).toContain('and 9936 more nodes, 9792 complete')
    expect(lines).toContain('200 nodes failed: ERR_FR_UNREACHABLE: out of reach')
    expect(lines).toContain('  and 72 more nodes')
    expect(lines.join(' ')).toContain('h6357:7400')
  })

  it('gathers the warnings of nodes, of the push and of its log', () => {
    const warned = (node: string) => outcomeOf({ node, warnings: ['the mode is not kept'] })
    const nodes = [warned('a:1'), warned('b:1'), outcomeOf({ node: 'c:1', warnings: ['its own'] })]
    const lines = closing({ nodes, warnings: ['of all'] }, 80, ['3 of the log'])
    expect(lines.filter((line) => line.startsWith('warning: '))).toEqual([
      'warning: of all',
      'warning: a:1 and 1 more: the mode is not kept',
      'warning: c:1: its own',
      'warning: 3 of the log',
    ])
  })

  it.each([80, 120])('fits %d columns, whatever the nodes are called', (columns) => {
    const names = [
      '[2001:db8:1234:5678:9abc:def0:1234:5678]:7400',
      '\u7bc0\u9ede-'.repeat(20),
      'h:1',
    ]
    const nodes = names.flatMap((node) => [
      outcomeOf({ node: `${node}${columns}`, repairedBytes: 65_536, seconds: 12_345.67 }),
      { ...lost, node, reason: `ERR_FR_NODE_LOST: ${'word '.repeat(40)}` },
    ])
    for (const line of closing({ nodes, warnings: ['so '.repeat(60)] }, columns)) {
      // A word that is too long for any line keeps its own.
      if (!line.includes('\u7bc0')) expect(displayWidth(line)).toBeLessThanOrEqual(columns)
    }
    const [, row] = closing({ nodes }, columns)
    expect(displayWidth(row ?? '')).toBeLessThanOrEqual(columns)
    expect(row).toMatch(columns === 80 ? /^\[2001:db8:.*~.*\]:740080 / : /\]:7400120 /)
  })

  it('cuts and breaks nothing where no terminal shows it', () => {
    const node = `${'n'.repeat(200)}:1`
    const [, row, ...rest] = closing({ nodes: [outcomeOf({ node })] }, Number.POSITIVE_INFINITY)
    expect(row).toContain(node)
    expect(rest).toHaveLength(2)
  })

  it('lets no peer write to the terminal', () => {
    const evil = '\u001b]0;x\u0007\n\u202e'
    const nodes = [
      outcomeOf({ node: 'a:1', digest: evil, warnings: [evil] }),
      { ...lost, reason: `ERR_FR_IO: ${evil}` },
    ]
    const text = closing({ nodes, warnings: [evil] }).join('')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
  })

  it('speaks of repairs, and of no bound where there is none', () =>
    expect(
      closing({
        boundSeconds: null,
        efficiency: null,
        boundFrom: null,
        observedBoundSeconds: null,
        observedEfficiency: null,
        shares: [{ node: 'h:1', dealtBytes: 0, relayedBytes: 0, relayedShare: 0 }],
        directBytes: 128 * MIB,
        shape: 'unicast',
        nodes: [outcomeOf({ node: 'h:1', repairedBytes: 65_536 })],
      }),
    ).toEqual([
      'node  status    seconds  repaired       rate',
      'h:1   complete     5.60  64.0 KiB  24.0 MB/s',
      'digest xxh64-blocks/65536:0123456789abcdef',
      '1 of 1 node complete in 5.6s, 128 MiB each, 23.9 MB/s delivered,',
      '64.0 KiB repaired',
    ]))
})

describe('the bound in the closing lines', () => {
  const last = (over: Partial<PushResult>) => closing(over, 200).at(-1)
  it('is followed by what mirrors sent', () => {
    const mirror = { node: 'm:1', dealtBytes: 9, relayedBytes: 9, relayedShare: 0.5 }
    const [mine] = result.nodes
    const nodes = mine === undefined ? [] : [mine]
    const shares = [...nodes.map(({ node }) => ({ ...mirror, node })), mirror]
    expect(last({ nodes, shares })).toContain(', 50% sent by the mirror m:1')
  })

  it('is said to be observed where no speeds were given', () => {
    expect(last({ boundSeconds: null, efficiency: null, boundFrom: 'observed' })).toMatch(
      /delivered, observed bound 5\.40 s, efficiency 0\.960, 8\.00 MiB sent to all directly$/,
    )
  })
  it('is the configured one where there is one', () => {
    expect(last({})).toMatch(/delivered, bound 5\.37 s, efficiency 0\.957, /)
  })
  it('says nothing of direct bytes where there are no others', () => {
    expect(last({ directBytes: 0 })).not.toContain('directly')
    expect(last({ shape: 'unicast' })).not.toContain('directly')
  })
})

describe('pushExitStatus', () => {
  const of = (...nodes: NodeOutcome[]) => pushExitStatus({ ...result, nodes })
  it('follows the outcomes', () => {
    expect(of(outcomeOf({ node: 'a' }), outcomeOf({ node: 'b' }))).toBe(0)
    expect(of(outcomeOf({ node: 'a' }), lost)).toBe(3)
    expect(of(lost)).toBe(1)
    expect(of({ ...lost, status: 'refused' }, lost)).toBe(1)
    expect(of()).toBe(1)
  })
})

it('a dry run of a directory is a line for each entry that would change', () => {
  const changes = [
    { name: 'a\nb', change: 'send', nodes: 2 },
    { name: '', change: 'set', nodes: 1 },
    { name: 'c', change: 'remove', nodes: 2 },
  ] as const
  const dry = { send: 1, set: 1, remove: 7, changes }
  const counts = { entries: 9, files: 8, movedBytes: 2048, transfers: 1, failedCount: 0 }
  expect(changeLines({ ...result, tree: { ...counts, failures: [], dry } })).toEqual([
    ...['+ a\\x0ab', '~ .  (at 1 of 2)', '- c', 'and 6 more'],
    '1 to send (2.0 KiB), 1 to set, 7 to remove',
  ])
  expect(changeLines(result)).toEqual([])
})

describe('the closing of a push of descriptors', () => {
  const some = { complete: 1, usableSeconds: 2 }
  const each = [0, 1].map((i) => ({
    ...{ name: `d${i}`, bytes: 5, digest: i === 0 ? 'x:1' : null, relay: 'h:1', nodes: 1 - i },
    ...{ code: null, reason: null },
  }))
  const descriptors = { enough: 1, usable: 1, each }
  const nodes = [{ ...lost, digest: null, descriptors: some }]

  it('says where each is, and how many nodes can use what they have', () => {
    const lines = closing({ descriptors, nodes, shares: [] }, 200)
    expect(lines).toContain('d0 at 1 of 1 node, digest x:1')
    expect(lines).toContain('d1 at 0 of 1 node')
    expect(lines.at(-1)).toContain('1 of 1 node usable with 1 of 2 descriptors')
  })

  it('ends with 3 where nobody is complete and somebody can use what there is', () => {
    expect(pushExitStatus({ ...result, nodes, descriptors })).toBe(3)
    expect(pushExitStatus({ ...result, nodes, descriptors: { ...descriptors, usable: 0 } })).toBe(1)
  })
})
