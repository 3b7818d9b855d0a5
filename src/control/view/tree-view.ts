/**
 * What people are shown of a push that is made of many transfers, of a tree or of descriptors:
 * their progress as one, and their results as one. Pure functions.
 */
import { errorTable } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Coordination } from '../coordinator/supersession.js'
import { mergedFaults } from '../members/faults.js'
import type {
  DescriptorFigures,
  NamedFailure,
  NodeDescriptors,
  NodeOutcome,
  NodeTree,
  TreeFigures,
} from '../messages/types.js'
import type { Crossing } from './crossings.js'
import type { NodeProgress, Progress, PushResult, PushShare } from './push-view.js'

/** One transfer of the tree: how far it is, and in the end what came of it. */
export interface TreeTransfer {
  /** Bytes of its content. */
  readonly bytes: number
  /** Absent: nothing was heard of it yet. */
  readonly progress?: Progress | undefined
  readonly isOver: boolean
}

export interface TreeFacts {
  readonly transfer: string
  readonly seconds: number
  /** HOST:PORT of every node, and what is settled of it. */
  readonly nodes: ReadonlyMap<string, NodeProgress['state'] | null>
}

/** A transfer that a node has no part in brings only what the node has. */
export function treeProgress(transfers: readonly TreeTransfer[], facts: TreeFacts): Progress {
  const bytes = transfers.reduce((sum, transfer) => sum + transfer.bytes, 0)
  const nodes = [...facts.nodes].map(([node, settled]) =>
    nodeProgress(node, settled, bytes, transfers),
  )
  const living = nodes.filter(({ state }) => state !== 'failed' && state !== 'refused')
  const landedBytes = living.reduce((sum, node) => sum + node.landedBytes, 0)
  const totalBytes = bytes * living.length
  return {
    event: 'progress',
    transfer: facts.transfer,
    seconds: facts.seconds,
    bytes,
    landedBytes,
    totalBytes,
    share: totalBytes === 0 ? 0 : landedBytes / totalBytes,
    efficiency: null,
    originBytesSent: sumOf(transfers, ({ progress }) => progress?.originBytesSent ?? 0),
    faults: mergedFaults(transfers.flatMap(({ progress }) => progress?.faults ?? [])),
    nodes,
  }
}

function nodeProgress(
  node: string,
  settled: NodeProgress['state'] | null,
  bytes: number,
  transfers: readonly TreeTransfer[],
): NodeProgress {
  const own = transfers.map((transfer) => ({
    ...transfer,
    of: transfer.progress?.nodes.find((one) => one.node === node),
  }))
  const running = own.flatMap(({ isOver, of }) => (isOver || of === undefined ? [] : [of]))
  const missing = sumOf(own, (transfer) => {
    if (transfer.progress === undefined) return transfer.bytes
    return transfer.of === undefined ? 0 : transfer.bytes - transfer.of.landedBytes
  })
  const sum = (field: 'dealtBytes' | 'relayedBytes'): number =>
    sumOf(own, ({ of }) => of?.[field] ?? 0)
  const rate = (field: 'rateBytesPerSecond' | 'rateOutBytesPerSecond'): number =>
    sumOf(running, (one) => one[field])
  const queued = running.flatMap(({ queueBytes }) => (queueBytes === null ? [] : [queueBytes]))
  const unverified = sumOf(running, (one) => one.landedBytes - one.verifiedBytes)
  const relayedBytes = sum('relayedBytes')
  const received = sumOf(own, ({ progress }) =>
    sumOf(progress?.nodes ?? [], (one) => one.relayedBytes),
  )
  const landedBytes = bytes - missing
  return {
    node,
    state: settled ?? running.at(-1)?.state ?? 'receiving',
    landedBytes,
    verifiedBytes: landedBytes - unverified,
    rateBytesPerSecond: rate('rateBytesPerSecond'),
    rateOutBytesPerSecond: rate('rateOutBytesPerSecond'),
    dealtBytes: sum('dealtBytes'),
    relayedBytes,
    relayedShare: received === 0 ? 0 : relayedBytes / received,
    queueBytes: queued.length === 0 ? null : sumOf(queued, (one) => one),
    isLagging: running.some((one) => one.isLagging),
    isDemoted: running.some((one) => one.isDemoted),
    isCatchingUp: running.some((one) => one.isCatchingUp),
    // What is still to be found by the scan is not known.
    etaSeconds: null,
    waitsFor: running.at(-1)?.waitsFor ?? null,
  }
}

/** What is added up of the transfers that are over, in memory that does not grow with them. */
export interface TreeSums {
  readonly nodes: ReadonlyMap<string, NodeSums>
  readonly shape: PushResult['shape'] | null
  readonly shares: readonly Omit<PushShare, 'relayedShare'>[]
  readonly relays: PushResult['relays']
  readonly crossings: readonly Crossing[]
  readonly directBytes: number
  readonly resentBytes: number
  readonly originBytesSent: number
  /** Of the last transfer that was coded, and how many bytes all of those had less. */
  readonly coding: PushResult['coding']
  readonly savedBytes: number
  /** Of the first transfer that somebody took over. */
  readonly taken: Coordination | null
  readonly faults: PushResult['faults']
  readonly warnings: readonly string[]
}

const countFields = [
  'repairedBytes',
  'filledBytes',
  'reopened',
  'receivedBytes',
  'duplicateBytes',
  'holeBytes',
  'fromOriginBytes',
  'fromMatesBytes',
  'fromMirrorsBytes',
  'fromRelaysBytes',
] as const
type NodeSums = Pick<NodeOutcome, (typeof countFields)[number] | 'attempts' | 'rejoined'>

export const noSums: TreeSums = {
  nodes: new Map(),
  shape: null,
  shares: [],
  relays: [],
  crossings: [],
  directBytes: 0,
  resentBytes: 0,
  originBytesSent: 0,
  coding: 'identity',
  savedBytes: 0,
  taken: null,
  faults: [],
  warnings: [],
}

export function addResult(sums: TreeSums, result: PushResult): TreeSums {
  const nodes = addOutcomes(sums.nodes, result.nodes)
  const warnings = [...new Set([...sums.warnings, ...result.warnings])]
  const { term, coordinator } = result
  return {
    nodes,
    shape: sums.shape ?? result.shape,
    shares: mergedShares([...sums.shares, ...result.shares]),
    relays: result.relays.length > 0 ? result.relays : sums.relays,
    crossings: mergedCrossings([...sums.crossings, ...result.crossings]),
    directBytes: sums.directBytes + result.directBytes,
    resentBytes: sums.resentBytes + result.resentBytes,
    originBytesSent: sums.originBytesSent + result.originBytesSent,
    coding: result.coding === 'identity' ? sums.coding : result.coding,
    savedBytes: sums.savedBytes + Math.max(0, result.bytes - result.wireBytes),
    faults: mergedFaults([...sums.faults, ...result.faults]),
    taken: sums.taken ?? (coordinator === null ? null : { term, coordinator }),
    warnings: warnings.slice(0, limits.warningsPerPush),
  }
}

/** What these outcomes alone come to. */
export function sumsOf(outcomes: readonly NodeOutcome[]): TreeSums {
  return { ...noSums, nodes: addOutcomes(noSums.nodes, outcomes) }
}

function addOutcomes(sums: TreeSums['nodes'], outcomes: readonly NodeOutcome[]): TreeSums['nodes'] {
  const nodes = new Map(sums)
  for (const outcome of outcomes)
    nodes.set(outcome.node, addOutcome(nodes.get(outcome.node), outcome))
  return nodes
}

function addOutcome(sums: NodeSums | undefined, outcome: NodeOutcome): NodeSums {
  const counts = countFields.map((field) => [field, (sums?.[field] ?? 0) + outcome[field]])
  return {
    ...(Object.fromEntries(counts) as Pick<NodeOutcome, (typeof countFields)[number]>),
    attempts: Math.max(sums?.attempts ?? 1, outcome.attempts),
    rejoined: (sums?.rejoined ?? false) || outcome.rejoined,
  }
}

/** How a push of a tree, or of descriptors, ended at one node. */
export interface NodeEnd {
  readonly node: string
  readonly seconds: number
  /** Of the files that are in place there, and of those that did not have to be brought. */
  readonly bytes: number
  readonly heldBytes: number
  /** Why the node is out; null: it went on to the end. */
  readonly lost: Pick<NodeOutcome, 'status' | 'code' | 'retryable' | 'reason'> | null
  readonly tree?: NodeTree
  readonly descriptors?: NodeDescriptors
  readonly warnings: readonly string[]
}

export function nodeOutcome({ lost, ...end }: NodeEnd, sums: TreeSums): NodeOutcome {
  const { failedCount, failures } = end.tree ?? { failedCount: 0, failures: [] }
  const none = Object.fromEntries(countFields.map((field) => [field, 0]))
  const brought = sums.nodes.get(end.node) ?? { ...none, attempts: 1, rejoined: false }
  const complete = { status: 'complete', code: null, retryable: false, reason: null } as const
  return {
    digest: null,
    servedBy: null,
    ...(brought as NodeSums),
    ...end,
    ...(lost ?? (failedCount > 0 ? missing(failedCount, failures) : complete)),
  }
}

/** Of a node that went on to the end, without some entries. */
function missing(count: number, [first]: readonly NamedFailure[]) {
  const { code = 'ERR_FR_INTERNAL', name = '', text = '' } = first ?? {}
  const what = count === 1 ? '1 entry is' : `${count} entries are`
  const { retryable } = errorTable[code]
  return {
    status: 'failed',
    code,
    retryable,
    reason: `${code}: ${what} not in place: ${name}: ${text}`,
  } as const
}

export interface TreeEnd {
  readonly transfer: string
  readonly strategy: PushResult['strategy']
  /** Of all files together. */
  readonly bytes: number
  readonly nodes: readonly NodeOutcome[]
  readonly tree?: TreeFigures
  readonly descriptors?: DescriptorFigures
  readonly warnings: readonly string[]
}

/** Bounds are of one content: there are none of a tree. */
export function treeResult(end: TreeEnd, sums: TreeSums): PushResult {
  const { transfer, strategy, bytes, nodes, tree, descriptors } = end
  const { shares, taken, shape, warnings, coding, savedBytes, nodes: _, ...added } = sums
  const complete = nodes.filter(({ status }) => status === 'complete').map(({ seconds }) => seconds)
  const timed = complete.length > 0 ? complete : nodes.map(({ seconds }) => seconds)
  const sorted = complete.toSorted((a, b) => a - b)
  const received = sumOf(nodes, ({ receivedBytes }) => receivedBytes)
  const relayed = sumOf(shares, ({ relayedBytes }) => relayedBytes)
  const part = (of: number): number | null => (received === 0 ? null : of / received)
  return {
    event: 'result',
    transfer,
    bytes,
    ...{ coding, wireBytes: Math.max(0, bytes - savedBytes) },
    // What of them is a hole is not added up.
    dataBytes: bytes,
    seconds: Math.max(0, ...timed),
    boundSeconds: null,
    efficiency: null,
    boundFrom: null,
    observedBoundSeconds: null,
    observedEfficiency: null,
    shares: shares.map((share) => ({ ...share, relayedShare: part(share.relayedBytes) })),
    originShare: part(Math.max(0, received - relayed)),
    ...(taken ?? { term: 1, coordinator: null }),
    medianSeconds: sorted[(sorted.length - 1) >> 1] ?? null,
    strategy,
    shape: shape ?? 'unicast',
    digest: null,
    warnings: [...new Set([...end.warnings, ...warnings])].slice(0, limits.warningsPerPush),
    nodes,
    ...(tree && { tree }),
    ...(descriptors && { descriptors }),
    ...added,
  }
}

function mergedShares(shares: TreeSums['shares']): TreeSums['shares'] {
  const sums = new Map<string, TreeSums['shares'][number]>()
  for (const { node, dealtBytes, relayedBytes } of shares) {
    const { dealtBytes: dealt = 0, relayedBytes: relayed = 0 } = sums.get(node) ?? {}
    sums.set(node, {
      node,
      dealtBytes: dealt + dealtBytes,
      relayedBytes: relayed + relayedBytes,
    })
  }
  return [...sums.values()]
}

function mergedCrossings(crossings: readonly Crossing[]): Crossing[] {
  const sums = new Map<string, Crossing>()
  for (const { from, to, bytes } of crossings) {
    const key = JSON.stringify([from, to])
    sums.set(key, { from, to, bytes: bytes + (sums.get(key)?.bytes ?? 0) })
  }
  return [...sums.values()]
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0)
}
