/**
 * Nodes for which a copy may begin: they have demands that can be looked at, and not too many
 * copies into them already. The one with the most urgent demand is next.
 */
import { LeastFirst } from '../../base/least-first.js'
import { limits } from '../../base/limits.js'
import type { FileId } from './demand.js'
import type { NodeId } from './network.js'

interface Between {
  readonly source: NodeId
  readonly target: NodeId
}

interface NodeState<C> {
  /** Files that can be looked at for it, the most urgent first. */
  readonly open: LeastFirst<FileId>
  readonly into: Set<C>
  outOf: number
}

export class ReadyNodes<C extends Between> {
  readonly #nodes = new Map<NodeId, NodeState<C>>()
  readonly #ready = new LeastFirst<NodeId>()

  get isEmpty(): boolean {
    return this.#ready.size === 0
  }

  next(): NodeId {
    return this.#ready.upTo(this.#ready.least)[0] as NodeId
  }

  /** The file that is looked at first; undefined: no copy may begin now. */
  firstOf(node: NodeId): FileId | undefined {
    const { open, into } = this.#of(node)
    if (open.size === 0 || into.size >= limits.copiesInto) return undefined
    return open.upTo(open.least)[0]
  }

  /** Copies of which the node is the target. */
  into(node: NodeId): ReadonlySet<C> {
    return this.#of(node).into
  }

  /** Copies of which it is the source. */
  outOf(node: NodeId): number {
    return this.#of(node).outOf
  }

  open(node: NodeId, file: FileId, order: number): void {
    this.#of(node).open.set(file, order)
    this.#see(node)
  }

  close(node: NodeId, file: FileId): void {
    this.#of(node).open.delete(file)
    this.#see(node)
  }

  begins(copy: C): void {
    this.#of(copy.source).outOf += 1
    this.#of(copy.target).into.add(copy)
    this.#see(copy.target)
  }

  ends(copy: C): void {
    this.#of(copy.source).outOf -= 1
    this.#of(copy.target).into.delete(copy)
    this.#see(copy.target)
  }

  #see(node: NodeId): void {
    const { open, into } = this.#of(node)
    const isReady = open.size > 0 && into.size < limits.copiesInto
    // Of demands that are as urgent those of nodes to which less is under way come first.
    this.#ready.set(node, isReady ? open.least + into.size / 4 : Number.POSITIVE_INFINITY)
  }

  #of(node: NodeId): NodeState<C> {
    const known = this.#nodes.get(node)
    if (known !== undefined) return known
    const state = { open: new LeastFirst<FileId>(), into: new Set<C>(), outOf: 0 }
    this.#nodes.set(node, state)
    return state
  }
}
