/**
 * Which kept versions go: pure, so that it is tried on all histories.
 *
 * The idea: the oldest goes first, and of one name the one that was kept first, whatever clocks
 * said. What is used stays, and so do the newest of each name that somebody wants to have at least:
 * neither age nor space reaches those, so a clock that jumps takes no more than the rest.
 */

export interface EvictionRules {
  /** Bytes that all kept versions together may take; null: any. */
  readonly maxBytes: number | null
  /** Milliseconds after which they go; null: never. */
  readonly maxAgeMs: number | null
  /** Of each name so many stay. */
  readonly least: number
}

export interface Evictable {
  /** Of the name. */
  readonly key: string
  /** Of those of one name the lowest was kept first. */
  readonly number: number
  /** What its removal gives back. */
  readonly bytes: number
  readonly ageMs: number
  /** It is served, or something stands on it. */
  readonly isUsed: boolean
}

export interface EvictableVersion extends Evictable {
  readonly name: Uint8Array
  readonly fileDigest: string
  /** False: it is used by now, or not there any more. */
  drop(): Promise<boolean>
}

/** In the order in which they go; `wantedBytes` are to be given back where that can be. */
export function evicted<T extends Evictable>(
  versions: readonly T[],
  { maxBytes, maxAgeMs, least }: EvictionRules,
  wantedBytes = 0,
): T[] {
  let over = versions.reduce((sum, { bytes }) => sum + bytes, 0) - (maxBytes ?? Infinity)
  let wanted = wantedBytes
  const goes: T[] = []
  for (const { version, ageMs } of inOrder(versions, least)) {
    const isOld = maxAgeMs !== null && ageMs > maxAgeMs
    if (!isOld && over <= 0 && wanted <= 0) continue
    goes.push(version)
    over -= version.bytes
    wanted -= version.bytes
  }
  return goes
}

/** Those that may go, the oldest first. */
function inOrder<T extends Evictable>(
  versions: readonly T[],
  least: number,
): { readonly version: T; readonly ageMs: number }[] {
  const byName = new Map<string, T[]>()
  for (const version of versions)
    byName.set(version.key, [...(byName.get(version.key) ?? []), version])
  return [...byName.values()]
    .flatMap((of) => {
      const newestFirst = of.toSorted((a, b) => b.number - a.number)
      // One that was kept earlier is no younger, whatever the clock said.
      let ageMs = 0
      const aged = newestFirst.map((version) => {
        ageMs = Math.max(ageMs, version.ageMs)
        return { version, ageMs }
      })
      return aged.slice(least).reverse()
    })
    .filter(({ version }) => !version.isUsed)
    .sort((a, b) => b.ageMs - a.ageMs)
}
