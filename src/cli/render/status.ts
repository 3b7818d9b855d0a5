/** What `fr status` shows: a node, its transfers, its counters. Pure string building. */
import type { NodeStatus, TransferStatus } from '../../api/types.js'
import {
  displayWidth,
  type Paint,
  printable,
  tableLines,
  truncate,
  wrapParts,
  wrapWords,
} from './text.js'
import { count, formatBytes, formatDuration, formatPercent, formatRate } from './units.js'

const titleWidth = 11

/** Lines of at most `columns`, except for unbreakable parts. */
export function statusLines(
  status: NodeStatus,
  paint: Paint,
  columns = Number.POSITIVE_INFINITY,
): string[] {
  const fact = (title: string, text: string): string =>
    `${paint('bold', title)}${' '.repeat(titleWidth - title.length)}${text}`
  const words = (title: string, text: string): string[] => {
    const [first = '', ...rest] = wrapWords(text, columns - titleWidth)
    return [fact(title, first), ...rest.map((line) => ' '.repeat(titleWidth) + line)]
  }
  const called = status.name === null ? '' : `, called ${printable(status.name)}`
  const name = `${called}${status.mirror ? ', a mirror' : ''}`
  const lines = [
    fact('node', `${printable(status.node)}${name}`),
    fact('id', printable(status.nodeId)),
    ...attributeFacts(status).flatMap(([title, text]) => words(title, text)),
    fact('version', `${printable(status.version)}, ${status.engine} engine`),
    fact('up', formatDuration(status.uptimeSeconds)),
    ...dataFacts(status).flatMap(([title, text]) => words(title, text)),
    ...flowFacts(status).flatMap(([title, text]) => words(title, text)),
    ...directoryFacts(status).flatMap(([title, text]) => words(title, text)),
    ...masterFacts(status).flatMap(([title, text]) => words(title, text)),
    ...pullFacts(status).flatMap(([title, text]) => words(title, text)),
    fact('transfers', String(status.transfers.length)),
    ...status.transfers.flatMap((transfer) => transferLines(transfer, paint, columns)),
    ...status.decisions.flatMap((decision) => words(decision.state, decisionText(decision))),
    ...endedLines(status, paint, columns),
    ...auditLines(status, paint, columns),
  ]
  const counters = Object.entries(status.counters).filter(([, value]) => value !== 0)
  if (counters.length > 0) {
    const text = counters.map(([key, value]) => `${printable(key)}=${value}`).join(' ')
    lines.push(...words('counters', text))
  }
  return lines
}

function attributeFacts({ attributes }: NodeStatus): [title: string, text: string][] {
  const parts = Object.entries(attributes).map(([key, value]) =>
    printable(value === '' ? key : `${key}=${value}`),
  )
  return parts.length === 0 ? [] : [['attributes', parts.join(' ')]]
}

function room({ readOnly, freeBytes }: NodeStatus): string {
  return readOnly ? 'read-only' : `${formatBytes(freeBytes)} free`
}

function directoryFacts({ directory }: NodeStatus): [title: string, text: string][] {
  const { parent, fault, children, below, unknown, code } = directory
  const isAlone = parent === null && fault === null && children === 0
  if (isAlone && unknown.length === 0) return []
  const above = parent ?? (fault === null ? 'none' : `none: ${fault}`)
  const why = code === null ? '' : ` (${code})`
  const lacking = unknown.length === 0 ? '' : `; no bit for ${unknown.join(', ')}${why}`
  const under = `${count(below, 'node')} below`
  return [['parent', printable(`${above}; ${under}${lacking}`)]]
}

function masterFacts({ master }: NodeStatus): [title: string, text: string][] {
  if (master === null) return []
  const { address, isLinked, fault, required } = master
  const link = isLinked ? 'linked' : `not linked${fault ? `: ${printable(fault)}` : ''}`
  return [['master', `${printable(address)}, ${link}; requires ${count(required, 'file')} here`]]
}

/** What comes, or would, because it was announced. */
function pullFacts({ pulls }: NodeStatus): [title: string, text: string][] {
  return pulls.map(({ name, bytes, hereBytes, sources, reason }) => {
    const far = `${formatBytes(hereBytes)} of ${formatBytes(bytes)} here`
    const why = reason === null ? `from ${count(sources, 'node')}` : printable(reason)
    return ['pulls', `${printable(name)}, ${far}; ${why}`]
  })
}

/** How fast it is now, and what limits it. */
function flowFacts({ limits, rates }: NodeStatus): [title: string, text: string][] {
  const { upBytesPerSecond: up, downBytesPerSecond: down, maxFeeds } = limits
  const parts = [
    ...(up === null ? [] : [`up ${formatRate(up)}`]),
    ...(down === null ? [] : [`down ${formatRate(down)}`]),
    ...(maxFeeds === null ? [] : [`sends to ${count(maxFeeds, 'node')} at once`]),
  ]
  const { inBytesPerSecond, outBytesPerSecond } = rates
  const now = `in ${formatRate(inBytesPerSecond)}, out ${formatRate(outBytesPerSecond)}`
  return [
    ['rate', now],
    ...(parts.length === 0 ? [] : [['limits', parts.join(', ')] as [string, string]]),
  ]
}

function dataFacts(status: NodeStatus): [title: string, text: string][] {
  const { dataDir } = status
  if (status.relayOnly) return [['data', 'none: it only passes on what comes']]
  return [['data', `${printable(dataDir)}, ${room(status)}`], ...storeFacts(status)]
}

/** The state of the data directory, its last failure, and what it keeps. */
function storeFacts({
  problems,
  lastError,
  kept,
  held,
}: NodeStatus): [title: string, text: string][] {
  const health = problems.length === 0 ? 'ok' : problems.map(printable).join('; ')
  const facts: [string, string][] = [['health', health]]
  if (lastError !== null) {
    const ago = formatDuration(lastError.secondsAgo)
    const error = `${printable(lastError.code)}: ${printable(lastError.text)}`
    facts.push(['last error', `${error} (${ago} ago)`])
  }
  if (held.files > 0 || held.damaged > 0) {
    const damaged = held.damaged === 0 ? '' : `; ${count(held.damaged, 'record')} damaged`
    facts.push(['holds', `${count(held.files, 'file')}, ${formatBytes(held.bytes)}${damaged}`])
  }
  if (kept.files > 0) {
    const more = kept.files > kept.names.length ? ', ...' : ''
    const what = `${kept.names.map(printable).join(', ')}${more}`
    const files = kept.files === 1 ? '1 partial file' : `${kept.files} partial files`
    facts.push(['kept', `${formatBytes(kept.bytes)} in ${files} of transfers that failed: ${what}`])
  }
  return facts
}

/** A transfer: its id for `fr add`, its name and progress, and its feeds to mates. */
function transferLines(transfer: TransferStatus, paint: Paint, columns: number): string[] {
  const { bytes, etaSeconds, waitsFor } = transfer
  const parts = [
    `${transfer.role} ${formatBytes(bytes)}`,
    `${share(transfer.landedBytes, bytes)} landed`,
    `${share(transfer.verifiedBytes, bytes)} verified`,
    `in ${formatRate(transfer.rateInBytesPerSecond)}`,
    `out ${formatRate(transfer.rateOutBytesPerSecond)}`,
    ...(etaSeconds === null ? [] : [`ETA ${formatDuration(etaSeconds)}`]),
    ...(waitsFor === null ? [] : [`waits for ${printable(waitsFor)}`]),
    ...leadership(transfer),
  ]
  const id = printable(transfer.transfer)
  return [
    `${paint('bold', id)}  ${truncate(printable(transfer.name), columns - displayWidth(id) - 2)}`,
    ...wrapParts(parts, columns - 2).map((line) => `  ${line}`),
    ...faultLines(transfer, columns - 2).map((line) => `  ${line}`),
    ...relayLines(transfer, paint, columns - 2).map((line) => `  ${line}`),
  ]
}

/** A version that is ready, and not the one that has the name. */
function decisionText(decision: NodeStatus['decisions'][number]): string {
  const { name, digest, mode, members, secondsAgo, waitsFor } = decision
  const what = `${printable(name)} ${printable(digest)} for ${formatDuration(secondsAgo)}`
  return `${what}, commit ${mode} of ${count(members, 'node')}: waits for ${printable(waitsFor)}`
}

/** Who coordinates, or did, where it is not the origin. */
function leadership({
  coordinator,
  term,
  source,
}: Pick<TransferStatus, 'coordinator' | 'term' | 'source'>): string[] {
  return [
    ...(term > 1 ? [`${printable(coordinator ?? 'it')} took over (term ${term})`] : []),
    ...(source === 'unchecked' ? ['source: unchecked'] : []),
  ]
}

/** Transfers that are over: what became of them, when, why. */
function endedLines({ ended }: NodeStatus, paint: Paint, columns: number): string[] {
  if (ended.length === 0) return []
  const rows = ended.map((ending) => [
    { text: printable(ending.transfer) },
    { text: printable(ending.name) },
    { text: ending.role === 'origin' ? `sent: ${ending.outcome}` : ending.outcome },
    { text: formatBytes(ending.bytes) },
    { text: `${formatDuration(ending.secondsAgo)} ago` },
    { text: [...reasonOf(ending), ...leadership(ending)].join('; ') },
  ])
  const titles = [
    { title: 'ended' },
    { title: 'name', cut: 'middle' as const },
    { title: 'outcome' },
    { title: 'size', right: true },
    { title: 'when', right: true },
    { title: 'why', cut: 'end' as const },
  ]
  return tableLines(titles, rows, paint, columns)
}

const auditShown = 8

/** What peers asked last, and whether they may. */
function auditLines({ audit }: NodeStatus, paint: Paint, columns: number): string[] {
  if (audit.length === 0) return []
  const rows = audit
    .slice(0, auditShown)
    .map((line) => [
      { text: printable(line.name ?? line.peer) },
      { text: `${printable(line.what)}${line.count > 1 ? ` (${line.count} times)` : ''}` },
      { text: `${formatDuration(line.secondsAgo)} ago` },
      { text: line.missing === null ? 'allowed' : `refused: lacks ${printable(line.missing)}` },
    ])
  const titles = [
    { title: 'asked by', cut: 'middle' as const },
    { title: 'what', cut: 'end' as const },
    { title: 'when', right: true },
    { title: 'decision', cut: 'end' as const },
  ]
  return tableLines(titles, rows, paint, columns)
}

function reasonOf({ reason }: NodeStatus['ended'][number]): string[] {
  return reason === null ? [] : [printable(reason)]
}

/** What fails or has failed, and is left out or tried again. */
function faultLines({ faults }: TransferStatus, columns: number): string[] {
  return faults
    .filter(({ failures }) => failures > 0)
    .flatMap(({ kind, name, to, causes, isFailed, retrySeconds }) => {
      const what = `${kind} ${printable(name)}${to === null ? '' : ` to ${printable(to)}`}`
      const why = causes.map(({ cause, count }) => `${printable(cause)} ${count}x`).join(', ')
      const again = formatDuration(retrySeconds ?? 0)
      const state = isFailed ? `failed, tried again in ${again}` : 'has failed, used again'
      return wrapWords(`${what} ${state} (${why})`, columns)
    })
}

/** How far each feed to a mate is behind. */
function relayLines({ relays }: TransferStatus, paint: Paint, columns: number): string[] {
  if (relays.length === 0) return []
  const rows = relays.map((relay) => [
    { text: printable(relay.node) },
    { text: formatBytes(relay.queuedBytes) },
    { text: formatBytes(relay.unackedBytes) },
    { text: relay.isLagging ? 'lagging' : '' },
  ])
  const titles = [
    { title: 'relays to', cut: 'middle' as const },
    { title: 'queued', right: true },
    { title: 'in flight', right: true },
    { title: '' },
  ]
  return tableLines(titles, rows, paint, columns)
}

function share(bytes: number, whole: number): string {
  return formatPercent(whole === 0 ? 1 : Math.min(1, bytes / whole))
}
