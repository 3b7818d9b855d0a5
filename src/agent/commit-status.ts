/** Decisions as the status of a node shows them. */
import type { CommitRecord, Decree } from '../control/messages/commit.js'
import type { HeldEntry } from '../control/messages/types.js'
import type { HeldStream } from '../store/catalogue/record.js'

export interface DecisionStatus {
  /** 32 hex digits. */
  readonly id: string
  readonly name: string
  readonly digest: string
  readonly mode: 'all' | 'quorum'
  /** How many nodes decide. */
  readonly members: number
  /** prepared: it is in doubt; switching: it is decided, and not carried out here. */
  readonly state: 'prepared' | 'switching'
  readonly secondsAgo: number
  /** Whom or what the node waits for. */
  readonly waitsFor: string
}

/** What keeps others from the name, or is not carried out. */
export function isInDoubt({ prepared, verdict, isApplied }: CommitRecord): boolean {
  return !isApplied && (prepared !== null || verdict !== null)
}

export function statusOfDecision(
  { decree, verdict }: CommitRecord,
  isAuthorThere: boolean,
  seconds: number,
): DecisionStatus {
  const { id, name, fileDigest: digest, mode, members } = decree
  const about = { id, name, digest, mode, members: members.length }
  const secondsAgo = Math.max(0, seconds)
  if (verdict !== null)
    return { ...about, state: 'switching', secondsAgo, waitsFor: 'the content or the name' }
  const waitsFor = isAuthorThere ? 'its author' : 'a majority of its members'
  return { ...about, state: 'prepared', secondsAgo, waitsFor }
}

/** The version, which is not the one that has the name, in a list of what is held. */
export function preparedEntry(
  { name, nameIsBase64, fileDigest }: Decree,
  { contentId, size, verifiedAtMs }: HeldStream,
  publishedAtMs: number,
): HeldEntry {
  const described = { contentId, size, heldBytes: size, entries: null, fileDigest }
  const times = { publishedAtMs, verifiedAtMs }
  return { name, nameIsBase64, kind: 'file', state: 'prepared', ...described, ...times }
}
