/**
 * What `fr push` prints when it is over: a table with one row per node, the failures grouped by
 * reason, and a summary. Pure functions from the result to strings.
 */
import type { Committed, NamedFailure, NodeOutcome, PushResult } from '../../api/types.js'
import { lagParts, reasonOf } from './push.js'
import { type Paint, printable, type Tone, tableLines, wrapParts, wrapWords } from './text.js'
import { count, formatBytes, formatDuration, formatPercent, formatRate } from './units.js'

/** Of more nodes, those that failed and the slowest of the others get a row, up to so many. */
const rowsMax = 64
const slowestShown = 8
/** Nodes that are named for one reason. */
const namesMax = 128
/** Entries of a tree that are named for one node. */
const failuresShown = 8

const statusTones: Readonly<Record<NodeOutcome['status'], Tone>> = {
  complete: 'green',
  failed: 'red',
  refused: 'red',
}

/** Lines of at most `columns`, except for unbreakable parts: a digest, a long word. */
export function closingLines(
  result: PushResult,
  logged: readonly string[],
  columns: number,
  paint: Paint,
): string[] {
  const complete = result.nodes.filter((outcome) => outcome.status === 'complete')
  const tone = toneOf(complete.length, result.nodes.length)
  return [
    ...outcomeTable(result, columns, paint),
    ...failureLines(result.nodes, columns, paint),
    ...warningLines([...warningsOf(result), ...logged], columns, paint),
    ...digestLines(complete),
    ...descriptorLines(result),
    ...commitLines(result.commit, columns),
    ...wrapParts(summaryParts(result, complete), columns).map((line) => paint(tone, line)),
  ]
}

function toneOf(complete: number, all: number): Tone {
  if (complete === all) return 'green'
  return complete === 0 ? 'red' : 'yellow'
}

/** Those that get a row, in the order of the result. */
function rowed(nodes: readonly NodeOutcome[]): readonly NodeOutcome[] {
  if (nodes.length <= rowsMax) return nodes
  const complete = nodes.filter(({ status }) => status === 'complete')
  const lost = nodes.filter(({ status }) => status !== 'complete')
  const slowest = complete.sort((a, b) => b.seconds - a.seconds).slice(0, slowestShown)
  const shown = new Set([...lost.slice(0, rowsMax - slowest.length), ...slowest])
  return nodes.filter((outcome) => shown.has(outcome))
}

/** `and 9928 more nodes, 9900 complete`. */
function restLines(nodes: readonly NodeOutcome[], shown: readonly NodeOutcome[]): string[] {
  const left = nodes.length - shown.length
  if (left === 0) return []
  const complete = (some: readonly NodeOutcome[]): number =>
    some.filter(({ status }) => status === 'complete').length
  return [`and ${count(left, 'more node')}, ${complete(nodes) - complete(shown)} complete`]
}

function outcomeTable(result: PushResult, columns: number, paint: Paint): string[] {
  const shares = new Map(result.shares.map((share) => [share.node, share.relayedShare]))
  // Without relays there is nothing to compare.
  const isRelayed = result.shares.some((share) => share.dealtBytes + share.relayedBytes > 0)
  const relayed = (outcome: NodeOutcome): { text: string }[] =>
    isRelayed ? [{ text: formatPercent(shares.get(outcome.node) ?? 0) }] : []
  // A column of its own for what did not have to be sent, where anything was there.
  const wasHeld = result.nodes.some((outcome) => thereBytes(outcome) > 0)
  const held = (outcome: NodeOutcome): { text: string }[] =>
    wasHeld ? [{ text: heldText(outcome, result.bytes) }] : []
  const isServed = result.nodes.some((outcome) => outcome.servedBy !== null)
  const servedBy = (outcome: NodeOutcome): { text: string }[] =>
    isServed ? [{ text: printable(outcome.servedBy ?? 'this push') }] : []
  const columnsOf = broughtColumns.filter(({ of }) => result.nodes.some((one) => of(one) > 0))
  // Where all came from the origin there is nothing to tell apart.
  const brought = columnsOf.length > 1 ? columnsOf : []
  const repaired = repairedColumn.filter(({ of }) => result.nodes.some((one) => of(one) > 0))
  const amounts = [...brought, ...repaired]
  const shown = rowed(result.nodes)
  const rows = shown.map((outcome) => [
    { text: printable(outcome.node) },
    { text: outcome.status, tone: statusTones[outcome.status] },
    { text: outcome.seconds.toFixed(2) },
    ...held(outcome),
    ...servedBy(outcome),
    ...amounts.map(({ of }) => ({ text: formatBytes(of(outcome)) })),
    ...relayed(outcome),
    { text: outcome.status === 'complete' ? rateOf(outcome.bytes, outcome.seconds) : '-' },
  ])
  const titles = [
    { title: 'node', cut: 'middle' as const },
    { title: 'status' },
    { title: 'seconds', right: true },
    ...(wasHeld ? [{ title: 'was there', right: true }] : []),
    ...(isServed ? [{ title: 'served by', cut: 'middle' as const }] : []),
    ...amounts.map(({ title }) => ({ title, right: true })),
    ...(isRelayed ? [{ title: 'relayed', right: true }] : []),
    { title: 'rate', right: true },
  ]
  return [...tableLines(titles, rows, paint, columns), ...restLines(result.nodes, shown)]
}

/** A column of bytes, left out where it says nothing of any node. */
interface Amount {
  readonly title: string
  readonly of: (outcome: NodeOutcome) => number
}

const broughtColumns: readonly Amount[] = [
  { title: 'from origin', of: ({ fromOriginBytes }) => fromOriginBytes },
  { title: 'from mates', of: ({ fromMatesBytes }) => fromMatesBytes },
  { title: 'from mirrors', of: ({ fromMirrorsBytes }) => fromMirrorsBytes },
  { title: 'from relays', of: ({ fromRelaysBytes }) => fromRelaysBytes },
]
const repairedColumn: readonly Amount[] = [
  { title: 'repaired', of: ({ repairedBytes }) => repairedBytes },
]

/** What did not have to be sent. */
function thereBytes({ heldBytes, filledBytes }: NodeOutcome): number {
  return heldBytes + filledBytes
}

function heldText(outcome: NodeOutcome, bytes: number): string {
  const there = thereBytes(outcome)
  return there === bytes ? 'all of it' : formatBytes(there)
}

function rateOf(bytes: number, seconds: number): string {
  return seconds > 0 ? formatRate(bytes / seconds) : '-'
}

/** Each reason once, with the number and names of its nodes; empty when no node failed. */
export function failureLines(
  outcomes: readonly NodeOutcome[],
  columns: number,
  paint: Paint,
): string[] {
  const groups = new Map<string, string[]>()
  for (const outcome of outcomes) {
    if (outcome.status === 'complete') continue
    const key = `${outcome.status}: ${reasonOf(outcome)}`
    const named = groups.get(key) ?? []
    groups.set(key, named)
    named.push(printable(outcome.node))
  }
  return [...groups].flatMap(([reason, nodes]) => [
    ...wrapWords(`${count(nodes.length, 'node')} ${reason}`, columns, '  ').map((line) =>
      paint('red', line),
    ),
    ...wrapParts(nodes.slice(0, namesMax), columns - 2).map((line) => `  ${line}`),
    ...(nodes.length > namesMax ? [`  and ${count(nodes.length - namesMax, 'more node')}`] : []),
  ])
}

/** Merges warnings that say the same of several nodes. */
export function warningsOf(result: PushResult): string[] {
  const nodes = new Map<string, string[]>()
  for (const outcome of result.nodes) {
    for (const text of outcome.warnings) {
      const of = nodes.get(text) ?? []
      nodes.set(text, of)
      of.push(outcome.node)
    }
  }
  const ofNodes = [...nodes].map(([text, of]) => {
    const [first = ''] = of
    return `${of.length === 1 ? first : `${first} and ${of.length - 1} more`}: ${text}`
  })
  const ofRelays = result.relays.flatMap(({ node, reason }) =>
    reason === null ? [] : [`the relay ${node}: ${reason}`],
  )
  return [...result.warnings, ...ofTree(result), ...ofRelays, ...ofNodes].map(printable)
}

/** What was left out, and what is not in place somewhere; the rest is counted. */
function ofTree({ tree, nodes }: PushResult): string[] {
  if (tree === undefined) return []
  const lines = (who: string, failures: readonly NamedFailure[], all: number): string[] => [
    ...failures
      .slice(0, failuresShown)
      .map(({ name, code, text }) => `${who}: ${name}: ${code}: ${text}`),
    ...(all > failuresShown ? [`${who}: and ${all - failuresShown} more`] : []),
  ]
  return [
    ...lines('not sent', tree.failures, tree.failedCount),
    ...nodes.flatMap(({ node, tree: at }) => (at ? lines(node, at.failures, at.failedCount) : [])),
  ]
}

export function warningLines(texts: readonly string[], columns: number, paint: Paint): string[] {
  return texts.flatMap((text) =>
    wrapWords(`warning: ${text}`, columns, '  ').map((line) => paint('yellow', line)),
  )
}

/** One line, because all complete nodes hold the same file. */
function digestLines(complete: readonly NodeOutcome[]): string[] {
  const digests = new Set(complete.flatMap(({ digest }) => (digest === null ? [] : [digest])))
  return [...digests].map((digest) => `digest ${printable(digest)}`)
}

/** What each descriptor is called, and how many nodes have it. */
function descriptorLines({ descriptors, nodes }: PushResult): string[] {
  if (descriptors === undefined || nodes.length === 0) return []
  return descriptors.each.map(({ name, digest, nodes: having }) => {
    const there = `${printable(name)} at ${having} of ${count(nodes.length, 'node')}`
    return digest === null ? there : `${there}, digest ${printable(digest)}`
  })
}

/** `3 of 4 nodes usable with 2 of 3 descriptors`. */
function descriptorParts({ descriptors, nodes }: PushResult): string[] {
  if (descriptors === undefined) return []
  const { enough, usable, each } = descriptors
  const all = count(each.length, 'descriptor')
  return [`${usable} of ${count(nodes.length, 'node')} usable with ${enough} of ${all}`]
}

/** What the nodes have decided together, and who has not said that it has switched. */
export function commitLines(commit: Committed | undefined, columns: number): string[] {
  if (commit === undefined) return []
  const { mode, verdict, waitsFor } = commit
  const named = waitsFor.slice(0, namesMax).map(printable)
  const more = waitsFor.length > named.length ? [`${waitsFor.length - named.length} more`] : []
  const left = named.length === 0 ? [] : [`waits for ${[...named, ...more].join(' ')}`]
  return wrapParts([`commit ${mode}: ${verdict}`, ...left], columns)
}

function summaryParts(result: PushResult, complete: readonly NodeOutcome[]): string[] {
  const delivered = complete.reduce((sum, outcome) => sum + outcome.bytes, 0)
  const repaired = result.nodes.reduce((sum, outcome) => sum + outcome.repairedBytes, 0)
  const { coordinator } = result
  const rejoined = complete.filter((outcome) => outcome.rejoined).length
  const reopened = result.nodes.reduce((sum, outcome) => sum + outcome.reopened, 0)
  const isMixed = result.shape !== 'unicast' && result.directBytes > 0
  const all = count(result.nodes.length, 'node')
  const isThere = complete.length > 0 && complete.every((one) => thereBytes(one) === result.bytes)
  const received = result.nodes.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)
  const wasHeld = result.bytes > 0 && result.nodes.some((one) => thereBytes(one) > 0)
  if (wasHeld && isThere)
    return [
      `already there at ${complete.length} of ${all}`,
      `checked in ${formatDuration(result.seconds)}`,
      `${formatBytes(result.bytes)} each`,
      ...treeParts(result),
      ...descriptorParts(result),
    ]
  return [
    ...(wasHeld ? [`${formatBytes(received)} moved`] : []),
    `${complete.length} of ${all} complete in ${formatDuration(result.seconds)}`,
    `${formatBytes(result.bytes)} each`,
    `${rateOf(delivered, result.seconds)} delivered`,
    ...treeParts(result),
    ...descriptorParts(result),
    ...boundParts(result),
    ...spreadParts(result, complete.length),
    ...(isMixed ? [`${formatBytes(result.directBytes)} sent to all directly`] : []),
    ...mirrorParts(result),
    ...relayParts(result),
    ...(coordinator ? [`${printable(coordinator)} took over in term ${result.term}`] : []),
    ...(rejoined > 0 ? [`${count(rejoined, 'node')} came back in the middle`] : []),
    ...(reopened > 0 ? [`${count(reopened, 'connection')} opened again`] : []),
    ...(repaired > 0 ? [`${formatBytes(repaired)} repaired`] : []),
  ]
}

function treeParts({ tree }: PushResult): string[] {
  if (tree === undefined) return []
  const { entries, movedBytes, transfers } = tree
  const moved = `${formatBytes(movedBytes)} of files moved in ${count(transfers, 'transfer')}`
  return [`${entries} entries`, moved]
}

/** How far apart nodes were, and what each byte cost: of the origin, and between sites. */
function spreadParts(result: PushResult, complete: number): string[] {
  const { medianSeconds, dataBytes, crossings } = result
  if (complete < 2 || dataBytes === 0) return []
  const apart = medianSeconds ? [`max/median ${(result.seconds / medianSeconds).toFixed(2)}`] : []
  const copies = (bytes: number): string => (bytes / dataBytes).toFixed(2)
  return [
    ...apart,
    ...lagParts(result.nodes),
    `${copies(result.originBytesSent)} copies sent from here`,
    ...crossings.map(
      ({ from, to, bytes }) =>
        `${copies(bytes)} from ${printable(from ?? 'here')} to ${printable(to)}`,
    ),
  ]
}

/** What mirrors sent, which are no nodes of the push. */
function mirrorParts({ shares, nodes }: PushResult): string[] {
  const named = new Set(nodes.map(({ node }) => node))
  const mirrors = shares.filter(({ node }) => !named.has(node))
  return mirrors.map(
    ({ node, relayedShare }) =>
      `${formatPercent(relayedShare ?? 0)} sent by the mirror ${printable(node)}`,
  )
}

/** What those passed on that kept nothing of it. */
function relayParts({ relays }: PushResult): string[] {
  return relays
    .filter(({ relayedBytes }) => relayedBytes > 0)
    .map(
      ({ node, relayedShare }) =>
        `${formatPercent(relayedShare ?? 0)} passed on by the relay ${printable(node)}`,
    )
}

/** The bound and its source. */
function boundParts(result: PushResult): string[] {
  const isObserved = result.boundFrom === 'observed'
  const bound = isObserved ? result.observedBoundSeconds : result.boundSeconds
  if (bound === null) return []
  const efficiency = isObserved ? result.observedEfficiency : result.efficiency
  return [
    `${isObserved ? 'observed ' : ''}bound ${bound.toFixed(2)} s`,
    `efficiency ${efficiency === null ? '-' : efficiency.toFixed(3)}`,
  ]
}

/**
 * 0 every node complete; 3 some, or without a part of the tree that could not be read, or usable
 * with some descriptors; 1 none.
 */
export function pushExitStatus(result: PushResult): number {
  const complete = result.nodes.filter((outcome) => outcome.status === 'complete').length
  const isWhole = complete === result.nodes.length && !result.tree?.failedCount
  if (isWhole && complete > 0) return 0
  return complete === 0 && !result.descriptors?.usable ? 1 : 3
}
