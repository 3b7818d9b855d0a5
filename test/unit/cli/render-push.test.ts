import { describe, expect, it } from 'vitest'
import type { NodeProgress, Progress } from '../../../src/api/types.js'
import { planLines, planSummary } from '../../../src/cli/render/plan.js'
import {
  bar,
  chooseShown,
  liveLines,
  openingLines,
  outcomeLine,
  progressLine,
} from '../../../src/cli/render/push.js'
import { displayWidth } from '../../../src/cli/render/text.js'
import { lost, MIB, nodeProgress, outcomeOf, plain, planOf, progressOf } from './support.js'

const progress = progressOf([
  nodeProgress({ node: '10.0.0.2:7400' }),
  nodeProgress({
    node: '10.0.0.3:7400',
    state: 'complete',
    landedBytes: 128 * MIB,
    rateBytesPerSecond: 0,
    etaSeconds: null,
  }),
  nodeProgress({
    node: '10.0.0.14:7400',
    state: 'verifying',
    landedBytes: 32 * MIB,
    waitsFor: '10.0.0.2:7400',
  }),
  nodeProgress({ node: '[::1]:7400', state: 'failed', landedBytes: 32 * MIB, waitsFor: 'nobody' }),
])
const plan = planOf()

describe('the plan', () => {
  it('in one line', () => {
    expect(planSummary(plan, 'a b.bin')).toBe(
      'a b.bin: 128 MiB to 2 nodes, classic group, bound 5.4s (origin uplink)',
    )
    expect(
      planSummary(
        { ...plan, boundSeconds: null, limiting: null, groups: [['h:1'], ['h:2']] },
        'x\n',
      ),
    ).toBe('x\\x0a: 128 MiB to 2 nodes in 2 groups, classic group')
    expect(planSummary({ ...plan, boundSeconds: null, groups: [['h:1']] }, 'x')).toContain(
      'to 1 node,',
    )
  })
  it('with the id of the transfer at first', () =>
    expect(openingLines(plan, 'a')).toEqual([
      'a: 128 MiB to 2 nodes, classic group, bound 5.4s (origin uplink)',
      'transfer t',
    ]))
  it('in full', () =>
    expect(planLines(plan, 'a.bin', plain)).toEqual([
      'a.bin: 128 MiB to 2 nodes, classic group',
      'blocks of 64.0 KiB',
      'predicted: 5.6s',
      'bound: 5.4s',
      'limited by: origin uplink',
      'node           group    relays  share',
      '10.0.0.2:7400      1  64.0 MiB    50%',
      '10.0.0.3:7400      1  64.0 MiB    50%',
    ]))
  it('names slow nodes beside the groups', () => {
    const slow = { bytesPerSecond: 1_000_000, chainBytesPerSecond: 10_000_000 }
    const groups = [['a:1', 'b:1'], ['c:1']]
    const tree = { ...plan, groups, parents: [null, 0], later: [{ node: 'd:1', ...slow }] }
    expect(planSummary(tree, 'x')).toContain('to 4 nodes in 2 groups and 1 after them')
    const lines = planLines(tree, 'x', plain)
    const at = lines.findIndex((line) => line.startsWith('once a group is complete'))
    expect(lines[at]).toContain('below half of 10.0 MB/s')
    expect(lines[at + 1]).toBe('   d:1: 1.00 MB/s')
  })
  it.each([
    [0, '0%'],
    [MIB, '50%'],
  ])('shares are of what is passed on, not of holes: %i bytes each are %s', (bytes, share) => {
    const shares = plan.shares.map(({ node }) => ({ node, bytes }))
    const lines = planLines({ ...plan, shares }, 'a', plain).slice(-2)
    expect(lines.map((line) => line.split(/ +/).at(-1))).toEqual([share, share])
  })
  it('draws which group feeds which, and says what other shapes would take', () => {
    const names = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => `n${from + i}:1`)
    const groups = [names(0, 3), names(3, 6), names(6, 7), names(7, 9), names(9, 11)]
    const tree = {
      ...plan,
      shape: 'tree' as const,
      groups,
      parents: [null, 0, 1, 1, 0],
      sites: ['a', 'a', 'b', null, 'c'],
      shapes: [
        { shape: 'unicast' as const, predictedSeconds: 60 },
        { shape: 'tree' as const, predictedSeconds: 5 },
        { shape: 'chain' as const, predictedSeconds: null },
      ],
    }
    const lines = planLines(tree, 'a', plain)
    expect(lines[2]).toMatch(/^predicted: \S+ \(unicast 1m00s\)$/)
    const at = lines.indexOf('this machine')
    expect(lines.slice(at + 1, at + 6)).toEqual([
      '-> group 1, site a, 3 nodes: n0:1 to n2:1',
      '   |> group 2, site a, 3 nodes: n3:1 to n5:1',
      '   |     |> group 3, site b, 1 node: n6:1',
      '   |     -> group 4, 2 nodes: n7:1 to n8:1',
      '   -> group 5, site c, 2 nodes: n9:1 to n10:1',
    ])
    const many = Array.from({ length: 100 }, (_, i) => names(i, i + 1))
    const chain = { ...plan, groups: many, parents: many.map((_, i) => (i === 0 ? null : i - 1)) }
    const shares = many.map(([node = '']) => ({ node, bytes: 0 }))
    const long = planLines({ ...chain, sites: [], shares }, 'a', plain)
    expect(long).toContain('-> group 24, 1 node: n23:1')
    expect(long).toContain('   and 76 more groups')
    expect(long.at(-1)).toBe('and 100 more nodes, which pass on what these bring')
  })

  it('says what is not known', () =>
    expect(
      planLines(
        { ...plan, predictedSeconds: null, boundSeconds: null, limiting: null },
        'a',
        plain,
      ).slice(2, 5),
    ).toEqual([
      'predicted: unknown without link speeds',
      'bound: unknown without link speeds',
      'limited by: unknown',
    ]))
})

describe('the bar', () => {
  it.each([
    [0, '[>       ]'],
    [0.5, '[====>   ]'],
    [0.99, '[=======>]'],
    [1, '[========]'],
  ])('%d', (share, text) => expect(bar(share, 10)).toBe(text))
})

describe('the live display', () => {
  const live = (columns: number, rows = 24) =>
    liveLines(progress, 'model.bin', { columns, rows }, plain)

  it('fits a wide terminal', () =>
    expect(live(121)).toEqual([
      ' 58%  ETA 2.6s  3.0s elapsed  50.0 MB/s  3 of 4 nodes  efficiency 95%  128 MiB model.bin',
      '10.0.0.2:7400   receiving   [====>   ]   50%  25.0 MB/s  ETA 2.6s' +
        '    out 20.0 MB/s  queue 320 KiB',
      '10.0.0.3:7400   complete    [========]  100%                     ' +
        '    out 20.0 MB/s  queue 320 KiB',
      '10.0.0.14:7400  verifying   [==>     ]   25%             ETA 2.6s' +
        '    out 20.0 MB/s  queue 320 KiB   waits for 10.0.0.2:~',
      '[::1]:7400      failed      [==>     ]   25%',
    ]))

  it('has room for all on a very wide one', () =>
    expect(live(160)[3]).toBe(
      '10.0.0.14:7400  verifying   [=====>              ]   25%             ETA 2.6s' +
        '    out 20.0 MB/s  queue 320 KiB   relays 25%   waits for 10.0.0.2:7400',
    ))

  it('counts what lives, and comes to the end without what is lost', () => {
    const done = { state: 'complete' as const, landedBytes: 128 * MIB, etaSeconds: null }
    const header = (over: Partial<Progress>, warnings = 0) =>
      liveLines(
        { ...progress, efficiency: null, ...over },
        'f',
        { columns: 81, rows: 24 },
        plain,
        warnings,
      )[0]
    const failed = nodeProgress({ node: 'c', state: 'refused', landedBytes: 0 })
    const nodes = [
      nodeProgress({ node: 'a', ...done }),
      nodeProgress({ node: 'b', ...done }),
      failed,
    ]
    expect(header({ nodes, share: 1 })).toBe(
      '100%  ETA 0.00s  3.0s elapsed  0 B/s  2 of 3 nodes  128 MiB f',
    )
    expect(header({ nodes: nodes.slice(0, 2) }, 3)).toContain('  2 nodes  3 warnings  128 MiB f')
    expect(header({ nodes: [failed], share: 0 })).toMatch(/^ {2}0% .* 0 of 1 node /)
  })

  it('knows when all have all only where every rate is known', () => {
    const nodes = [nodeProgress({ node: 'a' }), nodeProgress({ node: 'b', etaSeconds: null })]
    expect(progressLine({ ...progress, nodes })).toMatch(/^58%, 3\.0s elapsed/)
    const [header] = liveLines({ ...progress, nodes }, 'f', { columns: 80, rows: 24 }, plain)
    expect(header).toMatch(/^ 58% {2}ETA - {2}3\.0s elapsed/)
  })

  it('says what a node waits for only where nothing else says so', () => {
    const waits = (over: Partial<NodeProgress>) =>
      liveLines(
        { ...progress, nodes: [nodeProgress({ node: 'h:1', relayedBytes: 0, ...over })] },
        'f',
        { columns: 160, rows: 24 },
        plain,
      )[1]
    expect(waits({ waitsFor: 'data' })).not.toContain('waits')
    expect(waits({ waitsFor: 'data', rateBytesPerSecond: 0 })).toMatch(/waits for data$/)
    expect(waits({ waitsFor: 'connection', state: 'connecting' })).not.toContain('waits')
    expect(waits({ waitsFor: 'its answer', state: 'accepted' })).toMatch(/waits for its answer$/)
    expect(waits({ waitsFor: 'its disk', state: 'verifying' })).toMatch(/waits for its disk$/)
    expect(waits({ waitsFor: 'a sign of life' })).toMatch(/waits for a sign of life$/)
  })

  it('says who lags, and nothing of relaying where nobody does', () => {
    const over = { isLagging: true, relayedBytes: 0, queueBytes: null }
    const nodes = [nodeProgress({ node: 'h:1', ...over })]
    const [, line] = liveLines({ ...progress, nodes }, 'f', { columns: 160, rows: 24 }, plain)
    expect(line).toMatch(/^h:1 {2}lagging {5}\[.*\] {3}50% {2}25\.0 MB\/s {2}ETA 2\.6s$/)
  })

  it('says who catches up, which is no lag, in the plain line too', () => {
    const late = nodeProgress({ node: 'b:1', isCatchingUp: true, landedBytes: 0 })
    const nodes = [
      nodeProgress({ node: 'a:1' }),
      late,
      nodeProgress({ node: 'c:1', isLagging: true }),
    ]
    const lines = liveLines({ ...progress, nodes }, 'f', { columns: 60, rows: 24 }, plain)
    expect(lines.slice(1).map((line) => line.slice(0, 16))).toEqual([
      'a:1  receiving  ',
      'b:1  catching up',
      'c:1  lagging    ',
    ])
    const gone = { ...late, state: 'failed' as const }
    expect(
      liveLines({ ...progress, nodes: [gone] }, 'f', { columns: 60, rows: 24 }, plain)[1],
    ).toMatch(/^b:1 {2}failed/)
    expect(progressLine({ ...progress, nodes })).toContain('1 receiving, 1 catching up, 1 lagging')
  })

  it('gives up bar before reason', () =>
    expect(live(90)).toEqual([
      ' 58%  ETA 2.6s  3.0s elapsed  50.0 MB/s  3 of 4 nodes  efficiency 95%  128 MiB model.bin',
      '10.0.0.2:7400   receiving   [====>   ]   50%  25.0 MB/s  ETA 2.6s',
      '10.0.0.3:7400   complete    [========]  100%',
      '10.0.0.14:7400  verifying   [==>     ]   25%             ETA 2.6s    waits for 10.0.0.2:~',
      '[::1]:7400      failed      [==>     ]   25%',
    ]))

  it('fits 80 columns', () =>
    expect(live(80)).toEqual([
      ' 58%  ETA 2.6s  3.0s elapsed  50.0 MB/s  3 of 4 nodes  efficiency 95%  128 MiB~',
      '10.0.0.2:7400   receiving   [==========>         ]   50%  25.0 MB/s  ETA 2.6s',
      '10.0.0.3:7400   complete    [====================]  100%',
      '10.0.0.14:7400  verifying   [=====>              ]   25%             ETA 2.6s',
      '[::1]:7400      failed      [=====>              ]   25%',
    ]))

  it('fits 40 columns', () =>
    expect(live(40)).toEqual([
      ' 58%  ETA 2.6s  3.0s elapsed  50.0 MB/~',
      '10.0.0.2:7400    50%  25.0 MB/s',
      '10.0.0.3:7400   100%',
      '10.0.0.14:7400   25%',
      '[::1]:7400       25%',
    ]))

  it('fits 12 columns', () =>
    expect(live(12).slice(1)).toEqual(['50% 10.0.0~', '100% 10.0.~', '25% 10.0.0~', '25% [::1]:~']))

  it('never wraps and never scrolls, whatever the size', () => {
    for (let columns = 1; columns < 140; columns++) {
      for (let rows = 1; rows < 8; rows++) {
        const lines = live(columns, rows)
        for (const line of lines) expect(displayWidth(line)).toBeLessThan(Math.max(2, columns))
        expect(lines.length).toBeLessThan(Math.max(4, rows))
      }
    }
  })

  it('shows the slowest and a count where rows are few', () =>
    expect(live(80, 5)).toEqual([
      ' 58%  ETA 2.6s  3.0s elapsed  50.0 MB/s  3 of 4 nodes  efficiency 95%  128 MiB~',
      '10.0.0.2:7400   receiving   [==========>         ]   50%  25.0 MB/s  ETA 2.6s',
      '10.0.0.14:7400  verifying   [=====>              ]   25%             ETA 2.6s',
      'slowest 2 of 4 shown: 1 receiving, 1 complete, 1 verifying, 1 failed',
    ]))

  it('lets no peer write to the terminal', () => {
    const evil = {
      ...progress,
      nodes: [nodeProgress({ node: 'h:1', waitsFor: '\u001b]0;x\u0007\n' })],
    }
    const text = liveLines(evil, '\u001b[2J', { columns: 140, rows: 24 }, plain).join('')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
  })

  it('knows an empty file', () => {
    const empty = {
      ...progress,
      bytes: 0,
      landedBytes: 0,
      share: 0,
      nodes: [nodeProgress({ node: 'h:1', landedBytes: 0, etaSeconds: null })],
    }
    expect(liveLines(empty, 'e', { columns: 60, rows: 24 }, plain)[1]).toContain('  0%')
    expect(progressLine(empty)).toBe('0%, 3.0s elapsed, 25.0 MB/s, efficiency 95%, 1 receiving')
  })
})

describe('chooseShown', () => {
  const nodes = [
    nodeProgress({ node: 'a', landedBytes: 5 }),
    nodeProgress({ node: 'b', landedBytes: 1 }),
    nodeProgress({ node: 'c', state: 'failed', landedBytes: 0 }),
    nodeProgress({ node: 'd', state: 'complete', landedBytes: 9 }),
    nodeProgress({ node: 'e', landedBytes: 3 }),
  ]
  it.each([
    [5, 'abcde'],
    [4, 'abce'],
    [3, 'abe'],
    [2, 'be'],
    [1, 'b'],
    [0, ''],
  ])('%d rows', (room, names) =>
    expect(
      chooseShown(nodes, room)
        .map((each) => each.node)
        .join(''),
    ).toBe(names),
  )
})

describe('plain lines', () => {
  it('progress', () => {
    expect(progressLine(progress)).toBe(
      '58%, ETA 2.6s, 3.0s elapsed, 50.0 MB/s, efficiency 95%, ' +
        '1 receiving, 1 complete, 1 verifying, 1 failed, ' +
        'slowest 10.0.0.14:7400 25%, waits for 10.0.0.2:7400',
    )
  })
  it('outcomes', () => {
    expect(outcomeLine(outcomeOf({ node: 'h:1' }))).toBe('h:1 complete after 5.60 s')
    expect(outcomeLine(lost)).toBe(
      '10.0.0.3:7400 failed after 2.10 s: ERR_FR_NODE_LOST: reset\\x0aby peer',
    )
  })
})
