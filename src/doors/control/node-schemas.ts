/** What a node tells of itself and of transfers, as schemas; the types are those of the library. */
import { z } from 'zod'
import type {
  HeldFile,
  NodeOutcome,
  NodeStatus,
  Plan,
  Progress,
  PushResult,
} from '../../api/types.js'
import type { FrErrorCode } from '../../base/errors.js'
import { errorTable } from '../../base/errors.js'
import { named, told } from './route.js'

export const text = z.string()
export const amount = z.number()
export const fact = z.boolean()
export const code = z.enum(Object.keys(errorTable) as [FrErrorCode, ...FrErrorCode[]])
const codeOrNull = code.nullable()
const textOrNull = text.nullable()
const amountOrNull = amount.nullable()
const strategy = z.enum(['classic', 'adaptive'])
const shape = z.enum(['unicast', 'group', 'chain', 'tree', 'binomial'])
const sent = { coding: z.enum(['identity', 'zstd', 'patch']), wireBytes: amount }

const fault = named(
  told,
  'Fault',
  z.object({
    kind: z.enum(['node', 'link', 'disk', 'site']),
    name: text,
    to: textOrNull,
    causes: z.array(z.object({ cause: text, count: amount })),
    failures: amount,
    isFailed: fact,
    retrySeconds: amountOrNull,
  }),
)

const leadership = {
  coordinator: textOrNull,
  term: amount,
  source: z.enum(['checked', 'unchecked']).nullable(),
}

export const nodeTransfer = named(
  told,
  'NodeTransfer',
  z.object({
    transfer: text,
    name: text,
    role: z.enum(['receiving', 'complete', 'origin', 'passing']),
    bytes: amount,
    landedBytes: amount,
    holeBytes: amount,
    verifiedBytes: amount,
    receivedBytes: amount,
    duplicateBytes: amount,
    sentBytes: amount,
    pulledBytes: amount,
    servedBytes: amount,
    rateInBytesPerSecond: amount,
    rateOutBytesPerSecond: amount,
    etaSeconds: amountOrNull,
    relays: z.array(
      z.object({ node: text, queuedBytes: amount, unackedBytes: amount, isLagging: fact }),
    ),
    faults: z.array(fault),
    waitsFor: textOrNull,
    ...leadership,
  }),
)

export const endedTransfer = named(
  told,
  'EndedTransfer',
  z.object({
    transfer: text,
    name: text,
    role: z.enum(['receiving', 'origin', 'passing']),
    outcome: z.enum(['complete', 'partial', 'over', 'failed']),
    bytes: amount,
    code: codeOrNull,
    reason: textOrNull,
    secondsAgo: amount,
    ...leadership,
  }),
)

export const auditLine = named(
  told,
  'AuditLine',
  z.object({
    peer: text,
    name: textOrNull,
    address: text,
    what: text,
    decision: z.enum(['allowed', 'refused']),
    missing: textOrNull,
    count: amount,
    secondsAgo: amount,
  }),
)

export const nodeStatus: z.ZodType<NodeStatus> = named(
  told,
  'NodeStatus',
  z.object({
    event: z.literal('status'),
    node: text,
    nodeId: text,
    name: textOrNull,
    attributes: z.record(text, text),
    mirror: fact,
    readOnly: fact,
    relayOnly: fact,
    directory: z.object({
      parent: textOrNull,
      fault: textOrNull,
      depth: amount,
      children: amount,
      below: amount,
      mates: amount,
      bits: amount,
      unknown: z.array(text),
      code: textOrNull,
      announcements: amount,
      dropped: amount,
    }),
    master: z
      .object({ address: text, isLinked: fact, fault: textOrNull, required: amount })
      .nullable(),
    pulls: z.array(
      z.object({
        name: text,
        contentId: text,
        bytes: amount,
        hereBytes: amount,
        sources: amount,
        holders: amount,
        reason: textOrNull,
      }),
    ),
    version: text,
    uptimeSeconds: amount,
    engine: z.enum(['native', 'portable']),
    dataDir: text,
    freeBytes: amount,
    problems: z.array(text),
    lastError: z.object({ code, text, secondsAgo: amount }).nullable(),
    kept: z.object({ files: amount, bytes: amount, names: z.array(text) }),
    held: z.object({ files: amount, bytes: amount, damaged: amount }),
    limits: z.object({
      upBytesPerSecond: amountOrNull,
      downBytesPerSecond: amountOrNull,
      maxFeeds: amountOrNull,
    }),
    rates: z.object({ inBytesPerSecond: amount, outBytesPerSecond: amount }),
    transfers: z.array(nodeTransfer),
    ended: z.array(endedTransfer),
    audit: z.array(auditLine),
    decisions: z.array(
      z.object({
        id: text,
        name: text,
        digest: text,
        mode: z.enum(['all', 'quorum']),
        members: amount,
        state: z.enum(['prepared', 'switching']),
        secondsAgo: amount,
        waitsFor: text,
      }),
    ),
    counters: z.record(text, amount),
  }),
)

export const heldState = z.enum([
  ...(['held', 'partial', 'changed', 'missing', 'prepared', 'growing'] as const),
])

export const heldFile: z.ZodType<HeldFile> = named(
  told,
  'HeldFile',
  z.object({
    event: z.literal('held'),
    node: text,
    name: text,
    nameBase64: textOrNull,
    kind: z.enum(['file', 'tree', 'directory', 'symlink']),
    state: heldState,
    bytes: amount,
    heldBytes: amount,
    entries: amountOrNull,
    digest: textOrNull,
    version: textOrNull,
    ageSeconds: amountOrNull,
    verifiedSecondsAgo: amountOrNull,
    disk: textOrNull,
  }),
)

const lag = z.object({
  p50Ms: amount,
  p99Ms: amount,
  p50Bytes: amount,
  p99Bytes: amount,
  behindBytes: amount,
})

export const plan: z.ZodType<Plan> = named(
  told,
  'Plan',
  z.object({
    event: z.literal('plan'),
    transfer: text,
    strategy,
    shape,
    groups: z.array(z.array(text)),
    parents: z.array(amountOrNull),
    later: z.array(z.object({ node: text, bytesPerSecond: amount, chainBytesPerSecond: amount })),
    sites: z.array(textOrNull),
    shares: z.array(z.object({ node: text, bytes: amount })),
    bytes: amount,
    ...sent,
    dataBytes: amount,
    blockBytes: amount,
    growing: z.literal(true).exactOptional(),
    predictedSeconds: amountOrNull,
    shapes: z.array(z.object({ shape, predictedSeconds: amountOrNull })),
    boundSeconds: amountOrNull,
    limiting: textOrNull,
  }),
)

export const progress: z.ZodType<Progress> = named(
  told,
  'Progress',
  z.object({
    event: z.literal('progress'),
    transfer: text,
    seconds: amount,
    bytes: amount,
    landedBytes: amount,
    totalBytes: amount,
    share: amount,
    efficiency: amountOrNull,
    originBytesSent: amount,
    faults: z.array(fault),
    nodes: z.array(
      z.object({
        node: text,
        state: z.enum([
          ...(['connecting', 'accepted', 'receiving', 'verifying'] as const),
          ...(['complete', 'failed', 'refused'] as const),
        ]),
        landedBytes: amount,
        verifiedBytes: amount,
        rateBytesPerSecond: amount,
        rateOutBytesPerSecond: amount,
        dealtBytes: amount,
        relayedBytes: amount,
        relayedShare: amount,
        queueBytes: amountOrNull,
        isLagging: fact,
        isDemoted: fact,
        isCatchingUp: fact,
        etaSeconds: amountOrNull,
        waitsFor: textOrNull,
        lag: lag.exactOptional(),
      }),
    ),
  }),
)

const failures = z.array(z.object({ name: text, code, text }))

export const outcome: z.ZodType<NodeOutcome> = named(
  told,
  'NodeOutcome',
  z.object({
    attempts: amount,
    rejoined: fact,
    reopened: amount,
    node: text,
    status: z.enum(['complete', 'failed', 'refused']),
    bytes: amount,
    digest: textOrNull,
    repairedBytes: amount,
    receivedBytes: amount,
    duplicateBytes: amount,
    heldBytes: amount,
    filledBytes: amount,
    holeBytes: amount,
    code: codeOrNull,
    retryable: fact,
    reason: textOrNull,
    warnings: z.array(text),
    fromOriginBytes: amount,
    fromMatesBytes: amount,
    fromMirrorsBytes: amount,
    fromRelaysBytes: amount,
    seconds: amount,
    servedBy: textOrNull,
    tree: z
      .object({ unchanged: amount, changed: amount, failedCount: amount, failures })
      .exactOptional(),
    lag: lag.exactOptional(),
  }),
)

const share = { node: text, dealtBytes: amount, relayedBytes: amount, relayedShare: amountOrNull }

export const pushResult: z.ZodType<PushResult> = named(
  told,
  'TransferResult',
  z.object({
    event: z.literal('result'),
    transfer: text,
    bytes: amount,
    ...sent,
    dataBytes: amount,
    seconds: amount,
    boundSeconds: amountOrNull,
    efficiency: amountOrNull,
    boundFrom: z.enum(['configured', 'observed']).nullable(),
    observedBoundSeconds: amountOrNull,
    observedEfficiency: amountOrNull,
    shares: z.array(z.object(share)),
    relays: z.array(
      z.object({
        ...share,
        status: z.enum(['served', 'failed', 'refused', 'unused']),
        code: codeOrNull,
        reason: textOrNull,
      }),
    ),
    originShare: amountOrNull,
    directBytes: amount,
    term: amount,
    coordinator: textOrNull,
    crossings: z.array(z.object({ from: textOrNull, to: text, bytes: amount })),
    medianSeconds: amountOrNull,
    resentBytes: amount,
    strategy,
    shape,
    originBytesSent: amount,
    digest: textOrNull,
    faults: z.array(fault),
    warnings: z.array(text),
    nodes: z.array(outcome),
    commit: z
      .object({
        id: textOrNull,
        mode: z.enum(['all', 'quorum']),
        verdict: z.enum(['committed', 'aborted', 'in doubt']),
        waitsFor: z.array(text),
      })
      .exactOptional(),
    tree: z
      .object({
        entries: amount,
        files: amount,
        movedBytes: amount,
        transfers: amount,
        failedCount: amount,
        failures,
      })
      .exactOptional(),
  }),
)
