/** Why a node has a file, copies it from whom it does, or waits for it. */
import type { CandidateTold, ExplainState, ExplainTold } from '../messages/told.js'
import type { Scored } from './choice.js'
import type { Demand } from './files.js'
import type { Master, MasterMember } from './master.js'
import type { Network } from './network.js'
import type { ResourceId } from './resources.js'
import { copyTold, resourceName } from './rows.js'
import { scoreParts, type Weights } from './score.js'
import { unendedMs } from './unended.js'
import type { Version } from './versions.js'

/** Null: no such node was ever here. */
export function explained(
  master: Master,
  nodeName: string,
  name: string,
  nowMs: number,
): ExplainTold | null {
  const member = master.members.get(nodeName)
  if (member === undefined) return null
  const wanted = member.set.wanted.get(name)
  const version = master.versions.find(name, wanted?.digest ?? null)
  const file = version && master.scheduler.files.get(version.id)
  const choice = version && master.scheduler.explain(version.id, member.id, nowMs)
  const copies = version === undefined ? [] : copiesInto(master, member, version)
  const demand = file?.demands.get(member.id)
  const isWanted = wanted !== undefined
  const asked = { master, member, version, demand, name, isWanted, nowMs }
  const found = growthOf(asked, stateOf(asked))
  const candidates = (choice?.candidates ?? [])
    .slice(0, candidatesTold)
    .map((one) => told(one, master))
  const state = found.state === 'source' && copies.length > 0 ? 'copying' : found.state
  return {
    ...{ event: 'explain', node: nodeName, name, state },
    digest: version?.digest ?? wanted?.digest ?? null,
    size: version?.size ?? null,
    heldBytes: file?.holders.bytesAt(member.id) ?? 0,
    set: wanted?.set.name ?? null,
    text: state === 'copying' ? 'all that it lacks is on its way' : found.text,
    copies,
    candidates,
  }
}

interface Asked {
  readonly master: Master
  readonly member: MasterMember
  readonly version: Version | undefined
  readonly demand: Demand | undefined
  readonly name: string
  readonly isWanted: boolean
  readonly nowMs: number
}

interface Found {
  readonly state: ExplainState
  readonly text: string
}

/** Where nobody can send more of what is still written, it is its author who has to go on. */
function growthOf({ master, member, version, nowMs }: Asked, found: Found): Found {
  if (found.state !== 'source' || version?.isGrowing !== true) return found
  const { size } = version
  const quietMs = unendedMs(version, master, nowMs)
  if (quietMs !== null) {
    const seconds = Math.floor(quietMs / 1_000)
    const came = `${size} bytes of it came, and nothing more for ${seconds} s`
    const text = `its author has not said where it ends: ${came}`
    return { state: 'unended', text }
  }
  const here = master.scheduler.files.get(version.id)?.holders.bytesAt(member.id) ?? 0
  if (here < size) return found
  return { state: 'growing', text: `it has the ${size} bytes that there are, and more may come` }
}

function stateOf(asked: Asked): Found {
  const { master, member, version, demand, isWanted, nowMs } = asked
  const say = (state: ExplainState, text: string) => ({ state, text })
  if (!member.isHere) return say('away', 'the node is not here')
  if (member.isDrained) return say('drained', 'the node was drained: nothing is sent to it')
  if (!isWanted) return say('unwanted', 'no set wants it there')
  if (version === undefined) return say('unknown', 'nobody has told of the version that is wanted')
  const file = master.scheduler.files.get(version.id)
  if (file?.holders.hasAll(member.id) && !version.isGrowing)
    return say('held', 'it holds all of it')
  const declined = master.refusals.causeOf(version.id, member, nowMs)
  if (declined !== null) return say('declined', `the node takes nothing of it now (${declined})`)
  if (demand === undefined) {
    const lacks = version.size - (file?.holders.bytesAt(member.id) ?? 0)
    return say('full', `it lacks ${lacks} bytes of it, and has no room for what it lacks`)
  }
  switch (demand.state.kind) {
    case 'open':
      return say('next', 'it is looked at as soon as the node may begin another copy')
    case 'room':
      return say('room', `there is no room on ${nameOf(master.network, demand.state.resource)}`)
    case 'source':
      return say('source', sourceText(asked, version))
    default:
      return demand.state satisfies never
  }
}

function nameOf(network: Network, id: ResourceId): string {
  const { kind } = network.resources.spec(id)
  return `${kind} ${resourceName(network, id)}`
}

/** Why nobody can be a source now. */
function sourceText({ master, member, name }: Asked, { id, size }: Version): string {
  const { network, components, scheduler } = master
  const holders = scheduler.files.get(id)?.holders
  const missing = holders?.missing(member.id)
  const whole = [...(holders?.nodes() ?? [])].filter((node) => node !== member.id)
  if (missing === undefined || whole.length === 0) return `no other node holds any of ${name}`
  const reasons = new Map<string, number>()
  for (const source of whole.slice(0, sourcesLooked)) {
    const reason = refusal(source)
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
  const all = [...reasons].map(([reason, count]) => `${count} ${reason}`)
  return `of ${whole.length} that hold some of its ${size} bytes ${all.join(', ')}`

  function refusal(source: number): string {
    const file = scheduler.files.get(id)
    const route = network.route(source, member.id)
    if (route === undefined) return 'cannot be reached over any link'
    const [from, to] = [network.siteOf(source), network.siteOf(member.id)]
    const demand = file?.demands.get(member.id)
    if (demand && file?.mayHave(demand, from) === false) return 'may not be copied from'
    if (components.heldAgainst(source, member.id, route) === null) return 'failed, or a link to it'
    for (const range of missing ?? [])
      if ((holders?.present(source, range).length ?? 0) > 0)
        return from === to
          ? 'hold what is on its way'
          : 'hold what comes another way by the schedule'
    return 'lack what it lacks'
  }
}

const sourcesLooked = 64
const candidatesTold = 64

function copiesInto(master: Master, { id }: MasterMember, version: Version) {
  const copies = [...master.scheduler.copies.values()]
  return copies
    .filter(({ target, file }) => target === id && file === version.id)
    .map((copy) => copyTold(copy, master))
}

function told({ candidate, score }: Scored, { network, weights }: Master): CandidateTold {
  const { source, offset, length, rate, costPerGb, hops, fullness } = candidate
  const { holders, serving, faults } = candidate
  return {
    ...{ event: 'candidate', source: network.nodeName(source), range: [offset, length] },
    site: network.siteName(network.siteOf(source)),
    bytesPerSecond: rate === Number.POSITIVE_INFINITY ? null : rate,
    ...{ costPerGb, hops, fullness, holders, serving, faults, score },
    parts: weights === null ? null : partsOf(scoreParts(candidate, weights)),
  }
}

function partsOf(parts: Weights): Record<string, number> {
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part + 0]))
}
