/**
 * What `/metrics` says of a node and of a master: families in the terms of Prometheus, each with
 * its values, read from one status. Pure.
 *
 * Labels are few and their values bounded: no names of files, and of peers none. Names end in the
 * unit; counters of bytes and events end in `_total`.
 */
import type { ResourceTold } from '../../api/master-client-types.js'
import type { MasterStatus } from '../../api/master-types.js'
import type { NodeStatus } from '../../api/types.js'

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly values: readonly Value[]
}

interface Value {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

type Values = number | null | readonly Value[]

function family(type: Family['type'], name: string, help: string, values: Values): Family {
  const all = typeof values === 'number' ? [{ value: values }] : (values ?? [])
  return { name: `fastreplica_${name}`, help, type, values: all }
}

const counter = family.bind(null, 'counter')
const gauge = family.bind(null, 'gauge')

/** One value for each key of `of`. */
function by<T extends string>(label: string, of: Readonly<Record<T, number | null>>): Value[] {
  return Object.entries<number | null>(of).flatMap(([key, value]) =>
    value === null ? [] : [{ labels: { [label]: key }, value }],
  )
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0)
}

export function nodeFamilies(status: NodeStatus): Family[] {
  const { version, engine, transfers, held, kept, limits, rates, directory, counters } = status
  const count = (name: string): number => counters[name] ?? 0
  const relays = transfers.flatMap((transfer) => transfer.relays)
  return [
    gauge('info', 'What runs.', [{ labels: { version, engine }, value: 1 }]),
    gauge('uptime_seconds', 'Since the node started.', status.uptimeSeconds),
    counter(
      'received_bytes_total',
      'Payload of transfers received, by who brought it: whoever sent the file, or others.',
      by('from', { origin: count('directBytes'), mates: count('relayedBytes') }),
    ),
    counter(
      'pulled_bytes_total',
      'Of transfers, what landed after mates had promised it.',
      count('pulledBytes'),
    ),
    counter(
      'mate_served_bytes_total',
      'Of transfers, what was listed for mates that asked.',
      count('mateServedBytes'),
    ),
    counter(
      'wasted_bytes_total',
      'Payload received that was there before.',
      count('duplicateBytes'),
    ),
    counter(
      'repaired_bytes_total',
      'Bytes in blocks that were bad and were put right.',
      count('repairedBytes'),
    ),
    counter(
      'payload_bytes_total',
      'Payload of everything that the engine has moved.',
      by('direction', { in: count('receivedBytes'), out: count('sentBytes') }),
    ),
    counter(
      'served_bytes_total',
      'Bytes of files sent to clients that are no nodes, as of this door.',
      count('servedBytes'),
    ),
    counter('bridged_bytes_total', 'Bytes passed on for others.', count('bridgedBytes')),
    counter(
      'javascript_bytes_total',
      'Payload that went through memory of JavaScript.',
      count('payloadBytesInJavaScript'),
    ),
    gauge(
      'rate_bytes_per_second',
      'Payload now, smoothed over about a second.',
      by('direction', { in: rates.inBytesPerSecond, out: rates.outBytesPerSecond }),
    ),
    gauge(
      'limit_bytes_per_second',
      'What the node keeps to; absent: no limit.',
      by('direction', { in: limits.downBytesPerSecond, out: limits.upBytesPerSecond }),
    ),
    gauge('transfers', 'Transfers that run.', by('role', rolesOf(transfers))),
    counter(
      'transfers_total',
      'Transfers received or passed on, by their end.',
      by('outcome', { complete: count('transfersComplete'), failed: count('transfersFailed') }),
    ),
    gauge(
      'landed_bytes',
      'Of the files of transfers that run, what is there.',
      sumOf(transfers, (transfer) => transfer.landedBytes),
    ),
    gauge(
      'expected_bytes',
      'Size of the files of transfers that run.',
      sumOf(transfers, (transfer) => transfer.bytes),
    ),
    gauge(
      'queue_bytes',
      'Listed for mates and not accepted by their connections, and accepted but not acknowledged.',
      by('state', {
        queued: sumOf(relays, (relay) => relay.queuedBytes),
        unacked: sumOf(relays, (relay) => relay.unackedBytes),
      }),
    ),
    gauge(
      'lagging_mates',
      'Mates that nobody waits for.',
      relays.filter((relay) => relay.isLagging).length,
    ),
    ...faultFamilies(transfers.flatMap((transfer) => transfer.faults)),
    gauge('held_files', 'Files that the node has whole.', held.files),
    gauge('held_bytes', 'Their bytes.', held.bytes),
    gauge('damaged_records', 'Records of files that were lost.', held.damaged),
    gauge('kept_bytes', 'Bytes of unfinished files that are kept.', kept.bytes),
    gauge('free_bytes', 'What an ordinary user may still write.', status.freeBytes),
    gauge('problems', 'What is wrong with the data directory.', status.problems.length),
    counter(
      'connections_total',
      'Connections, by what became of them.',
      by('outcome', {
        accepted: Math.max(0, count('connections') - count('refusedConnections')),
        refused: count('refusedConnections'),
      }),
    ),
    counter('wrong_keys_total', 'Of those refused, without the key.', count('authFailures')),
    counter('wrong_digests_total', 'Digests with a wrong signature.', count('wrongDigests')),
    gauge(
      'open',
      'What the engine has open.',
      by('what', {
        feeds: count('openFeeds'),
        files: count('openFiles'),
        pipes: count('openPipes'),
        bridges: count('openBridges'),
      }),
    ),
    gauge('directory_depth', 'Nodes above it in the directory.', directory?.depth ?? null),
    gauge('directory_below', 'Nodes below it in the directory.', directory?.below ?? null),
    gauge('announcements', 'Announcements known.', directory?.announcements ?? null),
    gauge(
      'master_linked',
      '1: the master of the node has heard all that is held here.',
      status.master === null ? null : Number(status.master.isLinked),
    ),
  ]
}

function rolesOf(transfers: NodeStatus['transfers']): Record<string, number> {
  const roles: Record<string, number> = { receiving: 0, complete: 0, passing: 0, origin: 0 }
  for (const { role } of transfers) roles[role] = (roles[role] ?? 0) + 1
  return roles
}

const kinds = ['node', 'link', 'disk', 'site'] as const

/** By the kind of component, whose names are in the status. */
function faultFamilies(faults: NodeStatus['transfers'][number]['faults']): Family[] {
  const values = (of: (fault: (typeof faults)[number]) => number): Value[] =>
    kinds.map((kind) => {
      const those = faults.filter((fault) => fault.kind === kind)
      return { labels: { kind }, value: sumOf(those, of) }
    })
  const held = ({ causes }: (typeof faults)[number]): number => sumOf(causes, ({ count }) => count)
  return [
    gauge('faults', 'What transfers that run hold against components.', values(held)),
    gauge(
      'failed_components',
      'Components that are left out now.',
      values(({ isFailed }) => Number(isFailed)),
    ),
  ]
}

/** `links`: as the master tells them; those between sites have a row each, the others none. */
export function masterFamilies(status: MasterStatus, links: readonly ResourceTold[]): Family[] {
  const { counters } = status
  const crossings = links.filter(({ kind }) => kind === 'link')
  const each = (of: (link: ResourceTold) => number | null): Value[] =>
    crossings.flatMap((link) => {
      const value = of(link)
      return value === null ? [] : [{ labels: { link: link.name }, value }]
    })
  return [
    gauge('info', 'What runs.', [{ labels: { version: status.version }, value: 1 }]),
    gauge('uptime_seconds', 'Since the master started.', status.uptimeSeconds),
    gauge('master_leads', '1: of several masters this one decides.', Number(status.leads)),
    gauge('master_nodes', 'Nodes that are linked.', status.nodes.length),
    gauge('master_sets', 'File sets.', status.sets),
    gauge('master_contents', 'Contents that anybody has spoken of.', status.contents),
    gauge('master_copies', 'Copies under way.', status.copies),
    gauge(
      'link_capability_bytes_per_second',
      'What copies may use of a link between sites; absent: no limit.',
      each((link) => link.capabilityBytesPerSecond),
    ),
    gauge(
      'link_allocated_bytes_per_second',
      'Of that, given to copies that run.',
      each((link) => link.allocatedBytesPerSecond),
    ),
    gauge(
      'link_used_bytes_per_second',
      'What copies have brought over it in the last minute, by 60 s.',
      each((link) => link.usedBytesPerSecond),
    ),
    counter(
      'link_bytes_total',
      'What copies have brought over it.',
      each((link) => link.bytes),
    ),
    counter(
      'link_cost_total',
      'What that has cost, by the prices of the topology.',
      each((link) => link.cost),
    ),
    gauge(
      'link_failed',
      '1: it is left out now.',
      each((link) => Number(link.isFailed)),
    ),
    counter(
      'connections_total',
      'Connections, by what became of them.',
      by('outcome', {
        accepted: Math.max(0, counters.connections - counters.refusedConnections),
        refused: counters.refusedConnections,
      }),
    ),
    counter('wrong_keys_total', 'Of those refused, without the key.', counters.authFailures),
  ]
}
