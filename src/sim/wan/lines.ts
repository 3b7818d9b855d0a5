/** The lines of a topology, by kind and name of the resource that each is for the master. */
import type { ResourceSpec } from '../../control/copies/resources.js'
import { Line } from './flows.js'
import type { WanScenario } from './scenario.js'

export function linesOf({ topology, nodes }: Pick<WanScenario, 'topology' | 'nodes'>) {
  const lines = new Map<string, Line>()
  const add = (spec: ResourceSpec, bytesPerSecond = spec.bytesPerSecond) =>
    lines.set(`${spec.kind} ${spec.name}`, new Line(spec.name, spec, bytesPerSecond))
  for (const { name, up, down } of topology.sites) {
    if (up !== undefined) add({ kind: 'site', name: `${name} out`, ...up })
    if (down !== undefined) add({ kind: 'site', name: `${name} in`, ...down })
  }
  for (const { from: _from, to: _to, name, ...carries } of topology.links)
    add({ kind: 'link', name, ...carries })
  for (const { name, up, down, lineBytesPerSecond } of nodes) {
    add({ kind: 'uplink', name, ...up }, lineBytesPerSecond)
    add({ kind: 'downlink', name, ...down }, lineBytesPerSecond)
  }
  return lines
}

/** Bytes a second that copies may use of it now, as its owner has said. */
export function allowedNow(spec: ResourceSpec, nowMs: number): number {
  const { bytesPerSecond, share = 1, budget = [] } = spec
  const minute = (((nowMs % dayMs) + dayMs) % dayMs) / 60_000
  const window = budget.find(({ fromMinute, toMinute }) =>
    fromMinute < toMinute
      ? minute >= fromMinute && minute < toMinute
      : minute >= fromMinute || minute < toMinute,
  )
  return Math.floor((window?.bytesPerSecond ?? bytesPerSecond) * share)
}

const dayMs = 86_400_000
