/**
 * What a tree of groups can carry: each column at the pace of the slowest node at which it enters a
 * group, all of them no faster than the links between sites that they cross.
 */
import { limits } from '../../base/limits.js'
import type { LinkSpeeds } from '../messages/copying.js'
import { columnsFor, placeIn } from './columns.js'
import { type PlannedGroup, siteRate, type TreeWish } from './layout.js'

const unlimited = Number.POSITIVE_INFINITY

/** Speeds by node. */
export type Links = ReadonlyMap<number, LinkSpeeds & { readonly site?: string }>

export interface ColumnRate {
  readonly head: number
  /** Unlimited where no uplink on its way is known. */
  readonly bytesPerSecond: number
  /** What its head could pass on of it. */
  readonly headBytesPerSecond: number
}

/** By column. An entry sends what comes to all its mates, and once more for each group it feeds. */
export function columnRates(groups: readonly PlannedGroup[], links: Links): ColumnRate[] {
  const fed = groups.map(() => 0)
  for (const { parent } of groups) if (parent !== null) fed[parent] = (fed[parent] as number) + 1
  const copies = new Map<number, number>()
  for (const [i, { nodes }] of groups.entries())
    for (const node of nodes) copies.set(node, nodes.length - 1 + (fed[i] as number))
  const columns = columnsFor(groups.map(({ nodes }) => nodes.length)).map((span) => {
    const entries = groups.map(({ nodes }) => nodes[placeIn(span, nodes.length)] as number)
    return { width: span.to - span.from, entries }
  })
  const carried = new Map<number, number>()
  for (const { width, entries } of columns)
    for (const node of entries) carried.set(node, (carried.get(node) ?? 0) + width)
  /** What of its uplink a node has for a column of this width, by copies that it sends. */
  const rateAt = (node: number, width: number): number => {
    const sent = ((copies.get(node) ?? 0) * (carried.get(node) ?? 1)) / width
    return sent === 0 ? unlimited : uplinkOf(links, node) / sent
  }
  return columns.map(({ width, entries }) => ({
    head: entries[0] as number,
    headBytesPerSecond: rateAt(entries[0] as number, width),
    bytesPerSecond: entries.reduce(
      (least, node) => Math.min(least, rateAt(node, width)),
      unlimited,
    ),
  }))
}

/**
 * Seconds that the slowest column goes on for when all others have ended: what its head was dealt
 * ahead, at the pace of the head, waits at its slowest place. `most`: what is dealt to all heads.
 */
export function tailSeconds(columns: readonly ColumnRate[], most: number): number {
  return columns.reduce((longest, { bytesPerSecond, headBytesPerSecond }) => {
    const ahead = Math.min(headBytesPerSecond, most / columns.length) / bytesPerSecond - 1
    return ahead > 0 && ahead < unlimited
      ? Math.max(longest, (ahead * limits.dealtAheadMs) / 1000)
      : longest
  }, 0)
}

/** What all columns carry together. */
export function treeRate(columns: readonly ColumnRate[]): number {
  return columns.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0)
}

export interface Crossing {
  readonly from: string
  readonly to: string
  readonly bytesPerSecond: number
}

/** Links between sites that the tree uses, the coordinator's among them. */
export function crossings(
  groups: readonly PlannedGroup[],
  links: Links,
  wish: TreeWish,
): Crossing[] {
  const sites = groups.map(({ nodes }) => links.get(nodes[0] as number)?.site)
  return groups.flatMap(({ parent }, i) => {
    const [from, to] = [parent === null ? wish.site : sites[parent], sites[i]]
    if (from === undefined || to === undefined || from === to) return []
    return [{ from, to, bytesPerSecond: siteRate(wish.siteLinks, from, to) }]
  })
}

export function uplinkOf(links: Links, node: number): number {
  return links.get(node)?.uplinkBytesPerSecond ?? unlimited
}
