/** What people are told of a master: its links, failures, schedule, sets and nodes. */
import type {
  AuditTold,
  ComponentTold,
  NodeTold,
  PlanTold,
  ResourceTold,
} from '../messages/told.js'
import type { Component } from './components.js'
import type { Master, MasterMember } from './master.js'
import type { Network, SiteId } from './network.js'
import type { ResourceId } from './resources.js'
import type { Copy } from './scheduler.js'
import type { Version } from './versions.js'

const finite = (rate: number) => (rate === Number.POSITIVE_INFINITY ? null : rate)

export function resourceName(network: Network, id: ResourceId): string {
  return network.resources.spec(id).name
}

/** Links between sites first, then sites, then nodes. */
export function* linkRows(master: Master, nowMs: number): Generator<ResourceTold> {
  const { resources } = master.network
  for (const kinds of [['link'], ['site'], ['uplink', 'downlink']]) {
    for (let id = 0; id < resources.count; id++) {
      const { kind, name, costPerGb = 0 } = resources.spec(id)
      if (!kinds.includes(kind)) continue
      yield {
        ...{ event: 'link', kind, name, costPerGb },
        capabilityBytesPerSecond: finite(resources.capability(id, nowMs)),
        allocatedBytesPerSecond: resources.allocated(id),
        usedBytesPerSecond: master.uses.rate(id, nowMs),
        bytes: master.uses.bytes(id),
        cost: master.uses.cost(id),
        isFailed: master.components.isFailed({ kind: 'resource', id }),
      }
    }
  }
}

/** Those with most against them first. */
export function* componentRows(master: Master, nowMs: number): Generator<ComponentTold> {
  for (const [component, record] of master.components.records(nowMs)) {
    const { retryMs, ...rest } = record
    const retrySeconds = retryMs === null ? null : retryMs / 1_000
    yield { event: 'component', ...componentName(master.network, component), ...rest, retrySeconds }
  }
}

export function componentName(
  network: Network,
  { kind, id }: Component,
): Pick<ComponentTold, 'kind' | 'name'> {
  if (kind !== 'resource') return { kind, name: network.nodeName(id) }
  return { kind: network.resources.spec(id).kind, name: resourceName(network, id) }
}

/** Copies that run, then which site has each part of a file from which. */
export function* planRows(master: Master, name: string | null): Generator<PlanTold> {
  const { scheduler, network, versions } = master
  const isMeant = (version: Version) => name === null || version.name === name
  for (const copy of scheduler.copies.values())
    if (isMeant(versions.of(copy.file))) yield copyTold(copy, master)
  for (const { id, slices, wanting } of scheduler.files.values()) {
    const version = versions.of(id)
    if (wanting.size === 0 || !isMeant(version)) continue
    const nodes = (site: SiteId) => wanting.get(site)?.size ?? 0
    for (const { offset, length, from: parents } of slices) {
      for (const [to, from] of parents) {
        yield {
          ...{ event: 'slice', name: version.name, size: version.size, range: [offset, length] },
          ...{ from: network.siteName(from), to: network.siteName(to), nodes: nodes(to) },
        }
      }
    }
  }
}

export function copyTold(
  { id, file, offset, length, source, target, rate }: Copy,
  { network, versions }: Master,
): Extract<PlanTold, { event: 'copy' }> {
  return {
    ...{ event: 'copy', copy: id, name: versions.of(file).name, range: [offset, length] },
    ...{ source: network.nodeName(source), target: network.nodeName(target) },
    ...{ bytesPerSecond: finite(rate), seconds: length / rate },
  }
}

export function* nodeRows(master: Master): Generator<NodeTold> {
  for (const member of master.members.values()) {
    const { name, isHere, isDrained, set, wants, freeBytes } = member
    let files = 0
    for (const ranges of member.held.values()) if (ranges === null) files += 1
    yield {
      ...{ event: 'node', node: name, isHere, isDrained, freeBytes, files },
      site: master.network.siteName(master.network.siteOf(member.id)),
      ...{ wanted: set.wanted.size, missing: wants.size, missingBytes: leftOf(member, master) },
    }
  }
}

/** Bytes that are to come to a node. */
function leftOf({ id: node, wants }: MasterMember, { scheduler }: Master): number {
  let left = 0
  for (const id of wants) {
    const { holders } = scheduler.fileOf(id)
    left += holders.size - holders.bytesAt(node)
  }
  return left
}

/** Where what nodes say that they hold is not what the sets want. */
export function* auditRows(master: Master): Generator<AuditTold> {
  for (const member of master.members.values()) {
    if (!member.isHere) continue
    const held = new Map<string, Version[]>()
    for (const [id, ranges] of member.held) {
      if (ranges !== null) continue
      const version = master.versions.of(id)
      held.set(version.name, [...(held.get(version.name) ?? []), version])
    }
    for (const { name, digest, size } of member.set.wanted.values()) {
      const wanted = master.versions.find(name, digest)
      const there = held.get(name) ?? []
      const one = there.find((each) => each === wanted)
      const tell = (fault: AuditTold['fault']): AuditTold => ({
        ...{ event: 'audit', node: member.name, name, fault },
        ...{ wanted: digest ?? wanted?.digest ?? null, held: there[0]?.digest ?? null },
      })
      if (one === undefined) yield tell(there.length > 0 ? 'other' : 'missing')
      else if (size !== undefined && one.size !== size) yield tell('size')
    }
  }
}
