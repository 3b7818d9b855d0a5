/**
 * Units: the parts of a content that nodes deal among themselves. All of a content but the last are
 * of one size, which follows from the content alone, so that all who speak of it mean the same.
 */
import { blockBytesFor, limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'

export interface Geometry {
  readonly size: number
  readonly unitBytes: number
  /** At least one, also of a content without bytes. */
  readonly count: number
}

/** `blockBytes`: of the block files that the content is divided into. */
export function geometryOf(size: number, blockBytes = 0): Geometry {
  const { swarmUnitBytesMin, swarmUnitBytesMax, swarmUnitsTarget, swarmUnits } = limits
  let unitBytes = Math.max(swarmUnitBytesMin, blockBytesFor(size))
  const isTooSmall = (): boolean =>
    unitBytes < swarmUnitBytesMax && (unitBytes < blockBytes || unitBytes * swarmUnitsTarget < size)
  while (isTooSmall()) unitBytes *= 2
  while (unitBytes * swarmUnits < size) unitBytes *= 2
  return { size, unitBytes, count: Math.max(1, Math.ceil(size / unitBytes)) }
}

/** The bytes of so many units. */
export function bytesOf({ size, unitBytes }: Geometry, first: number, count: number): RangePair {
  const offset = first * unitBytes
  return [offset, Math.min(size, offset + count * unitBytes) - offset]
}

/** The units that these ranges touch, in their order, each once. */
export function unitsTouched(geometry: Geometry, ranges: Iterable<RangePair>): number[] {
  const { unitBytes, count } = geometry
  const touched = new Set<number>()
  for (const [offset, length] of ranges) {
    if (length <= 0) continue
    const last = Math.min(count - 1, Math.floor((offset + length - 1) / unitBytes))
    for (let unit = Math.floor(offset / unitBytes); unit <= last; unit++) touched.add(unit)
  }
  return [...touched]
}

/** A set of units. */
export class UnitSet {
  readonly #has: Uint8Array
  #size = 0

  constructor(count: number) {
    this.#has = new Uint8Array(count)
  }

  /** Those that are whole within these ranges, which are sorted and do not touch. */
  static within(geometry: Geometry, ranges: Iterable<RangePair>): UnitSet {
    const { unitBytes, count, size } = geometry
    const set = new UnitSet(count)
    for (const [offset, length] of ranges) {
      const end = offset + length
      const past = end === size ? count : Math.floor(end / unitBytes)
      for (let unit = Math.ceil(offset / unitBytes); unit < past; unit++) set.add(unit)
    }
    return set
  }

  /** What lies beyond the last unit is left out. */
  static ofRuns(count: number, runs: Iterable<RangePair>): UnitSet {
    const set = new UnitSet(count)
    for (const [first, length] of runs)
      for (let unit = first; unit < Math.min(count, first + length); unit++) set.add(unit)
    return set
  }

  get size(): number {
    return this.#size
  }

  get count(): number {
    return this.#has.length
  }

  get isAll(): boolean {
    return this.#size === this.#has.length
  }

  has(unit: number): boolean {
    return this.#has[unit] === 1
  }

  add(unit: number): void {
    if (unit < 0 || unit >= this.#has.length || this.#has[unit] === 1) return
    this.#has[unit] = 1
    this.#size++
  }

  addAll(other: UnitSet): void {
    for (let unit = 0; unit < other.count; unit++) if (other.has(unit)) this.add(unit)
  }

  /** At most so many runs, from the beginning on. */
  runs(most: number): RangePair[] {
    const runs: [number, number][] = []
    for (let unit = 0; unit < this.#has.length; unit++) {
      if (this.#has[unit] !== 1) continue
      const last = runs.at(-1)
      if (last !== undefined && last[0] + last[1] === unit) last[1]++
      else if (runs.length === most) break
      else runs.push([unit, 1])
    }
    return runs
  }
}

/** A number that looks random, of a node and a unit (or another node): the same everywhere. */
export function lot(seed: number, of: number): number {
  let hash = Math.imul(seed ^ Math.imul(of + 1, 0x9e3779b1), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Of a node id (FNV-1a). */
export function seedOf(nodeId: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < nodeId.length; at++)
    hash = Math.imul(hash ^ nodeId.charCodeAt(at), 0x01000193)
  return hash >>> 0
}
