/** The shape of a status, as a node reports it. */
import type { AuditLine } from '../agent/authority.js'
import { type Attributes, claimFault } from '../base/attributes.js'
import { isFrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import {
  amount,
  fact,
  list,
  one,
  orNull,
  readShaped,
  type Shape,
  text,
  wrongField,
} from './shape.js'
import type { ComponentFault, NodeStatus, StorageError, TransferStatus } from './types.js'

const countersMax = 256
const problemsMax = 16
const causesMax = 16

const relay: Shape<TransferStatus['relays'][number]> = {
  node: text,
  queuedBytes: amount,
  unackedBytes: amount,
  isLagging: fact,
}

const leadership: Shape<Pick<TransferStatus, 'coordinator' | 'term' | 'source'>> = {
  coordinator: orNull(text),
  term: amount,
  source: orNull(one('checked', 'unchecked')),
}

const ended: Shape<NodeStatus['ended'][number]> = {
  transfer: text,
  name: text,
  role: one('receiving', 'origin', 'passing'),
  outcome: one('complete', 'partial', 'over', 'failed'),
  bytes: amount,
  code: (value) => value === null || isFrErrorCode(value as string),
  reason: orNull(text),
  secondsAgo: amount,
  ...leadership,
}

const decision: Shape<NodeStatus['decisions'][number]> = {
  id: text,
  name: text,
  digest: text,
  mode: one('all', 'quorum'),
  members: amount,
  state: one('prepared', 'switching'),
  secondsAgo: amount,
  waitsFor: text,
}

const master: Shape<NonNullable<NodeStatus['master']>> = {
  address: text,
  isLinked: fact,
  fault: orNull(text),
  required: amount,
}

const pull: Shape<NodeStatus['pulls'][number]> = {
  name: text,
  contentId: text,
  bytes: amount,
  hereBytes: amount,
  sources: amount,
  holders: amount,
  reason: orNull(text),
}

const directory: Shape<NodeStatus['directory']> = {
  parent: orNull(text),
  fault: orNull(text),
  depth: amount,
  children: amount,
  below: amount,
  mates: amount,
  bits: amount,
  unknown: list(text, limits.attributes),
  code: orNull(text),
  announcements: amount,
  dropped: amount,
}

const auditLine: Shape<AuditLine> = {
  peer: text,
  name: orNull(text),
  address: text,
  what: text,
  decision: one('allowed', 'refused'),
  missing: orNull(text),
  count: amount,
  secondsAgo: amount,
}

const fault: Shape<ComponentFault> = {
  kind: one('node', 'link', 'disk', 'site'),
  name: text,
  to: orNull(text),
  causes: list((value) => wrongField(value, { cause: text, count: amount }) === null, causesMax),
  failures: amount,
  isFailed: fact,
  retrySeconds: orNull(amount),
}

export const faults = list((value) => wrongField(value, fault) === null, limits.faultsTold)

const transfer: Shape<TransferStatus> = {
  transfer: text,
  name: text,
  role: one('receiving', 'complete', 'origin', 'passing'),
  bytes: amount,
  landedBytes: amount,
  verifiedBytes: amount,
  holeBytes: amount,
  receivedBytes: amount,
  duplicateBytes: amount,
  sentBytes: amount,
  pulledBytes: amount,
  servedBytes: amount,
  rateInBytesPerSecond: amount,
  rateOutBytesPerSecond: amount,
  etaSeconds: orNull(amount),
  relays: list((value) => wrongField(value, relay) === null, limits.nodesPerPush),
  faults,
  waitsFor: orNull(text),
  ...leadership,
}

const lastError: Shape<StorageError> = { code: text, text, secondsAgo: amount }

const kept: Shape<NodeStatus['kept']> = {
  files: amount,
  bytes: amount,
  names: list(text, limits.keptNames),
}

const held: Shape<NodeStatus['held']> = { files: amount, bytes: amount, damaged: amount }

const limitsShape: Shape<NodeStatus['limits']> = {
  upBytesPerSecond: orNull(amount),
  downBytesPerSecond: orNull(amount),
  maxFeeds: orNull(amount),
}

const rates: Shape<NodeStatus['rates']> = { inBytesPerSecond: amount, outBytesPerSecond: amount }

const status: Shape<NodeStatus> = {
  event: one('status'),
  node: text,
  nodeId: text,
  name: orNull(text),
  attributes: isAttributes,
  mirror: fact,
  readOnly: fact,
  relayOnly: fact,
  directory: (value) => wrongField(value, directory) === null,
  master: orNull((value) => wrongField(value, master) === null),
  pulls: list((value) => wrongField(value, pull) === null, limits.swarmTold),
  version: text,
  uptimeSeconds: amount,
  engine: one('native', 'portable'),
  dataDir: text,
  freeBytes: amount,
  problems: list(text, problemsMax),
  lastError: orNull((value) => wrongField(value, lastError) === null),
  kept: (value) => wrongField(value, kept) === null,
  held: (value) => wrongField(value, held) === null,
  limits: (value) => wrongField(value, limitsShape) === null,
  rates: (value) => wrongField(value, rates) === null,
  transfers: list(
    (value) => wrongField(value, transfer) === null,
    limits.transfersPerNode + limits.copiesPerNode,
  ),
  ended: list((value) => wrongField(value, ended) === null, limits.endedTransfers),
  audit: list((value) => wrongField(value, auditLine) === null, limits.auditLines),
  decisions: list((value) => wrongField(value, decision) === null, limits.commitsTold),
  counters: isCounters,
}

/** `node` is the sender. Throws ERR_FR_PROTOCOL that names the first wrong field. */
export function readStatus(json: string, node: string): NodeStatus {
  return readShaped(json, status, node, 'a status') as NodeStatus
}

function isCounters(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const entries = Object.entries(value)
  return (
    entries.length <= countersMax && entries.every(([name, each]) => text(name) && amount(each))
  )
}

function isAttributes(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every(text) && claimFault(value as Attributes) === null
}
