/** The shapes of what a node reports of a copy: the events and the result of a push. */
import { codings } from '../base/coding.js'
import { isFrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Committed } from '../control/view/committed.js'
import {
  amount,
  type Check,
  fact,
  list,
  one,
  optional,
  orNull,
  readShaped,
  type Shape,
  text,
  wrongField,
} from './shape.js'
import { faults } from './status-shape.js'
import type {
  NodeOutcome,
  NodeProgress,
  Plan,
  Progress,
  PushRelay,
  PushResult,
  PushShare,
} from './types.js'

const nodesMax = limits.placesPerPush
const strategy = one('classic', 'adaptive')
const shape = one('unicast', 'group', 'chain', 'tree', 'binomial')
const isCode: Check = (value) => isFrErrorCode(value as string)
const code = orNull(isCode)

function each(of: Readonly<Record<string, Check>>): Check {
  return list((value) => wrongField(value, of) === null, nodesMax)
}

const sent = { coding: one('identity', ...codings), wireBytes: amount } as const

const planShare: Shape<Plan['shares'][number]> = { node: text, bytes: amount }

const laterNode: Shape<Plan['later'][number]> = {
  node: text,
  bytesPerSecond: amount,
  chainBytesPerSecond: amount,
}

const plan: Shape<Plan> = {
  event: one('plan'),
  transfer: text,
  strategy,
  shape,
  groups: list(list(text, nodesMax), nodesMax),
  parents: list(orNull(amount), nodesMax),
  later: each(laterNode),
  sites: list(orNull(text), nodesMax),
  shares: each(planShare),
  bytes: amount,
  ...sent,
  dataBytes: amount,
  blockBytes: amount,
  predictedSeconds: orNull(amount),
  shapes: each({ shape, predictedSeconds: orNull(amount) }),
  boundSeconds: orNull(amount),
  limiting: orNull(text),
  growing: optional((value) => value === true),
}

const lag: Shape<NonNullable<NodeProgress['lag']>> = {
  p50Ms: amount,
  p99Ms: amount,
  p50Bytes: amount,
  p99Bytes: amount,
  behindBytes: amount,
}

const nodeProgress: Shape<NodeProgress> = {
  node: text,
  state: one('connecting', 'accepted', 'receiving', 'verifying', 'complete', 'failed', 'refused'),
  landedBytes: amount,
  verifiedBytes: amount,
  rateBytesPerSecond: amount,
  rateOutBytesPerSecond: amount,
  dealtBytes: amount,
  relayedBytes: amount,
  relayedShare: amount,
  queueBytes: orNull(amount),
  isLagging: fact,
  isDemoted: fact,
  isCatchingUp: fact,
  etaSeconds: orNull(amount),
  waitsFor: orNull(text),
  lag: optional((value) => wrongField(value, lag) === null),
}

const progress: Shape<Progress> = {
  event: one('progress'),
  transfer: text,
  seconds: amount,
  bytes: amount,
  landedBytes: amount,
  totalBytes: amount,
  share: amount,
  efficiency: orNull(amount),
  originBytesSent: amount,
  faults,
  nodes: each(nodeProgress),
}

const failures = list(
  (value) => wrongField(value, { name: text, code: isCode, text }) === null,
  limits.treeFailuresTold,
)

const nodeTree: Shape<NonNullable<NodeOutcome['tree']>> = {
  unchanged: amount,
  changed: amount,
  failedCount: amount,
  failures,
}

const tree: Shape<NonNullable<PushResult['tree']>> = {
  // No copy only tells what it would do.
  dry: (value) => value === undefined,
  entries: amount,
  files: amount,
  movedBytes: amount,
  transfers: amount,
  failedCount: amount,
  failures,
}

/** No copy is one of descriptors. */
const never: Check = (value) => value === undefined

const outcome: Shape<NodeOutcome> = {
  descriptors: never,
  tree: optional((value) => wrongField(value, nodeTree) === null),
  attempts: amount,
  rejoined: fact,
  reopened: amount,
  node: text,
  status: one('complete', 'failed', 'refused'),
  bytes: amount,
  digest: orNull(text),
  repairedBytes: amount,
  receivedBytes: amount,
  duplicateBytes: amount,
  fromOriginBytes: amount,
  fromMatesBytes: amount,
  fromMirrorsBytes: amount,
  fromRelaysBytes: amount,
  heldBytes: amount,
  filledBytes: amount,
  holeBytes: amount,
  code,
  retryable: fact,
  reason: orNull(text),
  warnings: list(text, limits.warningsPerPush),
  seconds: amount,
  servedBy: orNull(text),
  lag: optional((value) => wrongField(value, lag) === null),
}

const pushShare: Shape<PushShare> = {
  node: text,
  dealtBytes: amount,
  relayedBytes: amount,
  relayedShare: orNull(amount),
}

const pushRelay: Shape<PushRelay> = {
  ...pushShare,
  status: one('served', 'failed', 'refused', 'unused'),
  code,
  reason: orNull(text),
}

const commit: Shape<Committed> = {
  id: orNull(text),
  mode: one('all', 'quorum'),
  verdict: one('committed', 'aborted', 'in doubt'),
  waitsFor: list(text, nodesMax),
}

const result: Shape<PushResult> = {
  event: one('result'),
  descriptors: never,
  commit: optional((value) => wrongField(value, commit) === null),
  tree: optional((value) => wrongField(value, tree) === null),
  transfer: text,
  bytes: amount,
  ...sent,
  dataBytes: amount,
  seconds: amount,
  boundSeconds: orNull(amount),
  efficiency: orNull(amount),
  boundFrom: orNull(one('configured', 'observed')),
  observedBoundSeconds: orNull(amount),
  observedEfficiency: orNull(amount),
  shares: each(pushShare),
  relays: each(pushRelay),
  originShare: orNull((value) => typeof value === 'number'),
  directBytes: amount,
  term: amount,
  coordinator: orNull(text),
  crossings: each({ from: orNull(text), to: text, bytes: amount }),
  medianSeconds: orNull(amount),
  resentBytes: amount,
  strategy,
  shape,
  originBytesSent: amount,
  digest: orNull(text),
  faults,
  warnings: list(text, 2 * limits.warningsPerPush),
  nodes: each(outcome),
}

const reports = { plan, progress, node: { event: one('node'), ...outcome } } as const
const named = { event: one(...Object.keys(reports)) }

export type Report = Plan | Progress | ({ readonly event: 'node' } & NodeOutcome)

/** `node` is the sender. Throws ERR_FR_PROTOCOL that names the first wrong field. */
export function readReport(json: string, node: string): Report {
  const { event } = readShaped(json, named, node, 'a report') as { event: keyof typeof reports }
  return readShaped(json, reports[event], node, 'a report') as Report
}

export function readResult(json: string, node: string): PushResult {
  return readShaped(json, result, node, 'a result') as PushResult
}
