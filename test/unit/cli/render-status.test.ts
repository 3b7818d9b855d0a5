/** What `fr status` prints. */
import { describe, expect, it } from 'vitest'
import type { NodeStatus } from '../../../src/api/types.js'
import { statusLines } from '../../../src/cli/render/status.js'
import { displayWidth, printable } from '../../../src/cli/render/text.js'
import { MIB, plain, statusOf, transferOf } from './support.js'

describe('statusLines', () => {
  const status = statusOf({
    name: 'ams-1',
    rates: { inBytesPerSecond: 25e6, outBytesPerSecond: 0 },
    transfers: [
      transferOf({
        relays: [
          { node: '10.0.0.3:7400', queuedBytes: MIB, unackedBytes: 65_536, isLagging: false },
          { node: '10.0.0.4:7400', queuedBytes: 9 * MIB, unackedBytes: 0, isLagging: true },
        ],
        ...{ waitsFor: 'origin', coordinator: '10.0.0.3:7400', term: 2 },
      }),
    ],
    counters: { openFeeds: 3, landingFallbacks: 0 },
  })
  it('shows a node and its transfers', () =>
    expect(statusLines(status, plain)).toEqual([
      'node       10.0.0.2:7400, called ams-1',
      'id         00112233445566778899aabbccddeeff',
      'version    0.1.0, native engine',
      'up         2h03m',
      'data       /srv/data, 80.0 GiB free',
      'health     ok',
      'rate       in 25.0 MB/s, out 0 B/s',
      'transfers  1',
      'ff00  model.bin',
      '  receiving 128 MiB, 50% landed, 25% verified, in 25.0 MB/s, out 12.5 MB/s, ' +
        'ETA 3.2s, waits for origin, 10.0.0.3:7400 took over (term 2)',
      '  relays to        queued  in flight',
      '  10.0.0.3:7400  1.00 MiB   64.0 KiB',
      '  10.0.0.4:7400  9.00 MiB        0 B  lagging',
      'counters   openFeeds=3',
    ]))
  it('shows what the node says of itself', () => {
    const attributes = { site: 'eu', gpu: '' }
    expect(statusLines({ ...status, attributes }, plain)).toContain('attributes site=eu gpu')
  })
  it('says where it is in the directory, and what no bit is left for', () => {
    const lines = (changes: Partial<NodeStatus['directory']>): string[] => {
      const directory = { ...status.directory, ...changes }
      return statusLines({ ...status, directory }, plain).filter((line) => /^parent/.test(line))
    }
    expect(lines({})).toEqual([])
    expect(lines({ children: 2, below: 7 })).toEqual(['parent     none; 7 nodes below'])
    expect(lines({ parent: 'h:1', below: 1 })).toEqual(['parent     h:1; 1 node below'])
    const fault = 'ERR_FR_UNREACHABLE not reached'
    expect(lines({ fault })).toEqual([`parent     none: ${fault}; 0 nodes below`])
    const full = { unknown: ['a=1'], code: 'ERR_FR_DICTIONARY_FULL' }
    expect(lines(full)[0]).toContain('no bit for a=1 (ERR_FR_DICTIONARY_FULL)')
  })

  it('shows what is pulled, from how many nodes, and why something is not', () => {
    const pull = { name: 'a', contentId: 'c', bytes: 4 * MIB, hereBytes: MIB, holders: 3 }
    const pulls = [
      { ...pull, sources: 2, reason: null },
      { ...pull, name: 'b', hereBytes: 0, sources: 0, reason: 'it was removed here' },
    ]
    const lines = statusLines({ ...status, pulls }, plain)
    expect(lines).toContain('pulls      a, 1.00 MiB of 4.00 MiB here; from 2 nodes')
    expect(lines).toContain('pulls      b, 0 B of 4.00 MiB here; it was removed here')
  })

  it('shows what is ready and not decided', () => {
    const decisions = [
      {
        id: 'ab'.repeat(16),
        name: 'model.bin',
        digest: 'blake3:4f1c',
        mode: 'all',
        members: 5,
        state: 'prepared',
        secondsAgo: 65,
        waitsFor: 'a majority of its members',
      },
    ] as const
    expect(statusLines({ ...status, decisions }, plain)).toContain(
      'prepared   model.bin blake3:4f1c for 1m05s, commit all of 5 nodes: ' +
        'waits for a majority of its members',
    )
  })
  it('shows what is wrong with the data directory, and what is kept in it', () => {
    const lines = statusLines(
      {
        ...status,
        problems: ['it is not at its path any more: stat /srv/data', 'a\u001b[31mb'],
        lastError: { code: 'ERR_FR_NO_SPACE', text: '9 GiB needed', secondsAgo: 65 },
        kept: { files: 9, bytes: 3 * MIB, names: ['model.bin', 'a.bin'] },
      },
      plain,
    )
    const [health, error, kept] = lines.slice(5)
    expect(health).toBe(
      `health     it is not at its path any more: stat /srv/data; ${printable('a\u001b[31mb')}`,
    )
    expect(error).toBe('last error ERR_FR_NO_SPACE: 9 GiB needed (1m05s ago)')
    expect(kept).toBe(
      'kept       3.00 MiB in 9 partial files of transfers that failed: model.bin, a.bin, ...',
    )
  })
  it('shows what fails and has failed', () => {
    const [transfer] = status.transfers
    const causes = [{ cause: 'broken', count: 4 }]
    const link = { kind: 'link', name: '10.0.0.3:7400', to: '10.0.0.2:7400', causes } as const
    const node = { ...link, kind: 'node', name: '10.0.0.4:7400', to: null } as const
    const faults = [
      { ...link, failures: 1, isFailed: true, retrySeconds: 8.5 },
      { ...node, failures: 2, isFailed: false, retrySeconds: null },
      { ...node, name: '10.0.0.5:7400', failures: 0, isFailed: false, retrySeconds: null },
    ]
    const transfers = [{ ...transfer, faults }] as NodeStatus['transfers']
    expect(statusLines({ ...status, transfers }, plain).slice(10, 12)).toEqual([
      '  link 10.0.0.3:7400 to 10.0.0.2:7400 failed, tried again in 8.5s (broken 4x)',
      '  node 10.0.0.4:7400 has failed, used again (broken 4x)',
    ])
  })
  it('shows what has ended, when and why', () => {
    const about = { coordinator: null, term: 1, source: null } as const
    const failed = { code: null, reason: null, ...about } as const
    const one = { transfer: 'ee00', name: 'a.bin', bytes: MIB, ...failed } as const
    const alone = { coordinator: '10.0.0.3:7400', term: 2, source: 'unchecked' } as const
    const ended: NodeStatus['ended'] = [
      { ...one, role: 'receiving', outcome: 'complete', secondsAgo: 65 },
      { ...one, ...alone, role: 'receiving', outcome: 'complete', secondsAgo: 65 },
      {
        ...one,
        role: 'origin',
        outcome: 'partial',
        code: 'ERR_FR_IO',
        reason: 'ERR_FR_IO: a\u001b[31mb',
        secondsAgo: 3_600,
      },
    ]
    const lines = statusLines({ ...status, transfers: [], ended, counters: {} }, plain)
    expect(lines.slice(8)).toEqual([
      'ended  name   outcome            size       when  why',
      'ee00   a.bin  complete       1.00 MiB  1m05s ago',
      'ee00   a.bin  complete       1.00 MiB  1m05s ago  10.0.0.3:7400 took over (term 2)' +
        '; source: unchecked',
      `ee00   a.bin  sent: partial  1.00 MiB  1h00m ago  ${printable('ERR_FR_IO: a\u001b[31mb')}`,
    ])
  })
  it('shows how much it holds', () => {
    const holds = (files: number, damaged: number): string | undefined =>
      statusLines({ ...status, held: { files, bytes: 3 * MIB, damaged } }, plain)[6]
    expect(holds(2, 0)).toBe('holds      2 files, 3.00 MiB')
    expect(holds(1, 1)).toBe('holds      1 file, 3.00 MiB; 1 record damaged')
    expect(holds(0, 0)).toBe('rate       in 25.0 MB/s, out 0 B/s')
  })
  it('shows what it keeps to', () => {
    const limits = { upBytesPerSecond: 25e6, downBytesPerSecond: null, maxFeeds: 8 }
    const lines = statusLines({ ...status, limits }, plain)
    expect(lines[7]).toBe('limits     up 25.0 MB/s, sends to 8 nodes at once')
  })
  it.each([80, 120])('fits %d columns', (columns) => {
    const [transfer] = status.transfers
    const counters = Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [`counter${n}`, n + 1]),
    )
    const relays = [
      { node: `${'n'.repeat(200)}:7400`, queuedBytes: MIB, unackedBytes: 0, isLagging: true },
    ]
    const long = { ...transfer, transfer: 'f'.repeat(32), name: '\u7bc0'.repeat(200), relays }
    const lines = statusLines(
      { ...status, transfers: [long], counters } as NodeStatus,
      plain,
      columns,
    )
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns)
    expect(lines).toContain(
      `${'f'.repeat(32)}  ${'\u7bc0'.repeat(Math.floor((columns - 35) / 2))}~`,
    )
    expect(lines.join('\n')).toContain(':7400  1.00 MiB        0 B  lagging')
    expect(lines.join(' ')).toContain('counter39=40')
  })

  it('shows an idle node', () =>
    expect(
      statusLines({ ...status, name: null, transfers: [], counters: {} }, plain).slice(-1),
    ).toEqual(['transfers  0']))
})
