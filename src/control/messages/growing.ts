/**
 * Words about a content that is sent while it is still written. Each names a position in it, in
 * bytes from its beginning, that only grows: a word that names less than the last is void.
 */

export type GrowingFrame =
  // --- coordinator -> member
  /** Records up to here may come; it runs ahead of what exists at the origin. */
  | { readonly type: 'grown'; readonly bytes: number }
  /** Every member that keeps up holds all before this, verified: routes before it are over. */
  | { readonly type: 'floor'; readonly bytes: number }
  // --- member -> coordinator
  /** Everything before this is here, and verified. */
  | { readonly type: 'reached'; readonly bytes: number }
  // --- node -> client that fetches
  /** The holder's verified prefix; `isFinal`: the content ends there. */
  | { readonly type: 'more'; readonly bytes: number; readonly isFinal: boolean }
