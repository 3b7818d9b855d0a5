/**
 * Whether everything is where it is wanted: what must be so some time after the last trouble.
 *
 * A node lacks something for no reason when all of it is at nodes that can be used, from which it
 * could come, from site to site, over those that want it as well.
 */
import { matchesCriteria } from '../../base/criteria.js'
import { RangeSet } from '../../base/ranges.js'
import type { Master } from '../../control/copies/master.js'
import type { FileSet } from '../../control/copies/sets.js'
import { setOf } from '../../control/copies/sets.js'
import { digestOf, type WanContents } from './contents.js'
import type { WanNode } from './node.js'

/** The world, as far as it is judged. */
export interface Judged {
  readonly master: Master | null
  readonly nodes: ReadonlyMap<string, WanNode>
  readonly drained: ReadonlySet<string>
  readonly contents: WanContents
  readonly sets: readonly FileSet[]
}

export interface Unmet {
  readonly node: string
  readonly contentId: string
  /** It is nobody's fault. */
  readonly excuse: string | null
}

/** Everything that nodes are to hold and do not. */
export function unmetOf(world: Judged, master: Master): Unmet[] {
  const unmet: Unmet[] = []
  for (const node of world.nodes.values()) {
    if (!node.isUp || !node.isLinked || world.drained.has(node.name)) continue
    let lacked = 0
    const own: { contentId: string; excuse: string | null }[] = []
    for (const { name, digest } of wantedBy(world, node)) {
      const contentId = meantBy(world, master, name, digest)
      if (contentId === null || node.holds(contentId)) continue
      const missing = missingOf(world, node, contentId)
      lacked += missing.bytes
      own.push({ contentId, excuse: excuseFor(world, master, { node, contentId, name, missing }) })
    }
    const isFull = lacked > node.freeBytes
    for (const { contentId, excuse } of own)
      unmet.push({ node: node.name, contentId, excuse: excuse ?? (isFull ? 'no space' : null) })
  }
  return unmet
}

function wantedBy({ sets }: Judged, { spec }: WanNode) {
  const attributes = { ...spec.attributes, name: spec.name, site: spec.site }
  return setOf(sets, attributes).wanted.values()
}

/** Null: nobody has such a content. Throws: somebody has, and the master knows none. */
function meantBy(world: Judged, master: Master, name: string, digest: string | null) {
  const version = master.versions.find(name, digest)
  if (version !== undefined) return version.contentId
  for (const { spec, isGrowing } of world.contents.all) {
    if (spec.name !== name || (digest !== null && digest !== digestOf(spec.contentId))) continue
    if (isGrowing && digest !== null) continue
    for (const node of world.nodes.values())
      if (node.isLinked && node.holds(spec.contentId))
        throw new Error(`the master has not heard of ${spec.contentId}, which ${node.name} has`)
  }
  return null
}

function missingOf(world: Judged, node: WanNode, contentId: string): RangeSet {
  const { size } = world.contents.of(contentId)
  const missing = RangeSet.of([[0, size]])
  const held = node.held.get(contentId)
  if (held !== undefined) missing.subtract(held)
  return missing
}

interface Lack {
  readonly node: WanNode
  readonly contentId: string
  readonly name: string
  readonly missing: RangeSet
}

function excuseFor(world: Judged, master: Master, lack: Lack): string | null {
  const { node, contentId, name, missing } = lack
  if (node.spec.lies.includes(contentId)) return 'it says that it has it'
  const { size, isGrowing } = world.contents.of(contentId)
  const there = RangeSet.of(missing)
  for (const other of sourcesFor(world, master, node.spec.site, name)) {
    const held = other.held.get(contentId)
    if (held === undefined) continue
    const lacked = there.contains(size - 1, 1) && !isGrowing && !other.knowsEnd(contentId)
    there.subtract(held)
    // Who has not heard of the end cannot prove that the last byte is the last.
    if (lacked) there.add(size - 1, 1)
  }
  return there.isEmpty ? null : 'nobody has it'
}

/** Nodes that are honest and can be used, and whose bytes can come to the site by and by. */
function sourcesFor(world: Judged, master: Master, site: string, name: string): WanNode[] {
  const usable = [...world.nodes.values()].filter(
    (node) => node.isUp && node.isLinked && !node.spec.corrupts && !world.drained.has(node.name),
  )
  const wanting = new Set<string>()
  for (const node of usable)
    for (const wanted of wantedBy(world, node))
      if (wanted.name === name) wanting.add(node.spec.site)
  const reached = new Set([site])
  for (const to of reached) {
    if (to !== site && !wanting.has(to)) continue
    for (const { spec } of usable)
      if (mayCopy(world, name, spec.site, to) && isWay(master, spec.site, to))
        reached.add(spec.site)
  }
  return usable.filter(({ spec }) => reached.has(spec.site))
}

function mayCopy({ sets }: Judged, name: string, from: string, to: string): boolean {
  if (from === to) return true
  return sets.every(
    (set) =>
      set.from === null ||
      !set.files.some((file) => file.name === name) ||
      matchesCriteria(set.from, { site: from }),
  )
}

function isWay({ network }: Master, from: string, to: string): boolean {
  const [a, b] = [network.siteId(from), network.siteId(to)]
  return a !== undefined && b !== undefined && network.siteRoute(a, b) !== undefined
}

/** Nothing is on its way, and nobody lacks what could come. */
export function isSettled(world: Judged): boolean {
  const { master, nodes } = world
  if (master === null || master.scheduler.copies.size > 0) return false
  for (const node of nodes.values()) {
    if (node.running.size > 0) return false
    if (node.isUp && !node.isLinked) return false
  }
  return unmetOf(world, master).every(({ excuse }) => excuse !== null)
}

/** Throws with what should be otherwise at the end. */
export function judge(world: Judged): void {
  const { master } = world
  if (master === null) throw new Error('there is no master at the end')
  const unmet = unmetOf(world, master).filter(({ excuse }) => excuse === null)
  const [first] = unmet
  if (first !== undefined)
    throw new Error(
      `${unmet.length} demands wait for ever: ${first.node} lacks ${first.contentId}, ` +
        `${stateOf(master, first)}`,
    )
  const [copy] = master.scheduler.copies.values()
  if (copy !== undefined) throw new Error(`copy ${copy.id} is never over`)
  for (const node of world.nodes.values()) {
    if (!node.isUp || !node.isLinked) continue
    const wanted = [...wantedBy(world, node)].map(({ name, digest }) => `${name} ${digest}`)
    const told = [...(node.required?.wanted.values() ?? [])]
    const texts = told.map(({ name, digest }) => `${name} ${digest}`)
    if (wanted.sort().join() !== texts.sort().join())
      throw new Error(`${node.name} was not told what it is to hold`)
  }
}

function stateOf({ versions, scheduler, network }: Master, { node, contentId }: Unmet): string {
  const id = network.nodeId(node)
  for (const { id: file, demands, holders } of scheduler.files.values()) {
    if (versions.of(file).contentId !== contentId || id === undefined) continue
    const demand = demands.get(id)
    const held = `${holders.bytesAt(id)} of ${holders.size} are known to be there`
    return `${demand === undefined ? 'no demand' : JSON.stringify(demand.state)}, ${held}`
  }
  return 'which the master does not know'
}
