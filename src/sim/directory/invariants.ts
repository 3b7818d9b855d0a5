/** What must be so in a directory at any moment, and what once it is calm. */
import { Bits } from '../../control/directory/bits.js'
import type { DirectoryWorld, SimNode } from './world.js'

/** The node that is the parent by the word of both ends. */
export function parentOf(world: DirectoryWorld, node: SimNode): SimNode | null {
  const parent = node.machine?.tree.lineage.parent
  if (parent === null || parent === undefined) return null
  const end = node.ends.get(parent.link)
  if (end === undefined || world.nodes.get(parent.address) !== end.node) return null
  return end.node.machine?.tree.children.get(end.link) === undefined ? null : end.node
}

/** Nodes that are above themselves, at any moment none. */
export function looped(world: DirectoryWorld): string[] {
  const found: string[] = []
  for (const node of world.nodes.values()) {
    const seen = new Set<SimNode>([node])
    for (let at = parentOf(world, node); at !== null; at = parentOf(world, at)) {
      if (seen.has(at)) {
        found.push(node.spec.name)
        break
      }
      seen.add(at)
    }
  }
  return found
}

export function rootsOf(world: DirectoryWorld): SimNode[] {
  return [...world.nodes.values()].filter(
    (node) => node.machine !== null && parentOf(world, node) === null,
  )
}

export function depthOf(world: DirectoryWorld, node: SimNode): number {
  let depth = 0
  for (let at = parentOf(world, node); at !== null; at = parentOf(world, at)) depth += 1
  return depth
}

/** Nodes whose roll-up is not the binary or (and) of all that are below them. */
export function wrongRollUps(world: DirectoryWorld): string[] {
  const some = new Map<SimNode, Bits>()
  const every = new Map<SimNode, Bits>()
  const count = new Map<SimNode, number>()
  for (const node of world.nodes.values()) {
    if (node.machine === null) continue
    const { own } = node.machine.tree.rollUps
    for (let at = parentOf(world, node); at !== null; at = parentOf(world, at)) {
      some.set(at, (some.get(at) ?? new Bits()).or(own.some))
      every.set(at, every.get(at)?.and(own.every) ?? own.every)
      count.set(at, (count.get(at) ?? 0) + 1)
    }
  }
  const wrong: string[] = []
  for (const node of world.nodes.values()) {
    if (node.machine === null) continue
    const { below } = node.machine.tree.rollUps
    const isRight =
      below.some.text === (some.get(node) ?? new Bits()).text &&
      below.every.text === (every.get(node) ?? new Bits()).text &&
      below.count === (count.get(node) ?? 0) &&
      below.isWhole
    if (!isRight) wrong.push(node.spec.name)
  }
  return wrong
}
