/** A status always fits its frame. */
import { describe, expect, it } from 'vitest'
import { boundedJson } from '../../../src/api/status-json.js'
import type { NodeStatus, TransferStatus } from '../../../src/api/types.js'
import { encodeBody } from '../../../src/protocol/frames.js'

const relay = { node: '10.0.0.2:7400', queuedBytes: 1e9, unackedBytes: 1e6, isLagging: false }
const transfer = (name: string, relays: number): TransferStatus => ({
  transfer: 'a'.repeat(32),
  name,
  role: 'receiving',
  bytes: 1e12,
  landedBytes: 1,
  verifiedBytes: 1,
  holeBytes: 0,
  receivedBytes: 1,
  duplicateBytes: 0,
  sentBytes: 0,
  pulledBytes: 0,
  servedBytes: 0,
  rateInBytesPerSecond: 1,
  rateOutBytesPerSecond: 1,
  etaSeconds: null,
  relays: Array.from({ length: relays }, () => relay),
  faults: [],
  waitsFor: 'data',
  coordinator: '10.0.0.1:5000',
  term: 1,
  source: null,
})
const status = (transfers: readonly TransferStatus[]): NodeStatus => ({
  event: 'status',
  node: '10.0.0.1:7400',
  nodeId: 'b'.repeat(32),
  name: null,
  mirror: false,
  readOnly: false,
  relayOnly: false,
  directory: {
    ...{ parent: null, fault: null, depth: 0, children: 0, below: 0, mates: 0 },
    ...{ bits: 0, unknown: [], code: null, announcements: 0, dropped: 0 },
  },
  master: null,
  audit: [],
  attributes: {},
  version: '1.2.3',
  uptimeSeconds: 1,
  engine: 'native',
  dataDir: '/srv/data',
  freeBytes: 1,
  problems: [],
  lastError: null,
  kept: { files: 0, bytes: 0, names: [] },
  held: { files: 0, bytes: 0, damaged: 0 },
  limits: { upBytesPerSecond: null, downBytesPerSecond: null, maxFeeds: null },
  rates: { inBytesPerSecond: 25e6, outBytesPerSecond: 0 },
  transfers,
  ended: [],
  decisions: [],
  pulls: [],
  counters: {},
})
const sent = (transfers: readonly TransferStatus[]): NodeStatus => {
  const json = boundedJson(status(transfers))
  // Throws where it is too large.
  expect(encodeBody({ type: 'status', json }).bytes.length).toBeGreaterThan(json.length)
  return JSON.parse(json) as NodeStatus
}
const many = (name: string, relays: number) =>
  Array.from({ length: 128 }, () => transfer(name, relays))

describe('a status in its frame', () => {
  it('is whole where there is room', () => {
    const all = many('model.bin', 8)
    expect(sent(all)).toEqual(status(all))
  })

  it('leaves out the relays first', () => {
    const { transfers } = sent(many('model.bin', 63))
    expect(transfers).toHaveLength(128)
    expect(transfers.every(({ relays }) => relays.length === 0)).toBe(true)
  })

  it('then transfers, however they are called', () => {
    const { transfers, nodeId } = sent(many('"\\'.repeat(2_000), 63))
    expect(transfers.length).toBeGreaterThan(4)
    expect(transfers.length).toBeLessThan(128)
    expect(nodeId).toBe('b'.repeat(32))
  })
})
