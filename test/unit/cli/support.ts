/** What a push tells a view, to be shown: each value in full, with what a test is about changed. */
import type {
  NodeOutcome,
  NodeProgress,
  Plan,
  Progress,
  PushResult,
} from '../../../src/api/types.js'
import { painter } from '../../../src/cli/render/text.js'

export const plain = painter(false)
export const MIB = 1024 * 1024

export const nodeProgress = (over: Partial<NodeProgress> & { node: string }): NodeProgress => ({
  state: 'receiving',
  landedBytes: 64 * MIB,
  verifiedBytes: 64 * MIB,
  rateBytesPerSecond: 25e6,
  rateOutBytesPerSecond: 20e6,
  dealtBytes: 0,
  relayedBytes: 16 * MIB,
  relayedShare: 0.25,
  queueBytes: 320 * 1024,
  isLagging: false,
  isDemoted: false,
  isCatchingUp: false,
  etaSeconds: 2.6,
  waitsFor: null,
  ...over,
})

export const progressOf = (
  nodes: readonly NodeProgress[],
  over: Partial<Progress> = {},
): Progress => ({
  event: 'progress',
  transfer: 't',
  seconds: 3,
  bytes: 128 * MIB,
  landedBytes: 256 * MIB,
  totalBytes: 512 * MIB,
  share: 224 / 384,
  efficiency: 0.957,
  faults: [],
  originBytesSent: 100,
  nodes,
  ...over,
})

export const planOf = (over: Partial<Plan> = {}): Plan => ({
  event: 'plan',
  transfer: 't',
  ...{ coding: 'identity', wireBytes: 256 * MIB },
  strategy: 'classic',
  shape: 'group',
  groups: [['10.0.0.2:7400', '10.0.0.3:7400']],
  parents: [null],
  later: [],
  sites: [null],
  shares: [
    { node: '10.0.0.2:7400', bytes: 64 * MIB },
    { node: '10.0.0.3:7400', bytes: 64 * MIB },
  ],
  bytes: 128 * MIB,
  dataBytes: 128 * MIB,
  blockBytes: 65_536,
  shapes: [],
  predictedSeconds: 5.6,
  boundSeconds: 5.37,
  limiting: 'origin uplink',
  ...over,
})

export const outcomeOf = (over: Partial<NodeOutcome> & { node: string }): NodeOutcome => ({
  status: 'complete',
  seconds: 5.6,
  bytes: 128 * MIB,
  digest: 'xxh64-blocks/65536:0123456789abcdef',
  repairedBytes: 0,
  receivedBytes: 128 * MIB,
  duplicateBytes: 0,
  fromOriginBytes: 0,
  fromMatesBytes: 0,
  fromMirrorsBytes: 0,
  fromRelaysBytes: 0,
  heldBytes: 0,
  filledBytes: 0,
  servedBy: null,
  holeBytes: 0,
  attempts: 1,
  rejoined: false,
  reopened: 0,
  code: null,
  retryable: false,
  reason: null,
  warnings: [],
  ...over,
})

export const lost = outcomeOf({
  node: '10.0.0.3:7400',
  status: 'failed',
  seconds: 2.1,
  bytes: 3,
  digest: null,
  code: 'ERR_FR_NODE_LOST',
  retryable: true,
  reason: 'ERR_FR_NODE_LOST: reset\nby peer',
})

export const resultOf = (over: Partial<PushResult> = {}): PushResult => ({
  event: 'result',
  ...{ coding: 'identity', wireBytes: 256 * MIB },
  term: 1,
  coordinator: null,
  transfer: 't',
  bytes: 128 * MIB,
  dataBytes: 128 * MIB,
  seconds: 5.61,
  boundSeconds: 5.37,
  efficiency: 0.957,
  boundFrom: 'configured',
  observedBoundSeconds: 5.4,
  observedEfficiency: 0.96,
  relays: [],
  shares: [
    { node: '10.0.0.2:7400', dealtBytes: 96 * MIB, relayedBytes: 96 * MIB, relayedShare: 0.75 },
    { node: '10.0.0.3:7400', dealtBytes: 24 * MIB, relayedBytes: 0, relayedShare: 0 },
  ],
  originShare: 0.25,
  directBytes: 8 * MIB,
  crossings: [],
  medianSeconds: 2,
  resentBytes: 0,
  strategy: 'classic',
  shape: 'group',
  originBytesSent: 134_217_999,
  digest: 'xxh64-blocks/65536:0123456789abcdef',
  faults: [],
  warnings: [],
  nodes: [outcomeOf({ node: '10.0.0.2:7400' }), lost],
  ...over,
})
