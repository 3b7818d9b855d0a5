/** The children of a node: what each has said of itself and of all below it. */
import { limits } from '../../base/limits.js'
import type { DirectoryPeer, RollUp } from '../messages/directory.js'
import { Bits } from './bits.js'
import { joined, nobody, type Summary } from './dictionary.js'
import { kinFor } from './kin.js'

export interface Child extends DirectoryPeer {
  readonly link: number
  readonly site: string
  /** Of it and all below it, in bits of the dictionary of that id. */
  summary: Summary
  dictionary: string
  /** Steps below it to a place for another node; null: there is none, or it is not known. */
  room: number | null
  /** Of the dictionary with this id it knows so many bits. */
  knows: { id: string; bits: number; isFull: boolean }
  /** Nodes that were passed down to it and that it has not counted yet. */
  passed: number
  /** What it was told last. */
  lineage: string
  kin: string
}

export class Children {
  readonly #all = new Map<number, Child>()
  /** Those with a place below them, the nearest first; undefined: something has changed. */
  #sorted: readonly Child[] | undefined
  /** Places of those that wait for an approval. */
  reserved = 0
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  get all(): Iterable<Child> {
    return this.#all.values()
  }

  get size(): number {
    return this.#all.size
  }

  get hasRoom(): boolean {
    return this.#all.size + this.reserved < this.#most
  }

  get(link: number): Child | undefined {
    return this.#all.get(link)
  }

  of(nodeId: string): Child | undefined {
    for (const child of this.#all.values()) if (child.nodeId === nodeId) return child
    return undefined
  }

  add(child: Child): void {
    this.#sorted = undefined
    this.#all.set(child.link, child)
  }

  delete(link: number): boolean {
    this.#sorted = undefined
    return this.#all.delete(link)
  }

  rolledUp(child: Child, { dictionary, some, every, count, isWhole, room }: RollUp): void {
    const bits = {
      some: Bits.fromHex(some) ?? new Bits(),
      every: Bits.fromHex(every) ?? new Bits(),
    }
    child.passed = Math.max(0, child.passed - Math.max(0, count - child.summary.count))
    child.summary = { ...bits, count, isWhole }
    child.dictionary = dictionary
    if (child.room !== room) this.#sorted = undefined
    child.room = room
  }

  /** Steps to the nearest place for a node: 0 is this node itself. Null: there is none. */
  get room(): number | null {
    return this.roomBeside(null)
  }

  /** The same, but not at this child, nor below it. */
  roomBeside(one: Child | null): number | null {
    if (this.hasRoom) return 0
    const [first, second] = this.#nearest
    const room = (first === one ? second : first)?.room ?? null
    return room === null || room + 1 >= limits.treeDepth ? null : room + 1
  }

  /** What children are told of places follows from this and from what is above. */
  get rooms(): string {
    const [first, second] = this.hasRoom ? [] : this.#nearest
    return `${this.hasRoom} ${first?.link} ${first?.room} ${second?.room}`
  }

  get #nearest(): readonly Child[] {
    this.#sorted ??= [...this.#all.values()].filter(({ room }) => room !== null).sort(byRoom)
    return this.#sorted
  }

  /** Of all that are below this node, in bits of the dictionary. */
  below(dictionary: string): Summary {
    let all = nobody
    for (const child of this.#all.values()) all = joined(all, seen(child, dictionary))
    return all
  }

  get count(): number {
    let count = 0
    for (const { summary } of this.#all.values()) count += summary.count
    return count
  }

  /** Whom each child is to be told of, where that is somebody else than before. */
  kinChanged(self: DirectoryPeer & { site: string }, told: readonly DirectoryPeer[]) {
    const all = [...this.#all.values()]
    return all.flatMap((child) => {
      const mates = kinFor(child, all, self, told)
      const said = mates.map(({ nodeId }) => nodeId).join()
      if (said === child.kin) return []
      child.kin = said
      return [{ link: child.link, mates }]
    })
  }

  /**
   * The child that one more node is passed down to: of the same site if there is one that is not
   * much larger than the smallest, so that nodes of a site are found together. `steps`: for a node
   * that wants a place no further down than so many, the child where that is nearest.
   */
  roomFor(nodeId: string, site: string, steps: number | null): Child | undefined {
    if (steps !== null) return this.#nearestFor(nodeId, steps)
    let [best, mate]: (Child | undefined)[] = []
    for (const child of this.#all.values()) {
      if (child.nodeId === nodeId) continue
      if (best === undefined || weight(child) < weight(best)) best = child
      if (site === '' || child.site !== site) continue
      if (mate === undefined || weight(child) < weight(mate)) mate = child
    }
    if (best === undefined) return undefined
    const isNear = mate !== undefined && weight(mate) <= 2 * weight(best) + limits.children
    const found = isNear ? (mate as Child) : best
    found.passed += 1
    return found
  }

  #nearestFor(nodeId: string, steps: number): Child | undefined {
    const found = this.#nearest.find((child) => child.nodeId !== nodeId)
    return found !== undefined && (found.room as number) < steps ? found : undefined
  }
}

function byRoom(a: Child, b: Child): number {
  return (a.room as number) - (b.room as number)
}

/** In bits of that dictionary nothing is known of who uses another one. */
export function seen({ summary, dictionary }: Child, wanted: string): Summary {
  return dictionary === wanted ? summary : { ...nobody, count: summary.count, isWhole: false }
}

function weight({ summary, passed }: Child): number {
  return summary.count + passed
}
