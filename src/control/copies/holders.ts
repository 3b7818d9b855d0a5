/**
 * Who holds how much of one file, by the word of each.
 *
 * The idea: most nodes hold all of a file or nothing, so only those in between have ranges of their
 * own. Holders are known by site, because where a byte comes from is decided by site first. A file
 * that grows makes those who had all of it holders of a part.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { NodeId, SiteId } from './network.js'

export class Holders {
  #size: number
  /** Null: all of it. */
  readonly #held = new Map<NodeId, RangeSet | null>()
  readonly #bySite = new Map<SiteId, Set<NodeId>>()
  /** What the nodes of a site hold together; null: all of it. Made when it is asked for. */
  readonly #siteHeld = new Map<SiteId, RangeSet | null>()
  #whole = 0

  constructor(size: number) {
    this.#size = size
  }

  get size(): number {
    return this.#size
  }

  /** Nodes that hold all of it. */
  get whole(): number {
    return this.#whole
  }

  /** Nodes that hold some of it. */
  get count(): number {
    return this.#held.size
  }

  /** It has grown. A smaller size than before is another file: RangeError. */
  grow(size: number): void {
    if (size < this.#size) throw new RangeError(`${size} is less than ${this.#size}`)
    if (size === this.#size) return
    for (const [node, ranges] of this.#held)
      if (ranges === null) this.#held.set(node, RangeSet.of([[0, this.#size]]))
    this.#whole = 0
    this.#size = size
    this.#siteHeld.clear()
  }

  /**
   * All that a node holds now; what lies behind the end of the file is left out. A range without
   * bytes is all of a file that has none.
   */
  set(node: NodeId, site: SiteId, ranges: Iterable<RangePair>): void {
    this.drop(node, site)
    const held = [...ranges]
    this.#put(node, site, RangeSet.of(held), this.#size === 0 && held.length > 0)
  }

  add(node: NodeId, site: SiteId, [offset, length]: RangePair): void {
    const known = this.#held.get(node)
    if (known === null) return
    const ranges = known ?? new RangeSet()
    ranges.add(offset, length)
    this.#put(node, site, ranges)
  }

  /** It has turned out not to hold this. */
  remove(node: NodeId, site: SiteId, [offset, length]: RangePair): void {
    const known = this.#held.get(node)
    if (known === undefined) return
    const ranges = known ?? RangeSet.of([[0, this.#size]])
    this.drop(node, site)
    ranges.remove(offset, length)
    this.#put(node, site, ranges)
  }

  drop(node: NodeId, site: SiteId): void {
    const known = this.#held.get(node)
    if (known === undefined) return
    if (known === null) this.#whole -= 1
    this.#held.delete(node)
    this.#siteHeld.delete(site)
    const nodes = this.#bySite.get(site)
    nodes?.delete(node)
    if (nodes?.size === 0) this.#bySite.delete(site)
  }

  bytesAt(node: NodeId): number {
    const known = this.#held.get(node)
    return known === null ? this.#size : (known?.bytes ?? 0)
  }

  hasAll(node: NodeId): boolean {
    return this.#held.get(node) === null
  }

  /** The parts of a range that a node holds. */
  present(node: NodeId, [offset, length]: RangePair): RangePair[] {
    const known = this.#held.get(node)
    if (known === undefined) return []
    return known === null ? [[offset, length]] : known.present(offset, length)
  }

  /** What a node lacks. */
  missing(node: NodeId): RangeSet {
    const known = this.#held.get(node)
    if (known === null) return new RangeSet()
    const missing = RangeSet.of([[0, this.#size]])
    if (known !== undefined) missing.subtract(known)
    return missing
  }

  /** How many hold a byte; looks at so many of those who hold a part. */
  countAt(offset: number, looked: number): number {
    let count = this.#whole
    let left = looked
    for (const ranges of this.#held.values()) {
      if (ranges === null) continue
      if (left-- === 0) break
      if (ranges.contains(offset, 1)) count += 1
    }
    return count
  }

  sites(): IterableIterator<SiteId> {
    return this.#bySite.keys()
  }

  /** Those in a site that hold some of it. */
  in(site: SiteId): ReadonlySet<NodeId> {
    return this.#bySite.get(site) ?? none
  }

  /** What the nodes of a site hold together; null: all of it. */
  heldIn(site: SiteId): RangeSet | null {
    const known = this.#siteHeld.get(site)
    if (known !== undefined) return known
    const held = this.#together(site)
    this.#siteHeld.set(site, held)
    return held
  }

  #together(site: SiteId, isMeant?: (node: NodeId) => boolean): RangeSet | null {
    const all = new RangeSet()
    for (const node of this.in(site)) {
      if (isMeant?.(node) === false) continue
      const ranges = this.#held.get(node)
      if (ranges === null) all.add(0, this.#size)
      else for (const range of ranges ?? []) all.add(...range)
      if (all.bytes === this.#size) break
    }
    return all.bytes === this.#size ? null : all
  }

  /** The same of those that can be used. */
  heldByUsable(site: SiteId, isUsable: (node: NodeId) => boolean): RangeSet | null {
    if ([...this.in(site)].every(isUsable)) return this.heldIn(site)
    return this.#together(site, isUsable)
  }

  nodes(): IterableIterator<NodeId> {
    return this.#held.keys()
  }

  #put(node: NodeId, site: SiteId, ranges: RangeSet, isAllOfNothing = false): void {
    ranges.remove(this.#size, Number.MAX_SAFE_INTEGER - this.#size)
    if (ranges.isEmpty && !isAllOfNothing) return
    const isAll = ranges.bytes === this.#size
    if (isAll) this.#whole += 1
    this.#held.set(node, isAll ? null : ranges)
    const together = this.#siteHeld.get(site)
    if (together !== undefined && together !== null) {
      for (const range of ranges) together.add(...range)
      if (together.bytes === this.#size) this.#siteHeld.set(site, null)
    }
    const nodes = this.#bySite.get(site)
    if (nodes === undefined) this.#bySite.set(site, new Set([node]))
    else nodes.add(node)
  }
}

const none: ReadonlySet<NodeId> = new Set()
