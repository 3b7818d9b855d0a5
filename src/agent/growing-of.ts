/** What lands at a node while it is still written. */
import { isSameName } from '../base/names.js'
import type { HeldEntry } from '../control/messages/types.js'
import { encodeName } from '../protocol/manifest.js'
import type { GrowingHere } from '../session/growing-here.js'
import type { LandingHere } from '../session/landing-here.js'
import type { Reception } from '../session/receiver/reception.js'
import type { HeldStream } from '../store/catalogue/record.js'
import type { EndedGrowths } from './ended-growths.js'

type Landing = Pick<Reception, 'growing' | 'isOpen'> & {
  readonly landing?: Reception['landing']
}

interface FollowedDisk {
  readonly receptions: Iterable<Landing>
  readonly ended: EndedGrowths
  recordOf(name: Uint8Array): HeldStream | undefined
}

/** On any of these disks; undefined: nothing of this name. */
export function growingOf(
  disks: Iterable<{ readonly receptions: Iterable<Landing> }>,
  name: Uint8Array,
): Reception['growing'] {
  for (const { receptions } of disks)
    for (const { growing, isOpen } of receptions)
      if (isOpen && growing !== undefined && isSameName(growing.spec.name, name)) return growing
  return undefined
}

/** A file that a push brings to any of these disks, and its disk; undefined: none of this name. */
export function landingOf<Of extends { readonly receptions: Iterable<Landing> }>(
  disks: Iterable<Of>,
  name: Uint8Array,
): { readonly disk: Of; readonly landing: LandingHere } | undefined {
  for (const disk of disks)
    for (const { landing, isOpen } of disk.receptions)
      if (isOpen && landing !== undefined && isSameName(landing.spec.name, name))
        return { disk, landing }
  return undefined
}

/** The same, or what has ended there a moment ago and has the name. */
export function followedOf(disks: readonly FollowedDisk[], name: Uint8Array): Reception['growing'] {
  const growing = growingOf(disks, name)
  if (growing !== undefined) return growing
  for (const disk of disks) {
    const ended = disk.ended.of(name)
    if (ended !== undefined && disk.recordOf(name)?.contentId === ended.spec.entry.contentId)
      return ended
  }
  return undefined
}

/** All that lands and is still written, as it is listed, by the id of its partial. */
export function growingHere(receptions: Iterable<Landing>): Map<string, HeldEntry> {
  const found = new Map<string, HeldEntry>()
  for (const { growing, isOpen } of receptions)
    if (isOpen && growing !== undefined) found.set(growing.spec.partialId(), entryOf(growing))
  return found
}

function entryOf({ spec: { name, entry }, bytes }: GrowingHere): HeldEntry {
  const times = { publishedAtMs: null, verifiedAtMs: null }
  const described = { contentId: entry.contentId, size: bytes, heldBytes: bytes, ...times }
  return {
    ...encodeName(name),
    ...{ kind: 'file', state: 'growing', entries: null, fileDigest: null, ...described },
  }
}
