/** What a node may say of itself, and what is refused by the name of its field. */

import { describe, expect, it } from 'vitest'
import { readStatus } from '../../../src/api/status-shape.js'
import type { NodeStatus } from '../../../src/api/types.js'
import { FrError } from '../../../src/base/errors.js'
import { statusLines } from '../../../src/cli/render/status.js'
import { jsonText, painter } from '../../../src/cli/render/text.js'
import fc from '../../support/property.js'

const transfer = {
  transfer: 'ab'.repeat(16),
  name: 'f.bin',

  role: 'receiving',
  bytes: 10,
  landedBytes: 5,
  verifiedBytes: 0,
  holeBytes: 0,
  receivedBytes: 5,
  duplicateBytes: 0,
  sentBytes: 0,
  pulledBytes: 0,
  servedBytes: 0,
  rateInBytesPerSecond: 1.5,
  rateOutBytesPerSecond: 0,
  etaSeconds: null,
  relays: [{ node: 'h:1', queuedBytes: 1, unackedBytes: 2, isLagging: false }],
  faults: [
    {
      kind: 'link',
      name: 'h:1',
      to: 'h:2',
      causes: [{ cause: 'broken', count: 4 }],
      failures: 1,
      isFailed: true,
      retrySeconds: 8.5,
    },
  ],
  waitsFor: 'data',
  coordinator: '10.0.0.1:5000',
  term: 1,
  source: null,
} as const
const status: NodeStatus = {
  event: 'status',
  node: '127.0.0.1:7400',
  nodeId: 'cd'.repeat(16),
  mirror: false,
  readOnly: false,
  relayOnly: false,
  directory: {
    ...{ parent: null, fault: null, depth: 0, children: 0, below: 0, mates: 0 },
    ...{ bits: 0, unknown: [], code: null, announcements: 0, dropped: 0 },
  },
  master: null,
  audit: [
    {
      ...{ peer: 'ab'.repeat(16), name: 'edge-1', address: 'h:9', what: 'remove a' },
      ...{ decision: 'refused', missing: 'rm a', count: 2, secondsAgo: 1 },
    },
  ],
  attributes: { region: 'eu', gpu: '' },
  name: null,
  version: '0.1.0',
  uptimeSeconds: 1,
  engine: 'native',
  dataDir: '/srv',
  freeBytes: 1,
  problems: ['the disk is full'],
  lastError: { code: 'ERR_FR_IO', text: 'fsync', secondsAgo: 1 },
  kept: { files: 1, bytes: 2, names: ['a.bin'] },
  held: { files: 0, bytes: 0, damaged: 0 },
  limits: { upBytesPerSecond: null, downBytesPerSecond: null, maxFeeds: null },
  rates: { inBytesPerSecond: 25e6, outBytesPerSecond: 0 },
  transfers: [transfer],
  ended: [
    {
      transfer: 'ef'.repeat(16),
      name: 'b.bin',
      role: 'receiving',
      outcome: 'failed',
      bytes: 3,
      code: 'ERR_FR_IO',
      reason: 'ERR_FR_IO: fsync',
      secondsAgo: 61,
      ...{ coordinator: 'h:2', term: 2, source: null },
    },
  ],
  pulls: [
    { name: 'f', contentId: 'c', bytes: 2, hereBytes: 1, sources: 0, holders: 1, reason: 'r' },
  ],
  decisions: [
    {
      ...{ id: 'ab'.repeat(16), name: 'm', digest: 'blake3:00', mode: 'all', members: 3 },
      ...{ state: 'prepared', secondsAgo: 2, waitsFor: 'its author' },
    },
  ],
  counters: { connections: 1 },
}

function refusal(value: unknown): string {
  try {
    readStatus(typeof value === 'string' ? value : JSON.stringify(value), 'h:1')
  } catch (error) {
    expect(error).toBeInstanceOf(FrError)
    expect((error as FrError).code).toBe('ERR_FR_PROTOCOL')
    return (error as FrError).message
  }
  throw new Error('taken')
}

describe('readStatus', () => {
  it('takes a status as it is', () => {
    expect(readStatus(JSON.stringify(status), 'h:1')).toEqual(status)
    const later = { ...status, more: 1 }
    expect(readStatus(JSON.stringify(later), 'h:1')).toEqual(later)
  })

  it('refuses what is none', () => {
    expect(refusal('{')).toBe('h:1 sent a status that is not JSON')
    for (const value of ['null', '[]', '1', '"x"'])
      expect(refusal(value)).toMatch(/is not an object$/)
    expect(refusal('{"__proto__":{"event":"status"}}')).toMatch(/no valid 'event'/)
  })

  const wrong: unknown[] = [undefined, '\u001b[2J', -1, {}, [1], 'x'.repeat(20_000), true]
  it.each(Object.keys(status))('refuses every wrong %s by name', (name) => {
    for (const value of wrong) {
      const text = JSON.stringify({ ...status, [name]: value })
      let message = ''
      try {
        readStatus(text, 'h:1')
      } catch (error) {
        message = (error as FrError).message
      }
      if (message !== '') expect(message).toBe(`h:1 sent a status that has no valid '${name}'`)
    }
    expect(refusal({ ...status, [name]: undefined })).toContain(`'${name}'`)
  })

  it.each(Object.keys(transfer))('refuses a transfer without %s', (name) => {
    expect(refusal({ ...status, transfers: [{ ...transfer, [name]: undefined }] })).toContain(
      "no valid 'transfers'",
    )
  })

  it('whatever is taken can be shown, and moves no terminal', () => {
    const terminal = /[\p{Cc}\u202e\u2028]/u
    const word = fc.string({
      unit: fc.constantFrom('a', '\u001b', '\u009b', '\u202e', '\u2028', '"'),
    })
    fc.assert(
      fc.property(
        word,
        word,
        fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
        (a, b, n) => {
          const hostile: unknown = {
            ...status,
            ...{
              node: a,
              nodeId: b,
              name: a,
              version: b,
              dataDir: a,
              freeBytes: n,
              uptimeSeconds: n,
            },
            transfers: [
              { ...transfer, transfer: a, name: b, bytes: n, waitsFor: a, etaSeconds: n },
            ],
            counters: { [a]: n },
          }
          const read = readStatus(JSON.stringify(hostile), 'h:1')
          for (const line of statusLines(read, painter(false))) expect(line).not.toMatch(terminal)
          expect(jsonText(read)).not.toMatch(terminal)
          expect(JSON.parse(jsonText(read))).toEqual(read)
        },
      ),
    )
  })
})
