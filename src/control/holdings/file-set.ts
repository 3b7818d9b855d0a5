/**
 * A file set: names, each with the content that it is to have. What one has is a set, too, so what
 * is to be moved is one set without the other.
 */

export interface SetFile {
  /** Of the name, whatever stands for its bytes. */
  readonly key: string
  readonly digest: string
}

/** Of the files of a set those that `have` does not hold, or holds with another content. */
export function subtract<T extends SetFile>(set: readonly T[], have: Iterable<SetFile>): T[] {
  const held = new Map<string, string>()
  for (const { key, digest } of have) held.set(key, digest)
  return set.filter(({ key, digest }) => held.get(key) !== digest)
}
