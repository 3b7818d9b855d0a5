/** Readers for plans, and for the member numbers of other frames. */
import { parseAddress } from '../base/addresses.js'
import { limits } from '../base/limits.js'
import type {
  EdgeWord,
  Member,
  PlanFrame,
  RosterFrame,
  Route,
  Term,
} from '../control/messages/types.js'
import type { Fields } from './fields.js'

/** Largest member number. */
export const numberMax = 0xffff_ffff
export const routeMax = 0xffff

export function readPlan(body: Fields): Omit<PlanFrame, 'type'> {
  return {
    term: readTerm(body.object('term')),
    epoch: body.integer('epoch', 0, Number.MAX_SAFE_INTEGER),
    you: readNumber(body, 'you'),
    phase: body.oneOf('phase', ['forming', 'running']),
    strategy: body.oneOf('strategy', ['classic', 'adaptive']),
    shape: body.oneOf('shape', ['unicast', 'group', 'chain', 'tree', 'binomial']),
    members: body.list('members', limits.membersPerPlan, readMember),
    parents: body.integers('parents', limits.membersPerPlan, 0, numberMax),
    routes: body.list('routes', limits.routesPerPlan, readRoute),
    avoid: readNumbers(body, 'avoid'),
    siteShares: body.list('siteShares', limits.membersPerPlan, (share) => ({
      site: share.string('site', limits.siteChars),
      bytesPerSecond: share.integer('bytesPerSecond', 1, limits.rateMax),
    })),
    coordinator: readNumber(body, 'coordinator'),
    standbys: body.integers('standbys', limits.standbys, 0, numberMax),
    reportTo: readNumber(body, 'reportTo'),
    edges: body.list('edges', limits.membersPerPlan, readEdge),
    progressMs: body.integer('progressMs', 1, limits.suspectMs),
    reportMs: body.integer('reportMs', 0, limits.suspectMs),
  }
}

export function readTerm(fields: Fields): Term {
  return { counter: fields.integer('counter', 1, numberMax), member: readNumber(fields, 'member') }
}

function readMember(fields: Fields): Member {
  return {
    number: readNumber(fields, 'number'),
    nodeId: fields.hex('nodeId', 32),
    ...(fields.has('address') ? { address: readAddress(fields, 'address') } : {}),
    ...(fields.has('via') ? { via: readAddress(fields, 'via') } : {}),
    ...(fields.has('through') ? { through: readAddress(fields, 'through') } : {}),
    ...(fields.has('site') ? { site: fields.string('site', limits.siteChars) } : {}),
  }
}

function readRoute(fields: Fields): Route {
  return {
    route: fields.integer('route', 1, routeMax),
    to: fields.list('to', limits.membersPerPlan, (target) => ({
      member: readNumber(target, 'member'),
      next: target.integer('next', 0, routeMax),
    })),
  }
}

function readEdge(edge: Fields): EdgeWord {
  return {
    member: readNumber(edge, 'member'),
    id: edge.hex('id', 32),
    secret: edge.hex('secret', 64),
    ...readSealed(edge),
  }
}

/** Of an edge, and of whoever has only such edges. */
export function readSealed(fields: Fields): { readonly sealed?: true } {
  return fields.has('sealed') && fields.boolean('sealed') ? { sealed: true } : {}
}

/** Reads a member number. */
export function readNumber(fields: Fields, name: string): number {
  return fields.integer(name, 0, numberMax)
}

export function readRoster(body: Fields): Omit<RosterFrame, 'type'> {
  const entries = body.list('entries', limits.rosterEntries, (entry) => ({
    number: readNumber(entry, 'number'),
    nodeId: entry.string('nodeId', 32) === '' ? '' : entry.hex('nodeId', 32),
    address: readAddress(entry, 'address'),
    ...(entry.has('advertise') ? { advertise: readAddress(entry, 'advertise') } : {}),
    ...(entry.has('via') ? { via: readAddress(entry, 'via') } : {}),
    ...(entry.has('site') ? { site: entry.string('site', limits.siteChars) } : {}),
    ...readSealed(entry),
    state: entry.oneOf('state', ['coming', 'running', 'complete', 'sending', 'out']),
  }))
  const ascends = entries.every(({ number }, i) => number > (entries[i - 1]?.number ?? -1))
  if (!ascends) body.refuse('entries', 'is not in the order of numbers')
  return {
    term: readTerm(body.object('term')),
    epoch: body.integer('epoch', 0, Number.MAX_SAFE_INTEGER),
    entries,
  }
}

/** Reads member numbers in ascending order. */
export function readNumbers(
  body: Fields,
  name: string,
  count: number = limits.membersPerPlan,
  most: number = numberMax,
): number[] {
  const numbers = body.integers(name, count, 0, most)
  const ascends = numbers.every((number, i) => i === 0 || number > (numbers[i - 1] as number))
  return ascends ? numbers : body.refuse(name, 'does not ascend')
}

export function readAddress(fields: Fields, name: string): string {
  const text = fields.string(name, limits.addressChars)
  return parseAddress(text) === null ? fields.refuse(name, 'is not HOST:PORT') : text
}
