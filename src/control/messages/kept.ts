/**
 * What a master keeps over its own restarts, as entries in the order in which it came.
 *
 * An entry may be there several times: the last one of its kind holds. What nodes hold, and which
 * copies run, is not among it: nodes tell that anew.
 */
import type { FileSet } from './file-sets.js'
import type { Said } from './mastering.js'

export type KeptEntry =
  /** All sets there are from now on. */
  | { readonly type: 'sets'; readonly sets: readonly FileSet[] }
  | { readonly type: 'drained'; readonly node: string; readonly isDrained: boolean }
  /** A content that was heard of, or that has grown: their order tells which is the latest. */
  | { readonly type: 'heard'; readonly said: Said }
  /** All that is held against components. */
  | { readonly type: 'faults'; readonly faults: readonly KeptFault[] }

/** What is held against a component, by name: numbers are of one run only. */
export interface KeptFault {
  readonly kind: 'node' | 'disk' | 'uplink' | 'downlink' | 'site' | 'link'
  readonly name: string
  /** Thousandths of faults that are not forgotten yet. */
  readonly thousandths: number
  readonly causes: readonly { readonly cause: string; readonly count: number }[]
  /** How often it was declared failed. */
  readonly times: number
  /** Milliseconds until it is tried again, from when this was written; null: it is not left out. */
  readonly retryMs: number | null
}

/** All of it together. */
export interface Kept {
  /** Null: none were ever applied. */
  readonly sets: readonly FileSet[] | null
  readonly drained: ReadonlySet<string>
  readonly heard: readonly Said[]
  readonly faults: readonly KeptFault[]
}

export function keptOf(entries: Iterable<KeptEntry>): Kept {
  let sets: readonly FileSet[] | null = null
  let faults: readonly KeptFault[] = []
  const drained = new Set<string>()
  const heard = new Map<string, Said>()
  for (const entry of entries) {
    switch (entry.type) {
      case 'sets':
        sets = entry.sets
        break
      case 'drained':
        if (entry.isDrained) drained.add(entry.node)
        else drained.delete(entry.node)
        break
      case 'heard':
        heard.set(`${entry.said.contentId} ${entry.said.name}`, entry.said)
        break
      case 'faults':
        faults = entry.faults
        break
      default:
        entry satisfies never
    }
  }
  return { sets, drained, heard: [...heard.values()], faults }
}
