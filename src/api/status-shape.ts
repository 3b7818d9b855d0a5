/**
 * Checks a status from a node, field by field: the node may run another version, be broken or be
 * hostile, and its words go to programs and terminals. The tables name every field of the types; a
 * field in a type but not in its table does not compile.
 */
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { NodeStatus, StorageError, TransferStatus } from './types.js'

type Check = (value: unknown) => boolean
type Shape<T> = { readonly [Key in keyof Required<T>]: Check }

/** Longer than any name or path. */
const textChars = 16_384
const countersMax = 256
const problemsMax = 16

const text: Check = (value) => typeof value === 'string' && value.length <= textChars
const amount: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0
const fact: Check = (value) => typeof value === 'boolean'
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const one =
  (...choices: readonly string[]): Check =>
  (value) =>
    choices.includes(value as string)

function list(check: Check, most: number): Check {
  return (value) => Array.isArray(value) && value.length <= most && value.every(check)
}

const relay: Shape<TransferStatus['relays'][number]> = {
  node: text,
  queuedBytes: amount,
  unackedBytes: amount,
  isLagging: fact,
}

const transfer: Shape<TransferStatus> = {
  transfer: text,
  name: text,
  role: one('receiving', 'complete'),
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
  waitsFor: orNull(text),
}

const lastError: Shape<StorageError> = { code: text, text, secondsAgo: amount }

const kept: Shape<NodeStatus['kept']> = {
  files: amount,
  bytes: amount,
  names: list(text, limits.keptNames),
}

const held: Shape<NodeStatus['held']> = { files: amount, bytes: amount, damaged: amount }

const status: Shape<NodeStatus> = {
  event: one('status'),
  node: text,
  nodeId: text,
  name: orNull(text),
  version: text,
  uptimeSeconds: amount,
  engine: one('native', 'portable'),
  dataDir: text,
  freeBytes: amount,
  problems: list(text, problemsMax),
  lastError: orNull((value) => wrongField(value, lastError) === null),
  kept: (value) => wrongField(value, kept) === null,
  held: (value) => wrongField(value, held) === null,
  transfers: list((value) => wrongField(value, transfer) === null, limits.transfersPerNode),
  counters: isCounters,
}

/** `node` is the sender. Throws ERR_FR_PROTOCOL that names the first wrong field. */
export function readStatus(json: string, node: string): NodeStatus {
  const refuse = (problem: string): never => {
    throw new FrError('ERR_FR_PROTOCOL', `${node} sent a status that ${problem}`, { node })
  }
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return refuse('is not JSON')
  }
  const wrong = wrongField(value, status)
  if (wrong === null) return value as NodeStatus
  return refuse(wrong === '' ? 'is not an object' : `has no valid '${wrong}'`)
}

/** Returns null when all fields are right. */
function wrongField(value: unknown, shape: Readonly<Record<string, Check>>): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return ''
  const fields = value as Record<string, unknown>
  const wrong = Object.entries(shape).find(
    ([name, check]) => !Object.hasOwn(fields, name) || !check(fields[name]),
  )
  return wrong?.[0] ?? null
}

function isCounters(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const entries = Object.entries(value)
  return (
    entries.length <= countersMax && entries.every(([name, each]) => text(name) && amount(each))
  )
}
