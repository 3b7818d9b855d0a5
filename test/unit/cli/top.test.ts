/** `fr top`: tables of a fleet, what keys change, and the lines on the screen. */
import { describe, expect, it } from 'vitest'
import type { NodeStatus, TransferStatus } from '../../../src/api/types.js'
import { parseCommandLine } from '../../../src/cli/program.js'
import { displayWidth } from '../../../src/cli/render/text.js'
import type { Seen } from '../../../src/cli/watch/fleet.js'
import { fleetTable } from '../../../src/cli/watch/fleet-tables.js'
import { pageOf, topLines } from '../../../src/cli/watch/top-lines.js'
import {
  afterKey,
  firstState,
  type Key,
  shownRows,
  type TopState,
} from '../../../src/cli/watch/top-state.js'
import { MIB, plain, statusOf, transferOf } from './support.js'

const seen = (address: string, over: Partial<NodeStatus> = {}): Seen => ({
  ...{ address, status: statusOf({ node: address, ...over }), master: null, fault: null },
})
const away = (one: Seen, code = 'ERR_FR_UNREACHABLE'): Seen => ({
  ...one,
  fault: { code, text: `${code}: no answer` },
})
const moving = (over: Partial<TransferStatus> = {}): TransferStatus =>
  transferOf({ bytes: 100 * MIB, landedBytes: 50 * MIB, ...over })
const ended = (outcome: 'complete' | 'failed', secondsAgo = 1): NodeStatus['ended'][number] => ({
  ...{ transfer: moving().transfer, name: 'model.bin', role: 'receiving' as const, outcome },
  ...{
    bytes: 100 * MIB,
    source: null,
    coordinator: null,
    term: 1,
    reason: null,
    code: null,
    secondsAgo,
  },
})
const textOf = (view: 'nodes' | 'transfers' | 'links', fleet: readonly Seen[]): string[][] =>
  fleetTable(view, fleet).rows.map(({ cells }) => cells.map(({ text }) => text))

it.each([
  ['status h --nodes f', 'give either HOST[:PORT][,...] or --nodes FILE'],
  ['status h --watch 10ms', 'too short; at least 100ms'],
  ['top h --every 2h', 'too long; at most 1h00m'],
  ['top dns:10.0.0.2', "'dns:10.0.0.2' is not dns:NAME[:PORT]"],
  ['top dns:a:0', "'dns:a:0' is not dns:NAME[:PORT]"],
])('%s is refused', (line, text) => {
  const parsed = parseCommandLine(line.split(' '), '0')
  expect(parsed).toMatchObject({ kind: 'usage', text: expect.stringContaining(text) })
})

describe('tables', () => {
  it('a node that is away keeps what it said last, and carries nothing', () => {
    const one = seen('a:1', { name: 'ams', held: { files: 3, bytes: 9, damaged: 0 } })
    const [row] = textOf('nodes', [away(one)])
    expect(row).toEqual(['ams a:1', 'away', '-', '-', '-', '3', '80.0 GiB', 'ERR_FR_UNREACHABLE'])
    expect(textOf('nodes', [{ ...away(one), status: null }])[0]?.[1]).toBe('away')
    expect(textOf('nodes', [{ ...one, status: null }])[0]?.[1]).toBe('asked')
  })

  it('of a node: faulty before moving, moving before idle, and what it waits for', () => {
    const busy = { transfers: [moving({ waitsFor: 'the origin' })] }
    const states = [
      seen('a:1', { ...busy, problems: ['disk full'] }),
      seen('b:1', busy),
      seen('c:1'),
    ]
    expect(textOf('nodes', states).map((row) => [row[1], row[4], row[7]])).toEqual([
      ['faulty', '50%', 'disk full'],
      ['moving', '50%', 'waits for the origin'],
      ['idle', '-', ''],
    ])
  })

  it('counts a transfer over all nodes, the newest attempt of each', () => {
    const fleet = [
      seen('o:1', { transfers: [moving({ role: 'origin', rateInBytesPerSecond: 0 })] }),
      seen('a:1', { transfers: [moving({ waitsFor: 'data', etaSeconds: 3 })] }),
      seen('b:1', {
        transfers: [moving({ landedBytes: 25 * MIB, etaSeconds: 9, waitsFor: null })],
      }),
      seen('c:1', { ended: [ended('complete'), ended('failed', 5)] }),
      seen('d:1', {
        transfers: [moving({ role: 'complete', landedBytes: 100 * MIB })],
        ended: [ended('failed')],
      }),
    ]
    expect(textOf('transfers', fleet)).toEqual([
      ['model.bin', '100 MiB', '2/4', 'moving', '68%', '75.0 MB/s', '9.0s', 'b:1'],
    ])
    const over = [
      seen('a:1', { ended: [ended('complete')] }),
      seen('b:1', { ended: [ended('failed')] }),
    ]
    expect(textOf('transfers', over)[0]?.slice(2, 5)).toEqual(['1/2', 'failed', '50%'])
    expect(textOf('transfers', [seen('a:1', { ended: [ended('complete')] })])[0]?.[3]).toBe(
      'complete',
    )
  })

  it('shows ways between nodes, those that failed, and what links of a master may carry', () => {
    const relays = [{ node: 'b:1', queuedBytes: MIB, unackedBytes: MIB, isLagging: true }]
    const faults = [
      {
        ...{ kind: 'link' as const, name: 'c:1', to: 'a:1', failures: 2, isFailed: true },
        ...{ retrySeconds: 3, causes: [{ cause: 'reset', count: 2 }] },
      },
    ] as unknown as TransferStatus['faults']
    const node = seen('a:1', { transfers: [moving({ relays, faults })] })
    expect(textOf('links', [node])).toEqual([
      ['a:1', 'b:1', 'model.bin', '2.00 MiB', 'lagging'],
      ['c:1', 'a:1', 'model.bin', '-', 'failed: reset'],
    ])
    const link = {
      ...{ event: 'link' as const, kind: 'link' as const, name: 'ams->fra', bytes: 5, cost: 0 },
      ...{ capabilityBytesPerSecond: 5e6, allocatedBytesPerSecond: 4e6, usedBytesPerSecond: 3e6 },
      ...{ costPerGb: 0, isFailed: false },
    }
    const told = { nodes: [], links: [link], copies: [] }
    const master: Seen = { address: 'm:1', status: null, master: told, fault: null }
    expect(textOf('links', [node, master])[2]).toEqual([
      ...['ams->fra', '', 'link', '5.00 MB/s', '4.00 MB/s', '3.00 MB/s', '-', 'in use'],
    ])
  })
})

describe('keys', () => {
  const fleet = ['a:1', 'b:1', 'c:1', 'd:1'].map((address, at) =>
    seen(address, { rates: { inBytesPerSecond: at * 1e6, outBytesPerSecond: 0 } }),
  )
  const press = (state: TopState, ...keys: (string | Key)[]) =>
    keys.reduce<TopState | string>((before, key) => {
      if (typeof before === 'string') return before
      const table = fleetTable(before.view, fleet)
      const room = { rows: shownRows(table, before), columns: table.columns.length, page: 2 }
      return afterKey(before, typeof key === 'string' ? { sequence: key, name: key } : key, room)
    }, state)
  const pressed = (...keys: (string | Key)[]): TopState => {
    const after = press(firstState, ...keys)
    if (typeof after === 'string') throw new Error(`it has ended: ${after}`)
    return after
  }
  const rowsOf = (state: TopState) =>
    shownRows(fleetTable(state.view, fleet), state).map(({ key }) => key)

  it('go from view to view, round both ends', () => {
    expect(pressed('2').view).toBe('transfers')
    expect(pressed({ name: 'left' }).view).toBe('links')
    expect(pressed({ name: 'tab' }, { name: 'tab' }, { name: 'tab' }).view).toBe('nodes')
    expect(pressed('9').view).toBe('nodes')
  })

  it('sort by the next column, numbers downwards, and reverse', () => {
    expect(rowsOf(pressed('s', 's'))).toEqual(['d:1', 'c:1', 'b:1', 'a:1'])
    expect(rowsOf(pressed('s', 's', 'r'))).toEqual(['a:1', 'b:1', 'c:1', 'd:1'])
    expect(pressed('S').sorted.nodes.column).toBe(7)
  })

  it('filter while they are typed; letters are no commands then', () => {
    const typing = pressed('/', 'b', ':')
    expect(rowsOf(typing)).toEqual(['b:1'])
    expect(press(typing, 'q')).toMatchObject({ filter: 'b:q' })
    expect(press(typing, { name: 'backspace' }, { name: 'return' })).toMatchObject({
      ...{ filter: 'b', isTyping: false },
    })
    expect(press(typing, { name: 'escape' })).toMatchObject({ filter: '', isTyping: false })
    expect(press(typing, { sequence: '\u001b[2J', name: undefined })).toEqual(typing)
    expect(pressed('/', ...'x'.repeat(500)).filter).toHaveLength(64)
  })

  it('choose a row, keep it when the order changes, and stay in the list', () => {
    expect(pressed({ name: 'down' }, { name: 'down' }).chosen).toBe('c:1')
    expect(pressed({ name: 'pagedown' }, 's', 's', { name: 'up' }).chosen).toBe('d:1')
    expect(pressed({ name: 'end' }, { name: 'down' }).chosen).toBe('d:1')
    expect(pressed({ name: 'end' }, { name: 'home' }).chosen).toBe('a:1')
  })

  it('end it, put it away, pause it, explain it', () => {
    expect(press(firstState, 'q')).toBe('quit')
    expect(press(firstState, { ctrl: true, name: 'c' })).toBe('stop')
    expect(press(pressed('/'), { ctrl: true, name: 'z' })).toBe('suspend')
    expect(pressed(' ').isPaused).toBe(true)
    expect(pressed('?').isHelp).toBe(true)
    expect(pressed('?', 'x')).toEqual(firstState)
    expect(press(pressed({ name: 'return' }), 'q')).toEqual(firstState)
  })
})

describe('lines', () => {
  const nodes = Array.from({ length: 100 }, (_, at) =>
    seen(`10.0.0.${at}:7400`, { transfers: [moving()], problems: at === 7 ? ['\u001b[2Jx'] : [] }),
  )

  it.each([
    [80, 24],
    [120, 40],
    [20, 5],
  ])('fill %d columns and %d rows, and no more', (columns, rows) => {
    for (const over of [{}, { view: 'transfers' as const }, { isHelp: true }, { isTyping: true }]) {
      const lines = topLines(nodes, { ...firstState, ...over }, { columns, rows }, plain)
      expect(lines).toHaveLength(rows)
      if (!('isHelp' in over) && columns >= 80)
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns)
      expect(lines.join('')).not.toContain('\u001b')
    }
  })

  it('show the chosen row wherever it is, and that what is away', () => {
    const room = { columns: 80, rows: 24 }
    const chosen = { ...firstState, chosen: '10.0.0.60:7400' }
    const lines = topLines([...nodes.slice(1), away(nodes[0] as Seen)], chosen, room, plain)
    expect(lines.filter((line) => line.startsWith('> 10.0.0.60:7400'))).toHaveLength(1)
    expect(lines[0]).toBe('fr top  100 nodes, 1 away, 1 transfer, in 2.48 GB/s, out 0 B/s')
    expect(lines.slice(3, -1)).toHaveLength(pageOf(room))
  })

  it('show all of what was chosen, and no more lines than there are', () => {
    const state = { ...firstState, chosen: '10.0.0.3:7400', detailFrom: 1_000 }
    const lines = topLines(nodes, state, { columns: 80, rows: 24 }, plain)
    expect(lines.join('\n')).toContain('model.bin')
    expect(lines).toHaveLength(24)
  })
})
