/**
 * Topologies: sites, the links between them, the routes that are not the cheapest, and what single
 * nodes carry (docs/master.md). What contradicts itself is named with its place.
 */
import { limits } from '../base/limits.js'
import { partIn, rateIn } from '../base/units.js'
import {
  type Carries,
  type LinkSpec,
  type NodeCarries,
  type RouteSpec,
  type SiteSpec,
  type TopologySpec,
  topologyFaults,
} from '../control/copies/network.js'
import type { BudgetWindow } from '../control/copies/resources.js'
import { envelopesIn, field, nameIn } from './envelope.js'
import { type Scheduling, schedulingIn } from './scheduling.js'
import { Faults, shown, type TextOf, type Value } from './yaml.js'

/** The one topology of a file. Throws ERR_FR_DOCUMENT with all that is wrong. */
export function readTopology(file: TextOf): TopologySpec {
  return readNetwork(file).topology
}

/** With how a master is to decide, where the file says so. */
export function readNetwork(file: TextOf): {
  readonly topology: TopologySpec
  readonly scheduling: Scheduling
} {
  const faults = new Faults()
  const found = envelopesIn(file, ['Topology', 'Scheduling'], faults)
  const [first, second] = found.filter(({ kind }) => kind === 'Topology')
  const [how, another] = found.filter(({ kind }) => kind === 'Scheduling')
  if (first === undefined && faults.isEmpty) faults.add(file.path, 'there is no topology in it')
  second?.document.fault('there is another topology before it')
  another?.document.fault('there is another one of its kind before it')
  const topology = first === undefined ? nothing : topologyOf(first.spec, faults)
  const scheduling = how === undefined ? {} : schedulingIn(how.spec)
  faults.throwIfAny()
  return { topology, scheduling }
}

const nothing: TopologySpec = { sites: [], links: [], routes: [] }
const carrying = ['rate', 'price', 'share', 'budget'] as const

/** What was read, and where it stands. */
interface Read<T> {
  readonly value: T
  readonly at: Value
}

function topologyOf(spec: Value, faults: Faults): TopologySpec {
  const fields = spec.fields(['sites', 'links', 'routes', 'nodes'])
  if (fields === null) return nothing
  const each = <T>(name: string, most: number, read: (item: Value) => T[] | null): Read<T>[] =>
    (fields.get(name)?.items(most) ?? []).flatMap((at) =>
      (read(at) ?? []).map((value) => ({ value, at })),
    )
  const read = {
    sites: each('sites', limits.masterSites, siteIn),
    links: each('links', limits.masterLinks, linksIn),
    routes: each('routes', limits.masterLinks, routeIn),
    nodes: each('nodes', limits.masterNodes, nodeIn),
  }
  const topology = {
    sites: values(read.sites),
    links: values(read.links),
    routes: values(read.routes),
    nodes: values(read.nodes),
  }
  // Of what could not be read others would be told that it is missing.
  if (!faults.isEmpty) return topology
  for (const { of, index, text } of topologyFaults(topology)) {
    const at: Value = read[of][index]?.at ?? spec
    at.fault(text)
  }
  return topology
}

function values<T>(all: readonly Read<T>[]): T[] {
  return all.map(({ value }) => value)
}

function siteIn(at: Value): SiteSpec[] | null {
  const read = namedIn(at, ['up', 'down'])
  return read === null ? null : [{ name: read.name, ...directionsIn(read.fields) }]
}

function nodeIn(at: Value): NodeCarries[] | null {
  const read = namedIn(at, ['up', 'down'])
  return read === null ? null : [{ name: read.name, ...directionsIn(read.fields) }]
}

function directionsIn(fields: ReadonlyMap<string, Value>): { up?: Carries; down?: Carries } {
  const [up, down] = [fields.get('up'), fields.get('down')]
  return { ...(up && { up: carriesIn(up) }), ...(down && { down: carriesIn(down) }) }
}

function namedIn(at: Value, more: readonly string[]) {
  const fields = at.fields(['name', ...more])
  if (fields === null) return null
  const named = field(at, fields, 'name')
  const name = named === null ? null : nameIn(named)
  return name === null ? null : { name, fields }
}

/** One, or with `bothWays` also the one back. */
function linksIn(at: Value): LinkSpec[] | null {
  const fields = at.fields(['name', 'from', 'to', 'bothWays', ...carrying])
  const ends = fields && endsIn(at, fields)
  if (fields === null || ends === null) return null
  const named = fields.get('name')
  const { from, to } = ends
  const name = named === undefined ? `${from}-${to}` : nameIn(named)
  if (name === null) return null
  field(at, fields, 'rate')
  const carries = carriedIn(fields)
  const link = { name, from, to, ...carries }
  if (fields.get('bothWays')?.flag() !== true) return [link]
  const back = named === undefined ? `${to}-${from}` : `${name}-back`
  return [link, { name: back, from: to, to: from, ...carries }]
}

function endsIn(at: Value, fields: ReadonlyMap<string, Value>) {
  const [from, to] = ['from', 'to'].map((end) => {
    const value = field(at, fields, end)
    return value === null ? null : nameIn(value)
  })
  return from && to ? { from, to } : null
}

function routeIn(at: Value): RouteSpec[] | null {
  const fields = at.fields(['from', 'to', 'via'])
  const ends = fields && endsIn(at, fields)
  if (fields === null || ends === null) return null
  const via = field(at, fields, 'via')?.items(limits.routeHops).map(nameIn) ?? []
  const names = via.filter((name) => name !== null)
  return via.length === names.length ? [{ ...ends, via: names }] : null
}

/** A rate, or fields with one. */
function carriesIn(at: Value): Carries {
  if (at.isText) return { bytesPerSecond: rateOf(at) }
  return carriedIn(at.fields(carrying) ?? new Map())
}

function carriedIn(fields: ReadonlyMap<string, Value>): Carries {
  const [rate, price] = [fields.get('rate'), fields.get('price')]
  const [share, budget] = [fields.get('share'), fields.get('budget')]
  const costPerGb = price?.read(priceIn)
  const part = share?.read((text) => (partIn(text) === 0 ? 'it is nothing' : partIn(text)))
  return {
    bytesPerSecond: rate === undefined ? Number.POSITIVE_INFINITY : rateOf(rate),
    ...(typeof costPerGb === 'number' && { costPerGb }),
    ...(typeof part === 'number' && { share: part }),
    ...(budget && { budget: budgetIn(budget) }),
  }
}

const unlimited = 'unlimited'

function rateOf(at: Value): number {
  return at.read(unlimitedIn) ?? Number.POSITIVE_INFINITY
}

function unlimitedIn(text: string): number | string {
  return text === unlimited ? Number.POSITIVE_INFINITY : rateIn(text)
}

function priceIn(text: string): number | string {
  const price = /^\d{1,9}(?:\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN
  return price <= limits.pricePerGbMax
    ? price
    : `${shown(text)} is no price of a GB from 0 to ${limits.pricePerGbMax}`
}

const dayMinutes = 1_440

function budgetIn(at: Value): BudgetWindow[] {
  const windows: BudgetWindow[] = []
  // Who has each minute of the day.
  const taken = new Uint8Array(dayMinutes)
  for (const item of at.items(limits.budgetWindows)) {
    const fields = item.fields(['from', 'to', 'rate'])
    if (fields === null) continue
    const [from, to] = ['from', 'to'].map((end) => field(item, fields, end)?.read(minuteIn))
    const bytesPerSecond = field(item, fields, 'rate')?.read((text) =>
      text === '0' ? 0 : unlimitedIn(text),
    )
    if (typeof from !== 'number' || typeof to !== 'number') continue
    const [fromMinute, toMinute] = [from, to % dayMinutes]
    const minutes = (toMinute - fromMinute + dayMinutes) % dayMinutes || dayMinutes
    let overlaps = false
    for (let i = 0; i < minutes; i++) {
      const minute = (fromMinute + i) % dayMinutes
      overlaps ||= taken[minute] === 1
      taken[minute] = 1
    }
    if (overlaps) item.fault('another window has a part of this time')
    if (typeof bytesPerSecond === 'number') windows.push({ fromMinute, toMinute, bytesPerSecond })
  }
  return windows
}

/** `08:30` -> minutes since midnight; `24:00` is the end of the day. */
function minuteIn(text: string): number | string {
  const match = /^(\d{2}):(\d{2})$/.exec(text)
  const [hours, minutes] = [Number(match?.[1]), Number(match?.[2])]
  const minute = hours * 60 + minutes
  return match !== null && minutes < 60 && minute <= dayMinutes
    ? minute
    : `${shown(text)} is no time of the day (UTC); write it like 08:30`
}
